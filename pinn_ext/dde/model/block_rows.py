"""The residual rows of a DeepXDE model in blocks, for many more points than memory has room for."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.dde.model.residual_rows import ModelRows, gradients_of
from pinn_ext.jacobians.row_blocks import RowBlocks
from pinn_ext.networks.normalization import warn_of_graph
from solvers.gauss_newton.problem import rows_of_block

_POINTS = 2048  # of a piece: its tensors stay in the caches, and calls cost little beside them
_MANY = 8 * _POINTS  # from here on points are looked at and tested in pieces, too
_POINTWISE = (dde.data.PDE, dde.data.TimePDE)  # residuals of an equation have a point each

Arrays = Sequence[Any]
"""Points, targets and auxiliary values, or None in the place of the latter."""


@dataclass(frozen=True)
class _Part:
    """Points that are evaluated together.

    Attributes:
        name: of the part.
        kind: "all", "conditions" or "equations": which terms it has.
        arrays: at its points.
    """

    name: str
    kind: str
    arrays: Arrays


@dataclass(frozen=True)
class _Piece(_Part):
    """Points that are evaluated together, and what they are among all.

    Attributes:
        numbers: of its rows `[r]`, among those of the model.
        terms: numbers of its terms.
    """

    numbers: Tensor
    terms: Sequence[int]


class BlockRows(ModelRows):
    """`ModelRows` whose Jacobian also comes in blocks of rows; then points come in pieces, too.

    Where equations have a residual at each point that depends on this point alone, as those of
    `dde.data.PDE` and `TimePDE` do, points are evaluated some at a time, and nothing that has a
    number for each row and parameter, or for each point and neuron, is ever held. Of other data
    all points are evaluated at once. The numbers are the same but for rounding.

    Args:
        model: a compiled DeepXDE model whose `train_state` holds training points.
        in_pieces: whether points may be evaluated in pieces; not where each evaluation of the
            terms is listened to.
    """

    def __init__(self, model: Any, in_pieces: bool = True) -> None:
        self._may_cut, self._blockwise = in_pieces, False
        self._pieces: list[_Piece] = []
        self._of_pieces: dict[tuple[str, int], RowBlocks] = {}
        self._piece: _Piece | None = None
        super().__init__(model)

    def refresh(self) -> None:
        """Take up the points that `train_state` holds and the weights of the model."""
        self._pieces = []
        for own in self._of_pieces.values():
            own.forget()
        super().refresh()

    def expect_blocks(self, wanted: bool) -> None:
        """Be told whether the Jacobian is wanted in blocks."""
        self._blockwise = wanted
        if wanted and not self._pieces:
            self._pieces = self._cut()

    @property
    def num_pieces(self) -> int:
        """Into how many pieces the points are cut; 0 where the Jacobian is held whole."""
        return len(self._pieces) if self._blockwise else 0

    @property
    def fallback(self) -> str | None:
        """Why the Jacobian takes a backward pass a row, None where it does not."""
        known = [own.fallback for own in self._of_pieces.values()] if self._blockwise else []
        return next((why for why in known if why is not None), super().fallback)

    # ---- the problem that the solver sees -----------------------------------------------------

    def residual(self, x: Tensor) -> Tensor:
        """Return the rows `[m]` at parameters `[n]`."""
        if not self._blockwise:
            return super().residual(x)
        self.put(x)
        rows = x.new_empty(self.num_rows)
        with self._frozen():
            for piece in self._pieces:
                rows[piece.numbers] = self._scaled(piece).detach()
        rows[sum(self.sizes) :] = self._decay * x[: self._decayed]
        return rows

    def blocks(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield numbers of rows `[b]` and their Jacobian `[b, n]`, which the next ones overwrite.

        Rows of zeros may be left out. At the end the curvatures of the terms are known.
        """
        self.put(x)
        size, terms = rows_of_block(len(x)), sum(self.sizes)
        squares = x.new_zeros(terms)
        for piece in self._pieces:
            self._piece = piece
            scales = [self.scales[term] for term in piece.terms]
            for local, block in self._jacobian_of(piece).blocks(scales, size):
                numbers = piece.numbers[local]
                squares[numbers] = block.square().sum(1)
                yield numbers, block
        norms = [own.sum().sqrt() for own in squares.split(self.sizes)]
        self._norms, self._weights_of_norms = torch.stack(norms), self.weights
        for first in range(0, self._decayed, size):
            count = min(size, self._decayed - first)
            block = x.new_zeros(count, len(x))
            block.diagonal(first).fill_(self._decay)
            yield torch.arange(terms + first, terms + first + count, device=x.device), block

    def pull(self, x: Tensor, rows: Tensor) -> Tensor:
        """Return `J^T w` `[n]` for w `[m]`, by a backward pass."""
        self.put(x)
        total = torch.zeros_like(x)
        for piece in self._pieces:
            own = self._scaled(piece)
            if own.requires_grad:
                total += gradients_of(own, self.tensors, rows[piece.numbers])
        total[: self._decayed] += self._decay * rows[sum(self.sizes) :]
        return total

    def _scaled(self, piece: _Piece) -> Tensor:
        """Return the rows of a piece `[r]`."""
        vectors = zip(piece.terms, self._evaluated(piece), strict=True)
        return torch.cat([self.scales[term] * vector.reshape(-1) for term, vector in vectors])

    def _jacobian_of(self, piece: _Piece) -> RowBlocks:
        """Return what differentiates pieces of this kind and length."""
        if piece.kind == "all":
            return self._jacobian
        key = piece.kind, len(piece.arrays[0])
        if key not in self._of_pieces:
            network = [p for p in self.model.net.parameters() if p.requires_grad]
            variables = self.tensors[len(network) :]
            self._of_pieces[key] = RowBlocks(self._present, network, variables)
        return self._of_pieces[key]

    def _present(self) -> list[Tensor]:
        if self._piece is None:
            raise RuntimeError("A piece must be at hand, got none.")
        return self._evaluated(self._piece)

    # ---- pieces of points ---------------------------------------------------------------------

    def _evaluated(self, piece: _Part) -> list[Tensor]:
        """Return the residuals of a piece's terms."""
        data = self.model.data
        if piece.kind == "all":
            return self.vectors()
        shown: dict[str, Any] = (
            {"bcs": [], "num_bcs": []} if piece.kind == "equations" else {"pde": None}
        )
        with _with(data, **shown):
            terms = functools.partial(type(data).losses_train, data)  # past a stand-in for it
            return self._evaluate(piece.arrays, terms, piece.name)

    def _parts(self, arrays: Arrays) -> list[_Part]:
        """Return pieces of points: those of the equations, then those of the conditions."""
        first, points = sum(self.model.data.num_bcs), len(arrays[0])

        def part(name: str, kind: str, low: int, high: int) -> _Part:
            own = [None if array is None else array[low:high] for array in arrays]
            return _Part(name, kind, own)

        parts = [
            part(f" {low}", "equations", low, min(low + _POINTS, points))
            for low in range(first, points, _POINTS)
        ]
        return [*parts, part(" conditions", "conditions", 0, first)] if first else parts

    def _can_cut(self) -> bool:
        """Return whether the terms at some points are those of all points there."""
        data = self.model.data
        stand_in = vars(data).get("losses_train")
        listened = getattr(stand_in, "point_weights", stand_in) is not None
        if not self._may_cut or listened or type(data) not in _POINTWISE or data.pde is None:
            return False
        parts = self._parts(self._arrays())
        if not parts or parts[0].kind != "equations" or len(parts[0].arrays[0]) < 2:
            return False
        first, count = parts[0], len(parts[0].arrays[0])

        def half(low: int, high: int) -> list[Tensor]:
            own = [None if array is None else array[low:high] for array in first.arrays]
            return self._evaluated(_Part(" half", "equations", own))

        with self._frozen():
            found = [half(0, count), half(0, count // 2), half(count // 2, count)]
        part = 1e-4 if found[0][0].dtype == torch.float32 else 1e-10
        for whole, one, other in zip(*found, strict=True):
            halves = torch.cat((one, other))
            if whole.numel() != count or whole.shape != halves.shape:
                return False
            if bool(((whole - halves).abs() > part * whole.abs().max()).any()):
                return False
        return True

    def _cut(self) -> list[_Piece]:
        """Return the pieces of the present points; one where they cannot be cut."""
        every = torch.arange(sum(self.sizes), device=self.tensors[0].device)
        count = len(self.sizes)
        if not self._can_cut():
            return [_Piece("", "all", self._arrays(), every, range(count))]
        equations = count - len(self.model.data.bcs)
        pieces, place, inside = [], 0, self.sizes[0]
        for part in self._parts(self._arrays()):
            if part.kind == "equations":
                own = place + torch.arange(len(part.arrays[0]), device=every.device)
                place += len(own)
                numbers = torch.cat([term * inside + own for term in range(equations)])
                terms = range(equations)
            else:
                numbers, terms = every[equations * inside :], range(equations, count)
            pieces.append(_Piece(part.name, part.kind, part.arrays, numbers, terms))
        return pieces

    # ---- new points, and tests ----------------------------------------------------------------

    def _first_look(self) -> list[Tensor]:
        arrays = self._arrays()
        if len(arrays[0]) < _MANY or not self._can_cut():
            return super()._first_look()
        parts = self._parts(arrays)
        warn_of_graph(self._evaluated(parts[0]), self.model.net)
        return self._joined(parts)

    def _joined(self, parts: Sequence[_Part]) -> list[Tensor]:
        """Return the residuals of all terms, without gradients."""
        with self._frozen():
            found = [[own.detach() for own in self._evaluated(part)] for part in parts]
        conditions = found.pop() if parts[-1].kind == "conditions" else []
        return [*(torch.cat(column) for column in zip(*found, strict=True)), *conditions]

    def _compare(self, arrays: Arrays, vectors: Sequence[Tensor]) -> None:
        if len(arrays[0]) < _MANY or not self._can_cut():
            return super()._compare(arrays, vectors)
        data = self.model.data
        last = sum(data.num_bcs) + _POINTS
        some = [None if array is None else array[:last] for array in arrays]
        equations = len(vectors) - len(data.bcs)
        own = [*(vector[:_POINTS] for vector in vectors[:equations]), *vectors[equations:]]
        super()._compare(some, own)

    @contextlib.contextmanager
    def tests(self) -> Iterator[None]:
        """Let DeepXDE's tests evaluate many points in pieces, too; its own way where few are."""
        model = self.model
        names: tuple[str, ...] = ("outputs_losses_train", "outputs_losses_test")
        # A stand-in for the losses, as that of our callback, wants to see the tests.
        if self.num_pieces < 2 or vars(model.data).get("losses_train") is not None:
            names = ()
        with _with(model, **{name: self._tested(getattr(model, name)) for name in names}):
            yield

    def _tested(self, plain: Any) -> Any:
        """Return a stand-in for a function of arrays that returns outputs and weighted losses."""

        def tested(*arrays: Any) -> tuple[Tensor, Tensor]:
            if len(arrays[0]) < _MANY:
                return plain(*arrays)
            parts = self._parts(arrays)
            losses = [own.square().mean() for own in self._joined(parts)]
            weights = zip(self._given_weights(), losses, strict=True)
            outputs = [
                self.model.net(self._on_device(part.name, part.arrays[0])).detach()
                for part in sorted(parts, key=lambda part: part.kind != "conditions")
            ]
            return torch.cat(outputs), torch.stack([weight * loss for weight, loss in weights])

        return tested


@contextlib.contextmanager
def _with(owner: Any, **members: Any) -> Iterator[None]:
    """Let an object have other members for a while."""
    before = {name: getattr(owner, name) for name in members}
    try:
        for name, value in members.items():
            setattr(owner, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)
