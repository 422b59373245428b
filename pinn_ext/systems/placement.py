"""A system elsewhere: on another domain than its own, or from another initial state."""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.systems.domains import Geometry
from pinn_ext.systems.system import System

_NEAR = 1e-6  # of a side, within which a point lies on the boundary
_Any = TypeVar("_Any", bound=System)


def on_domain(system: _Any, domain: Geometry, dirichlet: str | Sequence[str] | None = None) -> _Any:
    """Return a system on a domain of any shape, whose box becomes its own.

    What was given on the boundary is given on the new one. Groups of it that are left out are free
    of flux; of a system with an exact solution they have its slopes, so that it stays the solution.

    Args:
        system: in as many dimensions, not periodic.
        domain: such as a `pinn_ext.datasets.meshes.MeshDomain`.
        dirichlet: name of the group of its boundary whose values are given, or a list of such; None
            is all of the boundary, an empty list nothing of it.

    Returns:
        A copy; the system itself stays as it is.

    Raises:
        ArgumentError: if the system cannot leave its box, or there is no such group.

    Example:
        >>> from pinn_ext import systems
        >>> disk = systems.create("brusselator", geometry="disk").geometry
        >>> moved = on_domain(systems.create("brusselator", side=5.0), disk)
        >>> moved.upper, moved.on_box
        ((2.0, 2.0), False)
    """
    stays = _why_on_its_box(system, domain)
    if stays:
        wanted = f"leave {system.name}, which {stays}, on its box"
        raise ArgumentError("domain", wanted, repr(domain.name))
    groups = (dirichlet,) if isinstance(dirichlet, str) else dirichlet
    other = copy.copy(system)
    try:
        other._put_on(domain, None if groups is None else tuple(groups))
    except ArgumentError as error:
        raise error.renamed("dirichlet") if error.name == "group" else error from None
    other.notes = tuple(dict.fromkeys((*system.notes, *domain.notes)))
    return other


def _why_on_its_box(system: System, domain: Geometry) -> str:
    """Return why a system cannot be on a domain, empty if it can."""
    if len(domain.lower) != system.dimension:
        return f"has {system.dimension} space dimension" + "s" * (system.dimension > 1)
    if not system.periodic_axes:
        return ""
    legal = system.boundaries if system.case is None else system.cases[system.case]
    return "is periodic" + " (boundary=dirichlet is legal too)" * ("dirichlet" in legal)


def starting_from(
    system: _Any, start: Callable[[Tensor], Tensor], label: str = "another one"
) -> _Any:
    """Return a system whose initial state is another one, so that its solution is not known.

    Boundary data stay as they are.

    Args:
        system: the coupled system.
        start: positions `[N, dimension]` to u and v at t = 0, `[N, 2]`.
        label: what the state is called in messages.

    Returns:
        A copy, with soft conditions only: they need no derivatives of the state.

    Example:
        >>> from pinn_ext import systems
        >>> bump = starting_from(systems.create("brusselator"), lambda x: torch.exp(-x.square()))
        >>> bump.at_start(torch.zeros(1, 2)).tolist(), bump.has_exact
        ([[1.0, 1.0]], False)
    """
    other: Any = copy.copy(system)
    other.__class__ = _started(type(system))
    other.start = start
    if system.has_solution:
        other.notes = (
            *system.notes,
            f"The initial state is {label}: the known solution of {system.name}, which starts from "
            "another one, is not compared with.",
        )
    return other


class OtherStart(System):
    """What a system becomes that starts from another state; see `starting_from`.

    Attributes:
        start: positions `[N, dimension]` to u and v at t = 0, `[N, 2]`.
    """

    start: Callable[[Tensor], Tensor]

    @property
    def has_exact(self) -> bool:
        """Whether the solution is known in closed form: no."""
        return False

    @property
    def has_solution(self) -> bool:
        """Whether the solution is known at all: no."""
        return False

    def solution(self, x: Tensor, t: Tensor) -> Tensor:
        """Refuse to say what is not known.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"The solution of {self.name} from this initial state is not known.")

    @property
    def needs_soft(self) -> str:
        """Why conditions cannot be built into a network."""
        return super().needs_soft or "where the initial state is not known with its derivatives"

    def data(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the values given on the boundary, and elsewhere the initial state `[N, 2]`."""
        start = self.start(x)
        if self.periodic:
            return start
        return torch.where(self.holds_at(x)[:, None], super().data(x, t), start)

    def holds_at(self, x: Tensor) -> Tensor:
        """Return which points `[N, dimension]` are on the boundary with given values, `[N]`."""
        near = self.geometry.depth(x) <= _NEAR * self.geometry.side
        return near & self.gives_values(x)


@functools.cache
def _started(cls: type[System]) -> type[System]:
    """Return a kind of system with what `OtherStart` changes of it."""
    if issubclass(cls, OtherStart):
        return cls
    return types.new_class(cls.__name__, (OtherStart, cls))
