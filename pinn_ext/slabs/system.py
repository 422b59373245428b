"""A coupled system on a slab of its time interval, with a clock that begins at 0 there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from pinn_ext.systems import System
from pinn_ext.systems.system import Derivatives
from solvers.rk4.semidiscrete import takes_place

Start = Callable[[Tensor], Tensor]
"""Positions `[N, dimension]` to the fields u and v at the start of a slab, `[N, 2]`."""


class SlabSystem(System):
    """A system from one time to another, which are 0 and `final_time` for whoever uses it.

    Equation, boundary data and solution are those of the whole system at the time that is meant.
    It never changes: copies of what holds it share it.

    Args:
        whole: the system over all times.
        begin: time at which the slab starts, dimensionless.
        length: of the slab.
        start: the fields there; None for those of the whole system, at t = 0.

    Attributes:
        whole: as given.
        begin: as given.
    """

    def __init__(
        self, whole: System, begin: float, length: float, start: Start | None = None
    ) -> None:
        self.whole, self.begin, self._start = whole, begin, start
        self.final_time = length
        # What classes have is, here, that of what this is a part of.
        self.name, self.cases = whole.name, whole.cases  # type: ignore[misc]
        self.boundaries = whole.boundaries  # type: ignore[misc]
        self.without_exact = whole.without_exact  # type: ignore[misc]
        self.default_nodes = whole.default_nodes  # type: ignore[misc]
        self.constants = whole.constants  # type: ignore[misc]
        self.lower, self.upper = whole.lower, whole.upper
        self.boundary, self.case, self.notes = whole.boundary, whole.case, whole.notes
        self._geometry, self._groups = whole._geometry, whole._groups
        self.starts_anew = start is not None

    def __copy__(self) -> SlabSystem:
        """Return the system itself."""
        return self

    def __deepcopy__(self, memo: Any) -> SlabSystem:
        """Return the system itself: with a network, its start would be copied as well."""
        return self

    @property
    def title(self) -> str:
        """What a picture of it is called."""
        return self.whole.title

    @property
    def sides(self) -> Sequence[tuple[str, str]]:
        """Kind of the lower and the upper side of the box along each axis."""
        return self.whole.sides

    def gives_values(self, x: Tensor) -> Tensor:
        """Return at which points of the boundary `[N, dimension]` the fields are given, `[N]`."""
        return self.whole.gives_values(x)

    @property
    def has_slopes(self) -> bool:
        """Whether slopes other than 0 are given on a part of the boundary."""
        return self.whole.has_slopes

    def slopes(self, x: Tensor, normals: Tensor, t: Tensor) -> Tensor:
        """Return the slopes `[N, 2]` along the outward normals where they are given."""
        return self.whole.slopes(x, normals, t + self.begin)

    @property
    def needs_soft(self) -> str:
        """Why conditions cannot be built into a network; empty if they can."""
        return self.whole.needs_soft

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return the rates `[N]` of the whole system, which do not depend on time."""
        return self.whole.rhs(u, v, d)

    @property
    def has_exact(self) -> bool:
        """Whether the solution is known in closed form."""
        return self.whole.has_exact

    @property
    def has_solution(self) -> bool:
        """Whether the solution is known at all."""
        return self.whole.has_solution

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the exact u and v `[N, 2]`."""
        return self.whole.exact(x, t + self.begin)

    def solution(self, x: Tensor, t: Tensor) -> Tensor:
        """Return what errors are measured against `[N, 2]`."""
        return self.whole.solution(x, t + self.begin)

    def data(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the boundary data `[N, 2]`, in a slab without a start the initial data too."""
        return self.whole.data(x, t + self.begin)

    def at_start(self, x: Tensor) -> Tensor:
        """Return the fields `[N, 2]` where the slab starts."""
        return super().at_start(x) if self._start is None else self._start(x)

    def field_scales(self, per_axis: int = 33) -> tuple[float, float]:
        """Return the size of each field over all times, so that slabs have the same units."""
        return self.whole.field_scales(per_axis)


class DrivenSlabSystem(SlabSystem):
    """The same where the equation asks for position and time."""

    def rhs(  # type: ignore[override]
        self, u: Tensor, v: Tensor, d: Derivatives, x: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the rates `[N]` of the whole system at the time that is meant."""
        return self.whole.rhs(u, v, d, x, t + self.begin)


def slab_of(whole: System, number: int, count: int, start: Start | None = None) -> SlabSystem:
    """Return one of several equal slabs of a system's time interval.

    Args:
        whole: the system over all times.
        number: of the slab, from 1.
        count: how many there are.
        start: fields where the former slab ends, None for the first one.

    Returns:
        The system on it.

    >>> from pinn_ext import systems
    >>> slab = slab_of(systems.create("brusselator"), 2, 4)
    >>> slab.begin, slab.final_time
    (0.25, 0.25)
    """
    length = whole.final_time / count
    return _part(whole, (number - 1) * length, length, start)


def until(whole: System, number: int, count: int) -> System:
    """Return a system from its start to the end of a slab.

    Args:
        whole: the system over all times.
        number: of the slab, from 1.
        count: how many there are.

    Returns:
        `whole` itself at the last slab.
    """
    return whole if number == count else _part(whole, 0.0, number * (whole.final_time / count))


def _part(whole: System, begin: float, length: float, start: Start | None = None) -> SlabSystem:
    driven = takes_place(whole.rhs)
    return (DrivenSlabSystem if driven else SlabSystem)(whole, begin, length, start)
