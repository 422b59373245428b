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
from solvers.gauss_newton.problem import rows_of_block

_POINTS = 2048  # of a piece: its tensors stay in the caches, and calls cost little beside them
_POINTWISE = (dde.data.PDE, dde.data.TimePDE)  # residuals of an equation have a point each


@dataclass(frozen=True)
class _Piece:
    """Points that are evaluated together.

    Attributes:
        name: of the piece.
        kind: "all", "conditions" or "equations": which terms it has.
        arrays: points, targets and auxiliary values.
        numbers: of its rows `[r]`, among those of the model.
        terms: numbers of its terms.
    """

    name: str
    kind: str
    arrays: tuple[Any, Any, Any]
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
        super().refresh()
        self._pieces = []
        for own in self._of_pieces.values():
            own.forget()

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
                rows[piece.numbers] = self._scaled(piece, self._evaluated(piece)).detach()
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
            own = self._scaled(piece, self._evaluated(piece))
            if own.requires_grad:
                total += gradients_of(own, self.tensors, rows[piece.numbers])
        total[: self._decayed] += self._decay * rows[sum(self.sizes) :]
        return total

    def _scaled(self, piece: _Piece, vectors: Sequence[Tensor]) -> Tensor:
        scales = [self.scales[term] for term in piece.terms]
        return torch.cat([s * v.reshape(-1) for s, v in zip(scales, vectors, strict=True)])

    def _jacobian_of(self, piece: _Piece) -> RowBlocks:
        """Return what differentiates pieces of this kind and length."""
        if piece.kind == "all":
            return self._jacobian
        key = piece.kind, len(piece.numbers)
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

    def _evaluated(self, piece: _Piece) -> list[Tensor]:
        """Return the residuals of a piece's terms."""
        data = self.model.data
        if piece.kind == "all":
            return self.vectors()
        shown = {"bcs": [], "num_bcs": []} if piece.kind == "equations" else {"pde": None}
        with _with(data, **shown):
            terms = functools.partial(type(data).losses_train, data)  # past a stand-in for it
            return self._evaluate(piece.arrays, terms, piece.name)

    def _cut(self) -> list[_Piece]:
        """Return the pieces of the present points; one where they cannot be cut."""
        state, data = self.model.train_state, self.model.data
        device = self.tensors[0].device
        arrays = state.X_train, state.y_train, state.train_aux_vars
        every = torch.arange(sum(self.sizes), device=device)
        whole = [_Piece("", "all", arrays, every, range(len(self.sizes)))]
        stand_in = vars(data).get("losses_train")
        listened = getattr(stand_in, "point_weights", stand_in) is not None
        if not self._may_cut or listened or type(data) not in _POINTWISE or data.pde is None:
            return whole
        at_conditions, points = sum(data.num_bcs), len(state.X_train)
        equations = len(self.sizes) - len(data.bcs)
        inside = points - at_conditions
        if inside < 2 or any(size != inside for size in self.sizes[:equations]):
            return whole

        def piece(first: int, last: int) -> _Piece:
            starts = [term * inside - at_conditions for term in range(equations)]
            numbers = torch.cat([every[start + first : start + last] for start in starts])
            own = [_part(array, first, last) for array in arrays]
            return _Piece(f" {first}", "equations", tuple(own), numbers, range(equations))

        if not self._is_pointwise(piece, at_conditions, min(at_conditions + _POINTS, points)):
            return whole
        pieces = [
            piece(first, min(first + _POINTS, points))
            for first in range(at_conditions, points, _POINTS)
        ]
        if at_conditions:
            own = [_part(array, 0, at_conditions) for array in arrays]
            terms = range(equations, len(self.sizes))
            numbers = every[equations * inside :]
            pieces.append(_Piece(" conditions", "conditions", tuple(own), numbers, terms))
        return pieces

    def _is_pointwise(self, piece: Any, first: int, last: int) -> bool:
        """Return whether the residuals of a piece are those of its halves."""
        middle = (first + last) // 2
        with self._frozen():
            found = [
                [vector.detach() for vector in self._evaluated(piece(low, high))]
                for low, high in ((first, last), (first, middle), (middle, last))
            ]
        single = found[0][0].dtype == torch.float32
        for whole, one, other in zip(*found, strict=True):
            halves = torch.cat((one, other))
            size = whole.abs().max() * (1e-4 if single else 1e-10)
            if whole.shape != halves.shape or bool(((whole - halves).abs() > size).any()):
                return False
        return True

    @contextlib.contextmanager
    def _frozen(self) -> Iterator[None]:
        """Spare the part of the graph that leads to the parameters."""
        for tensor in self.tensors:
            tensor.requires_grad_(False)
        try:
            yield
        finally:
            for tensor in self.tensors:
                tensor.requires_grad_(True)


def _part(array: Any, first: int, last: int) -> Any:
    return None if array is None else array[first:last]


@contextlib.contextmanager
def _with(data: Any, **members: Any) -> Iterator[None]:
    """Let data have other members for a while."""
    before = {name: getattr(data, name) for name in members}
    try:
        for name, value in members.items():
            setattr(data, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(data, name, value)
