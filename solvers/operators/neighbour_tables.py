"""Weighted sums over the neighbours of each node: `(L u)_i = sum_j w_ij (u_j - u_i)`.

The layout is ELLPACK: slot s of node i holds its s-th neighbour and weight, padded by the node
itself with weight zero. The few nodes with many more neighbours than the rest have a separate table
(sliced ELLPACK), so that padding stays small. Up to `_SLOT_MAJOR` slots lie slot by slot, which
vectorises; more lie node by node, as a processor follows few streams of memory at a time. On an
accelerator they all lie slot by slot: its threads are nodes, and neighbours in memory are read
together.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

_SLOT_MAJOR = 6
# Below this many entries all slots are gathered at once, which takes fewer calls of torch.
SMALL = 200_000
_LONG_ROWS_FROM = 4096
_CHAINS = 4


@dataclass(frozen=True, eq=False)
class Pattern:
    """Who the neighbours are.

    Attributes:
        neighbours: [k, N] int32; of long rows the first k.
        slot: [N] int32, place of the node in the table of long rows, 0 for others; or None.
        rows: [R + 1] int32, the node of each long row; entry 0 stands for no row.
        long_neighbours: [K, R + 1] int32, all neighbours of long rows.
    """

    neighbours: Tensor
    slot: Tensor | None = None
    rows: Tensor | None = None
    long_neighbours: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Weights:
    """What the neighbours count.

    Attributes:
        main: [k, N], or [k, 1] where all nodes have the same.
        long: [K, R + 1] for long rows, or None.
        centre: None for differences to the node; [N] for plain sums less `centre * u`.
    """

    main: Tensor
    long: Tensor | None = None
    centre: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Entries:
    """The same as a list of edges `[E]`, sorted by target."""

    source: Tensor
    target: Tensor
    num_nodes: int

    @classmethod
    def sort(
        cls, source: Tensor, target: Tensor, num_nodes: int, *values: Tensor
    ) -> tuple[Any, ...]:
        """Sort edges by target, keeping the order of each node's edges, and values [E, …] along."""
        if bool((target[1:] < target[:-1]).any()):
            target, by_target = torch.sort(target, stable=True)
            source, values = source[by_target], tuple(v[by_target] for v in values)
        return (cls(source, target, num_nodes), *values)


class Layout:
    """Puts values of edges into their places in the tables."""

    def __init__(self, edges: Entries) -> None:
        self.edges = edges
        source, target, n = edges.source, edges.target, edges.num_nodes
        degree = torch.bincount(target, minlength=n)
        first = degree.cumsum(0) - degree
        slot = torch.arange(target.numel(), device=target.device) - first[target]
        longest = max(1, int(degree.max())) if n else 1
        self.width = _width(degree.cpu(), longest)
        self._in_main = slot < self.width if self.width < longest else None
        self._cell = self._main(slot * n + target)
        nodes = torch.arange(n, device=target.device, dtype=torch.int32)
        slots = {}
        if self._in_main is not None:
            long = (degree > self.width).nonzero().flatten()
            place = torch.zeros(n, dtype=torch.int64, device=target.device)
            place[long] = torch.arange(1, long.numel() + 1, device=target.device)
            rows = torch.cat([long.new_zeros(1), long])
            self._of_long = place[target] > 0
            self._long_cell = (slot * rows.numel() + place[target])[self._of_long]
            self._long_shape = longest, rows.numel()
            own = rows.to(torch.int32).expand(self._long_shape).reshape(-1).clone()
            own[self._long_cell] = source[self._of_long].to(torch.int32)
            slots = {
                "slot": place.to(torch.int32),
                "rows": rows.to(torch.int32),
                "long_neighbours": self._arrange_long(own.view(self._long_shape)),
            }
        table = nodes.expand(self.width, n).reshape(-1).clone()
        table[self._cell] = self._main(source).to(torch.int32)
        self.pattern = Pattern(arrange(table.view(self.width, n)), **slots)

    def _main(self, values: Tensor) -> Tensor:
        return values if self._in_main is None else values[self._in_main]

    def weights(self, values: Tensor, centre: Tensor | None = None) -> Weights:
        """Arrange one value per edge `[E]`."""
        n = self.edges.num_nodes
        main = values.new_zeros(self.width * n)
        main[self._cell] = self._main(values)
        main = main.view(self.width, n)
        if n > 1 and bool((main == main[:, :1]).all()):
            main = main[:, :1].clone()
        long = None
        if self._in_main is not None:
            long = values.new_zeros(self._long_shape).view(-1)
            long[self._long_cell] = values[self._of_long]
            long = self._arrange_long(long.view(self._long_shape))
        return Weights(arrange(main), long, centre)

    def _arrange_long(self, table: Tensor) -> Tensor:
        """Lay a table of long rows out like the main one."""
        large = self.width * self.edges.num_nodes > SMALL
        return node_major(table) if large else table


def _width(degree: Tensor, longest: int) -> int:
    """Number of slots of the main table that makes the sum of both tables' entries smallest."""
    if degree.numel() < _LONG_ROWS_FROM:
        return longest
    longer = degree.numel() - torch.bincount(degree, minlength=longest + 1).cumsum(0)
    width = torch.arange(longest + 1, device=degree.device)
    size = width * degree.numel() + 2 * longest * longer  # a long row is read twice, out of order
    best = max(1, int(size[1:].argmin()) + 1)
    return best if float(size[best]) < 0.9 * float(size[longest]) else longest


def arrange(table: Tensor) -> Tensor:
    """Give a table [k, N] the memory layout that is fastest for its size and device."""
    if table.device.type != "cpu":
        return table.contiguous()
    return table if table.numel() <= SMALL else node_major(table)


