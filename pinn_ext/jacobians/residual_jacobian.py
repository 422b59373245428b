"""The Jacobian of residual rows with respect to parameters, by the cheapest correct method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from pinn_ext.jacobians.backward_passes import backward_passes
from pinn_ext.jacobians.linear_layers import LinearTape, Use
from pinn_ext.jacobians.sample_maps import TermMap, find_map
from solvers.devices import is_out_of_memory

_FEW_NUMBERS = 32  # of parameters outside of linear layers, each of which costs a pass

Terms = Callable[[], list[Tensor]]
Shape = tuple[tuple[int, ...], ...]


class RowJacobian:
    """Jacobian of the residual vectors of several terms.

    Networks made of linear layers need one backward pass a term (`linear_layers`); numbers
    that enter elsewhere, such as the unknown coefficients of an inverse problem, need two
    passes each. Where rows share samples, as on a graph, a pass a row of each independent block is
    needed. Any other network falls back to a pass a row. The cheap methods are checked once
    against plain automatic differentiation, again after `forget`.

    Args:
        terms: evaluates the residual vectors, `[n]` or `[n, c]` each, at the present parameters.
        parameters: of the network, leaves that require gradients.
        variables: further leaves.
        blocks: into how many equal parts, which share no sample, the rows of each term can be cut.

    Attributes:
        num_parameters: number of columns, network parameters first.
        fallback: why rows take a backward pass each, None where they do not.
    """

    def __init__(
        self,
        terms: Terms,
        parameters: Sequence[Tensor],
        variables: Sequence[Tensor] = (),
        blocks: int = 1,
    ) -> None:
        self._terms, self._blocks = terms, blocks
        self._leaves = [*parameters, *variables]
        self._network = len(parameters)
        sizes = [leaf.numel() for leaf in self._leaves]
        self._starts = [sum(sizes[:i]) for i in range(len(sizes))]
        self.num_parameters = sum(sizes)
        self.fallback: str | None = None
        self._maps: list[TermMap | None] = []
        self._checked: tuple[object, ...] | None = None

    def forget(self) -> None:
        """Find out again which samples each row depends on, as the points have changed."""
        self._checked, self.fallback = None, None

    def __call__(self, scales: Sequence[float], out: Tensor) -> list[Tensor]:
        """Write the Jacobian of the scaled rows.

        Args:
            scales: factor of the rows of each term.
            out: `[m, num_parameters]`, m the number of rows of all terms; overwritten.

        Returns:
            The residual vectors, flat and not scaled, without gradients.
        """
        if self.fallback is None:
            vectors = self._by_samples(scales, out)
            if vectors is not None:
                return vectors
        return self._by_rows(scales, out)

    # ---- networks made of linear layers -------------------------------------------------------

    def _follow(self) -> tuple[LinearTape, list[Tensor]] | None:
        """Evaluate the terms with an eye on the network; None, and `fallback`, if that fails."""
        tape = LinearTape(self._leaves[: self._network])
        try:
            with tape:
                vectors = self._terms()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            plain = self._terms()  # raises if it is the user's own error
            del plain
            self.fallback = f"the network cannot be followed ({str(error).splitlines()[0]})"
            return None
        return tape, vectors

    def _find_maps(
        self, tape: LinearTape, columns: Sequence[tuple[Tensor, Tensor]], shape: Shape
    ) -> bool:
        """Find which samples each row depends on, unless that is known for rows of this shape."""
        if self._checked == shape:
            return True
        if sum(self._leaves[i].numel() for i in tape.foreign) > _FEW_NUMBERS:
            self.fallback = "the network is not made of linear layers"
            return False
        self._maps = [
            find_map(tape, column, self._blocks) if column.requires_grad else None
            for column, _ in columns
        ]
        return True

    def _by_samples(self, scales: Sequence[float], out: Tensor) -> list[Tensor] | None:
        followed = self._follow()
        if followed is None:
            return None
        tape, vectors = followed
        columns = columns_of(vectors, out)
        shape = shape_of(tape, columns)
        if not self._find_maps(tape, columns, shape):
            return None
        out.zero_()
        doubts: list[Tensor] = []
        for (column, rows), scale, term_map in zip(
            columns, spread(scales, vectors), self._maps, strict=True
        ):
            if column.requires_grad and not self._write(
                tape, column, scale, rows, term_map, doubts
            ):
                return self._retry(scales, out)
        if doubts and bool(torch.stack(doubts).any()):  # read once: each time waits for a device
            return self._retry(scales, out)
        if self._checked != shape:
            if not self._agrees(scales, out):
                self.fallback = "its layers are used in a way that cannot be followed"
                return None
            self._checked = shape
        return [vector.detach().reshape(-1) for vector in vectors]

    def _retry(self, scales: Sequence[float], out: Tensor) -> list[Tensor] | None:
        """Start again with new maps: a sample matters that did not when they were made."""
        if self._checked is None:
            self.fallback = "its samples cannot be told apart"
            return None
        self._checked = None
        return self._by_samples(scales, out)

    def _write(
        self,
        tape: LinearTape,
        column: Tensor,
        scale: float,
        rows: Tensor,
        found: TermMap | None,
        doubts: list[Tensor],
    ) -> bool:
        """Write the rows of one column of a term; False, or a true doubt, if its map fails."""
        # A pass sums over all rows that it seeds, so rows that share a sample cannot be seeded
        # together: the j-th row of each group goes into pass j, one pass where each row is a group.
        # Maps were found at other parameters; a sample without effect then may have one now.
        if found is None:
            return False
        per_group = len(column) // found.groups
        for j in range(per_group):
            uses = seeded_pass(tape, column, scale, j, per_group)
            own = doubts_of(uses, found)
            if own is None:
                return False
            doubts += own
            self._outer_products(uses, found, rows[j::per_group])
        for number, values in self._single_numbers(tape, column, scale):
            rows[:, number] = values
        return True

    def _outer_products(
        self, uses: list[Use], found: TermMap, rows: Tensor, first: int = 0
    ) -> None:
        """Write `sum of delta factor^T` for each weight matrix, `sum of delta` for its bias.

        The rows are those of the groups of samples from number `first` on.
        """
        last = first + len(rows)
        layers: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        biases: dict[int, list[Tensor]] = {}
        for use in uses:
            if found.calls[use.call].index.shape[1] == 0:
                continue
            deltas, factors = layers.setdefault(use.weight, ([], []))
            gathered = found.calls[use.call].gather(use.delta, first, last)
            deltas += gathered
            factors += found.calls[use.call].gather(use.factor, first, last)
            if use.bias is not None:
                biases.setdefault(use.bias, []).extend(gathered)
        for number, (deltas, factors) in layers.items():
            block = torch.bmm(torch.cat(deltas, dim=1).transpose(1, 2), torch.cat(factors, dim=1))
            self._block(rows, number).copy_(block.flatten(1))
        for number, parts in biases.items():
            self._block(rows, number).copy_(torch.cat(parts, dim=1).sum(dim=1))

    def _block(self, rows: Tensor, number: int) -> Tensor:
        start = self._starts[number]
        return rows[:, start : start + self._leaves[number].numel()]

    def _single_numbers(
        self, tape: LinearTape, column: Tensor, scale: float
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield columns `[n]` of variables, and of parameters outside of linear layers.

        The gradient with respect to a number is linear in what the rows are multiplied with; the
        derivative with respect to those multipliers is the column of the Jacobian.
        """
        numbers = [*sorted(tape.foreign), *range(self._network, len(self._leaves))]
        if not numbers:
            return
        multiplier = torch.full_like(column, scale).requires_grad_()
        gradients = torch.autograd.grad(
            column,
            [self._leaves[i] for i in numbers],
            multiplier,
            create_graph=True,
            allow_unused=True,
        )
        for number, gradient in zip(numbers, gradients, strict=True):
            if gradient is None or not gradient.requires_grad:
                continue
            for k, entry in enumerate(gradient.reshape(-1), self._starts[number]):
                (derivative,) = torch.autograd.grad(
                    entry, multiplier, retain_graph=True, allow_unused=True
                )
                if derivative is not None:
                    yield k, scale * derivative

    def _agrees(self, scales: Sequence[float], jacobian: Tensor) -> bool:
        """Compare a random combination of the rows with its plain gradient."""
        mix = mix_of(len(jacobian), jacobian)
        return self._is_gradient(scales, mix, jacobian.T @ mix, jacobian.norm())

    def _is_gradient(
        self, scales: Sequence[float], mix: Tensor, found: Tensor, norm: Tensor
    ) -> bool:
        """Return whether a combination `[P]` of rows is its plain gradient."""
        vectors = self._terms()
        rows = torch.cat([s * v.reshape(-1) for s, v in zip(scales, vectors, strict=True)])
        if not rows.requires_grad:
            return True
        wanted = _flat(
            torch.autograd.grad(rows, self._leaves, mix, allow_unused=True), self._leaves
        )
        tolerance = 1e-7 if mix.dtype == torch.float64 else 1e-2
        return bool((found - wanted).norm() <= tolerance * (norm * mix.abs().max()))

    # ---- any other network --------------------------------------------------------------------

    def _by_rows(self, scales: Sequence[float], out: Tensor) -> list[Tensor]:
        vectors = self._terms()
        start = 0
        for scale, vector in zip(scales, vectors, strict=True):
            rows = out[start : start + vector.numel()]
            start += vector.numel()
            if vector.requires_grad:
                backward_passes(vector.reshape(-1), self._leaves, scale, rows)
            else:
                rows.zero_()
        return [vector.detach().reshape(-1) for vector in vectors]


