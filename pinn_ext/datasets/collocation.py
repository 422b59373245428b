"""Points that are no graph: a Sobol sequence in the domain, on its initial slice and boundary."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pinn_ext.checks import check_choice, check_number
from pinn_ext.choices import CONDITIONS
from pinn_ext.datasets.snapshots import SnapshotBatch, outputs_of
from pinn_ext.derivatives.precomputed import Precomputed, differentiate
from pinn_ext.networks.hard_conditions import HardConditions
from pinn_ext.systems import System
from pinn_ext.systems.boundary import MIXED

CONDITION_SHARE = 4
"""Interior points for each initial point, and for each boundary point, of soft conditions."""


@dataclass(frozen=True)
class PointBatch:
    """Points to measure the loss terms of a system on, which `PhysicsLoss` takes like graphs.

    Attributes:
        inputs: positions and times `[N, dimension + 1]` for the equation.
        initial: positions `[M, dimension]` for the initial data.
        sides: for Dirichlet data one tensor of positions and times `[B, dimension + 1]` on the
            boundary; on a periodic box one for each axis, on its lower side; of a mixed boundary
            both, the axes last.
        precomputed: data part of the constrained expression at the inputs, None for soft
            conditions.
        graphs: where the Runge-Kutta terms, if there are any, take their step.
        sloped: positions and times `[B, dimension + 1]` where slopes are given, and the outward
            normals there `[B, dimension]`; None where there are none.
    """

    inputs: Tensor
    initial: Tensor
    sides: tuple[Tensor, ...]
    precomputed: Precomputed | None = None
    graphs: SnapshotBatch | None = None
    sloped: tuple[Tensor, Tensor] | None = None

    def outputs(self, network: Callable[..., Tensor]) -> Tensor:
        """Return a network's fields `[N, 2]` at the inputs, from `precomputed` if it can use it."""
        return outputs_of(network, self.inputs, self.precomputed)

    def on_boundary(self, network: Callable[..., Tensor], outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return boundary points and times `[B, dimension + 1]` and the outputs `[B, 2]` there.

        Args:
            network: called at these points.
            outputs: of the network at the inputs, of which none lies there.
        """
        at = self.sides[0]
        return at, network(at) if len(at) else at[:, :2]

    def with_slopes(self) -> tuple[Tensor, Tensor]:
        """Return points and times where slopes are given, and the outward normals there."""
        none = self.initial[:0]
        return (torch.cat((none, none[:, :1]), dim=1), none) if self.sloped is None else self.sloped

    def lower_sides(self) -> list[Tensor]:
        """Return, for each axis, points `[B, dimension + 1]` on its lower side."""
        return list(self.sides[-self.initial.shape[1] :])

    def detached(self) -> PointBatch:
        """Return the points with fresh inputs, for a step that asks for their gradients."""
        return replace(self, inputs=self.inputs.detach().clone())


def collocation_points(
    system: System,
    count: int,
    conditions: str = "hard",
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> PointBatch:
    """Draw points for the equation and, for soft conditions, for initial and boundary data.

    Soft conditions get a quarter as many initial points as there are interior ones, and as many
    on the boundary (on a periodic box divided among the axes), each at least 4; hard ones none.
    Boundary points are picked from a regular set of `geometry.boundary_samples` at least four
    times as large, so that sides count by their length.

    Args:
        system: gives domain, time interval and data.
        count: interior points N.
        conditions: `"hard"` or `"soft"`.
        seed: of the scrambling; the same seed gives the same points.
        device: where they are to lie.
        dtype: floating-point type; None takes torch's default.

    Returns:
        The points, without graphs.

    Raises:
        ValueError: if an argument is out of range, or conditions are hard on another domain than
            the box.

    >>> from pinn_ext import systems
    >>> points = collocation_points(systems.create("brusselator"), 400, "soft")
    >>> [len(part) for part in (points.inputs, points.initial, *points.sides)]
    [400, 100, 100]
    """
    check_number("count", count, 1, integer=True)
    check_choice("conditions", conditions, CONDITIONS)
    dtype = dtype or torch.get_default_dtype()
    inputs, precomputed, sloped = sobol_points(system, count, seed), None, None
    if conditions == "hard":
        precomputed = differentiate(HardConditions(system).data_part, inputs).to(device, dtype)
        initial, sides = inputs[:0, :-1], [inputs[:0]] * (system.dimension * system.periodic or 1)
    else:
        some = max(4, count // CONDITION_SHARE)
        initial = sobol_points(system, some, seed + 1)[:, :-1]
        sides, sloped = _on_boundary(system, some, seed + 2)
    return PointBatch(
        inputs=inputs.to(device, dtype),
        initial=initial.to(device, dtype),
        sides=tuple(side.to(device, dtype) for side in sides),
        precomputed=precomputed,
        sloped=sloped and (sloped[0].to(device, dtype), sloped[1].to(device, dtype)),
    )


def _on_boundary(
    system: System, count: int, seed: int
) -> tuple[list[Tensor], tuple[Tensor, Tensor] | None]:
    """Return `sides` and `sloped` of a batch with soft conditions."""
    if system.periodic:
        return _lower_sides(system, count, seed), None
    points = _boundary_points(system, count, seed)
    if system.boundary != MIXED:
        return [points], None
    axes = system.periodic_axes
    for axis in axes:  # of whose sides no values and no slopes are given
        ends = points.new_tensor((system.lower[axis], system.upper[axis]))
        points = points[~(points[:, axis : axis + 1] == ends).any(dim=1)]
    given = system.gives_values(points[:, :-1])
    sloped = points[~given]
    lower = _lower_sides(system, count, seed + 1) if axes else [points[:0]] * system.dimension
    return [points[given], *lower], (sloped, system.geometry.normals(sloped[:, :-1]))


def sobol_points(system: System, count: int, seed: int) -> Tensor:
    """Return the first points of a scrambled Sobol sequence that lie in a system's domain.

    Args:
        system: gives domain and time interval.
        count: number of points.
        seed: of the scrambling.

    Returns:
        Positions and times `[count, dimension + 1]`, float64 on the CPU.
    """
    sobol = _sobol(system.dimension + 1, seed)
    low = torch.tensor([*system.lower, 0.0], dtype=torch.float64, device="cpu")
    high = torch.tensor([*system.upper, system.final_time], dtype=torch.float64, device="cpu")
    points = low.new_empty(0, len(low))
    while len(points) < count:
        unit = sobol.draw(count, dtype=torch.float64).to("cpu")
        drawn = low + unit * (high - low)
        points = torch.cat((points, drawn[system.geometry.contains(drawn[:, :-1])]))
    return points[:count]


def _sobol(dimension: int, seed: int) -> torch.quasirandom.SobolEngine:
    """Return a scrambled sequence whose first point does not depend on the default float type."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # in which the engine keeps that point
    try:
        return torch.quasirandom.SobolEngine(dimension, scramble=True, seed=seed)
    finally:
        torch.set_default_dtype(default)


def _boundary_points(system: System, count: int, seed: int) -> Tensor:
    """Return positions and times `[count, dimension + 1]` on the boundary of the domain."""
    per_axis = 2
    if system.dimension > 1:
        per_axis += math.ceil((4 * count) ** (1.0 / (system.dimension - 1)))
    places = system.geometry.boundary_samples(per_axis)
    sobol = _sobol(2, seed)
    place, time = sobol.draw(count, dtype=torch.float64).to("cpu").unbind(dim=1)
    x = places[(place * len(places)).long()]
    return torch.cat((x, time[:, None] * system.final_time), dim=1)


def _lower_sides(system: System, count: int, seed: int) -> list[Tensor]:
    """Return, for each axis, positions and times `[., dimension + 1]` on its lower side."""
    sides = []
    for axis, low in enumerate(system.lower):
        side = sobol_points(system, max(1, count // system.dimension), seed + axis)
        side[:, axis] = low
        sides.append(side)
    return sides