def node_major(table: Tensor) -> Tensor:
    """Lay a table [k, N] with many slots out node by node, as compiled steps on a CPU want it."""
    if table.shape[0] <= _SLOT_MAJOR or table.shape[1] == 1 or table.device.type != "cpu":
        return table
    # numpy asks the system for large pages where arrays are large, and torch does not: the sums of
    # 18 neighbours on a million nodes take a quarter less time, as addresses are looked up faster.
    slots, nodes = table.shape
    laid_out = torch.from_numpy(np.empty((nodes, slots), str(table.dtype).removeprefix("torch.")))
    return laid_out.copy_(table.t()).t()


def apply(field: Tensor, pattern: Pattern, weights: Weights) -> Tensor:
    """Weighted sums [N] of a field [N], in the order of the slots.

    The sum of a node does not depend on the padding, hence not on what it is batched with.

    Args:
        field: [N].
        pattern: The neighbours.
        weights: What they count.

    Returns:
        [N], in units of the field and the weights.
    """
    centre = weights.centre
    difference = centre is None
    main = _sum(field, pattern.neighbours, weights.main, field if difference else None)
    if pattern.slot is not None:
        assert pattern.long_neighbours is not None and weights.long is not None
        own = None if pattern.rows is None or not difference else _take(field, pattern.rows)
        if torch.compiler.is_compiling():
            # The slots that the main table has no place for: a choice between two sums would become
            # a branch around each, at half the speed.
            rest = slice(len(pattern.neighbours), None)
            long = _sum(field, pattern.long_neighbours[rest], weights.long[rest], own)
            # The view makes torch keep the sums instead of writing them into the loop over nodes.
            main = main + _take(long.as_strided(long.shape, (1,)), pattern.slot)
        else:
            long = _sum(field, pattern.long_neighbours, weights.long, own)
            main = torch.where(pattern.slot > 0, long[pattern.slot], main)
    return main if centre is None else main - centre * field


def _sum(field: Tensor, neighbours: Tensor, weights: Tensor, own: Tensor | None) -> Tensor:
    products: Iterable[Tensor]
    chains = 1
    if not torch.compiler.is_compiling() and neighbours.numel() <= SMALL:
        # index_select: its backward (index_add) is much faster than that of advanced indexing.
        values = field.index_select(0, neighbours.flatten()).view_as(neighbours)
        products = (weights * (values if own is None else values - own)).unbind(0)
    else:
        # One sum after the other would wait for each addition; the eager ones must not differ.
        chains = _CHAINS if torch.compiler.is_compiling() and len(neighbours) > _SLOT_MAJOR else 1
        products = (
            w * (_take(field, j) if own is None else _take(field, j) - own)
            for j, w in zip(neighbours.unbind(0), weights.unbind(0), strict=True)
        )
    # Not `sum(0)`: its order of additions may depend on the number of slots, hence on the batch.
    totals: list[Tensor] = []
    for i, product in enumerate(products):
        if i < chains:
            totals.append(product)
        else:
            totals[i % chains] = totals[i % chains] + product
    return functools.reduce(torch.add, totals)


def _flat(pattern: Pattern, weights: Weights) -> list[Tensor]:
    parts = [pattern.neighbours, weights.main, pattern.slot, pattern.rows, pattern.long_neighbours]
    return [part for part in (*parts, weights.long, weights.centre) if part is not None]


def _unflat(tensors: Sequence[Tensor]) -> tuple[Pattern, Weights]:
    neighbours, main, *rest = tensors
    centre = rest.pop() if len(rest) % 2 else None
    if not rest:
        return Pattern(neighbours), Weights(main, centre=centre)
    slot, rows, long_neighbours, long = rest
    return Pattern(neighbours, slot, rows, long_neighbours), Weights(main, long, centre)


def _take(field: Tensor, index: Tensor) -> Tensor:
    # Compiled, `gather` is spared the look for negative indices that `field[index]` costs.
    return field.gather(0, index.long()) if torch.compiler.is_compiling() else field[index]


class _Linear(torch.autograd.Function):
    """`apply`, whose derivative is `apply` with the tables of the transposed operator.

    Differentiating the gathers instead adds into memory entry by entry, which is slower by far.
    """

    @staticmethod
    def forward(field: Tensor, count: int, *tensors: Tensor) -> Tensor:
        return apply(field, *_unflat(tensors[:count]))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.count = inputs[1]
        ctx.save_for_backward(*inputs[2:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        return (apply(grad, *_unflat(tensors[ctx.count :])), None, *[None] * len(tensors))


class _LinearAnyTimes(_Linear):
    """The same, differentiable again, forwards and under `vmap`; `torch.compile` refuses it."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Linear.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*inputs[2:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        tensors, count = ctx.saved_tensors, ctx.count
        back = _LinearAnyTimes.apply(grad, len(tensors) - count, *tensors[count:], *tensors[:count])
        return (back, None, *[None] * len(tensors))

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *none: None) -> Tensor:
        return _LinearAnyTimes.apply(tangent, ctx.count, *ctx.saved_tensors)


def apply_with_adjoint(
    field: Tensor, forward: tuple[Pattern, Weights], adjoint: tuple[Pattern, Weights]
) -> Tensor:
    """Weighted sums [N] of a field [N] whose gradient is computed by the adjoint's tables."""
    tensors = _flat(*forward)
    function = _Linear if torch.compiler.is_compiling() else _LinearAnyTimes
    return function.apply(field, len(tensors), *tensors, *_flat(*adjoint))
