"""The compiled sums as operations of torch: traced, and differentiated by the adjoint's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .library import library

if TYPE_CHECKING:
    from ..operators.neighbour_tables import Pattern, Weights


@torch.library.custom_op("pinn_ext_solvers::paired_sums", mutates_args=(), device_types="cpu")
def paired_sums(fields: Tensor, tables: list[Tensor], centred: bool) -> tuple[Tensor, Tensor]:
    """Weighted sums of both fields, see `Library`.

    Args:
        fields: [N, 2].
        tables: Neighbours and weights [N, k], then the three of long rows if there are any, then
            the centre if `centred`.
        centred: Whether there is a centre.

    Returns:
        Two fields [N].
    """
    neighbours, weights, *rest = tables
    centre = rest.pop() if centred else None
    compiled = library()
    assert compiled is not None  # whoever asks for these sums has looked
    return compiled(fields.contiguous(), neighbours, weights, rest, centre)


@paired_sums.register_fake
def _(fields: Tensor, tables: list[Tensor], centred: bool) -> tuple[Tensor, Tensor]:
    return fields.new_empty(len(fields)), fields.new_empty(len(fields))


def flat(pattern: Pattern, weights: Weights) -> list[Tensor]:
    """The tables as `paired_sums` takes them."""
    tables = [pattern.neighbours.t(), weights.main.t()]
    if pattern.slot is not None:
        assert pattern.rows is not None and pattern.long_neighbours is not None
        assert weights.long is not None
        tables += [pattern.rows, pattern.long_neighbours, weights.long]
    return tables if weights.centre is None else [*tables, weights.centre]


class _Linear(torch.autograd.Function):
    """Both sums, whose derivative is the same with the tables of the transposed operator."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, v: Tensor, count: int, centred: bool, back: bool, *tensors: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.count, ctx.back = count, back
        ctx.save_for_backward(*tensors[count:])
        return paired_sums(torch.stack((u, v), 1), list(tensors[:count]), centred)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        first, second = paired_sums(torch.stack(grads, 1), list(tensors), ctx.back)
        return (first, second, *[None] * (3 + ctx.count + len(tensors)))


def apply_pair(
    u: Tensor,
    v: Tensor,
    forward: tuple[Pattern, Weights],
    adjoint: tuple[Pattern, Weights] | None = None,
) -> tuple[Tensor, Tensor]:
    """Weighted sums [N] of two fields [N], as `operators.neighbour_tables.apply` makes them of one.

    Args:
        u: [N].
        v: [N].
        forward: The tables.
        adjoint: Those of the transposed operator, which gradients are computed by; None for fields
            without gradients.

    Returns:
        Two fields [N].
    """
    tables, centred = flat(*forward), forward[1].centre is not None
    if adjoint is None:
        return paired_sums(torch.stack((u, v), 1), tables, centred)
    back = adjoint[1].centre is not None
    return _Linear.apply(u, v, len(tables), centred, back, *tables, *flat(*adjoint))
