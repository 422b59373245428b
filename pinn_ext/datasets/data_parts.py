"""The data part of the constrained expression at the nodes of snapshots, computed once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pinn_ext.derivatives.precomputed import differentiate
from pinn_ext.networks.hard_conditions import HardConditions
from pinn_ext.systems import System

_ROWS = 8192  # that are differentiated at once, so that memory does not grow with the snapshots


def inputs_of(x: Tensor, t: Tensor) -> Tensor:
    """Return positions `[n, d]` and times, `[n]` or one for all, side by side `[n, d + 1]`."""
    return torch.cat((x, t.expand(len(x))[:, None]), dim=1)


def data_parts(system: System, x: Tensor, times: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield the data part and its derivatives at the same positions at each of some times.

    Many times are differentiated at once: a call of automatic differentiation costs more than the
    rows of one time.

    Args:
        system: gives the data.
        x: positions `[n, d]`.
        times: `[T]`.

    Yields:
        Value `[n, 2]`, slope `[n, 2, d + 1]` and hessian `[n, 2, d + 1, d + 1]`, see
        `pinn_ext.derivatives.precomputed.Precomputed`.

    Example:
        >>> from pinn_ext import systems
        >>> x = torch.tensor([[0.5, 1.0]], dtype=torch.float64)
        >>> some = data_parts(systems.create("brusselator"), x, torch.tensor([0.0, 0.5]))
        >>> [tuple(value.shape) for value, _, _ in some]
        [(1, 2), (1, 2)]
    """
    hard = HardConditions(system)
    for some in times.split(max(1, _ROWS // len(x))):
        own = differentiate(hard.data_part, torch.cat([inputs_of(x, time) for time in some]))
        parts = (part.split(len(x)) for part in (own.value, own.slope, own.hessian))
        yield from zip(*parts, strict=True)