def shape_of(tape: LinearTape, columns: Sequence[tuple[Tensor, Tensor]]) -> Shape:
    """Return what must be the same for maps of samples to serve again."""
    return tuple(tape.calls), tuple(len(rows) for _, rows in columns), tuple(tape.foreign)


def seeded_pass(
    tape: LinearTape, column: Tensor, scale: float, first: int, every: int
) -> list[Use]:
    """Return what a backward pass from each `every`-th row leaves behind, from row `first` on."""
    seed = torch.zeros_like(column)
    seed[first::every] = scale
    return tape.backward(column, seed)


def doubts_of(uses: Sequence[Use], found: TermMap) -> list[Tensor] | None:
    """Return truth values `[]`, true where a map does not fit; None where it cannot."""
    if any(use.call not in found.calls for use in uses):
        return None
    return [
        found.calls[use.call].touches_absent(use.seeded)
        for use in uses
        if len(found.calls[use.call].absent)
    ]


def mix_of(num_rows: int, like: Tensor) -> Tensor:
    """Return the numbers `[m]` by which rows are combined to be compared."""
    generator = torch.Generator("cpu").manual_seed(1)
    mix = torch.rand(num_rows, generator=generator, dtype=like.dtype, device="cpu")
    return mix.to(like.device)


def columns_of(vectors: Sequence[Tensor], out: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return each column `[n]` of each term with the rows of `out` `[n, P]` that belong to it."""
    columns, start = [], 0
    for vector in vectors:
        flat = vector.reshape(len(vector), -1)
        rows = out[start : start + vector.numel()]
        start += vector.numel()
        width = flat.shape[1]
        columns += [(flat[:, k], rows[k::width]) for k in range(width)]
    return columns


def spread(scales: Sequence[float], vectors: Sequence[Tensor]) -> list[float]:
    """Return the factor of each column of each term."""
    return [
        scale
        for scale, vector in zip(scales, vectors, strict=True)
        for _ in range(vector.numel() // max(len(vector), 1))
    ]


def _flat(gradients: Sequence[Tensor | None], leaves: Sequence[Tensor]) -> Tensor:
    """Return gradients of several leaves as one vector, zero where there is none."""
    parts = [
        torch.zeros_like(leaf) if gradient is None else gradient
        for gradient, leaf in zip(gradients, leaves, strict=True)
    ]
    return torch.cat([part.reshape(-1) for part in parts])
