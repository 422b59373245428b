"""What a coupled system of two fields u and v is: equation, domain, data, exact solution."""

from __future__ import annotations

import copy
import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pinn_ext import references
from pinn_ext.checks import ArgumentError, check_choice
from pinn_ext.systems import domains
from pinn_ext.systems.boundary import MIXED, PERIODIC, normal_slopes
from pinn_ext.systems.derivatives import Derivatives as Derivatives  # systems take it from here
from solvers.rk4.semidiscrete import takes_place

FIELDS = ("u", "v")


class System(ABC):
    """A coupled system `du/dt, dv/dt = rhs(u, v)` on a domain, for times in `[0, final_time]`.

    The domain is the system's box, or the one in it that `on` was asked for.
    All quantities are dimensionless. The equation stands in `rhs` alone: the residual of the
    network and the Runge-Kutta step on a graph call it with different derivatives.

    Attributes:
        name: the name users write.
        boundaries: kinds of boundary it can have, the default first; see `cases` for several cases.
        cases: kinds of boundary by name of each problem that is posed with the equation, the
            default first; empty where there is one problem.
        without_exact: those of the cases whose solution is known by a reference only.
        default_nodes: nodes along each side of a snapshot graph, unless the user says otherwise.
        lower, upper: smallest and largest coordinate along each axis.
        final_time: end of the time interval.
        boundary: `"dirichlet"`, `"periodic"`, or `"mixed"` where sides differ or slopes are given.
        case: one of `cases`, None where there are none.
        notes: what a user should know of it, a sentence each.
        constants: numbers in `rhs` that may be others, see `pinn_ext.systems.constants`.

    Example:
        >>> from pinn_ext import systems
        >>> system = systems.create("linear_reaction_diffusion")
        >>> x, t = torch.tensor([[0.5]]), torch.tensor([0.0])
        >>> torch.equal(system.data(x, t), system.exact(x, t))
        True
        >>> [round(scale, 3) for scale in system.field_scales()]
        [1.435, 0.007]
        >>> system.title, system.dimension, system.sides, system.periodic, system.periodic_axes
        ('linear_reaction_diffusion', 1, [('periodic', 'periodic')], True, [0])
        >>> system.on_box, system.has_exact, system.has_solution, system.has_slopes
        (True, True, True, False)
        >>> torch.equal(system.solution(x, t), system.at_start(x))
        True
        >>> system.gives_values(x), system.slopes(x, torch.ones_like(x), t)
        (tensor([False]), tensor([[0., 0.]]))
        >>> disk = systems.create("brusselator").on("disk")
        >>> disk.geometry.name, disk.needs_soft
        ('disk', 'on another domain than the box, such as disk')
        >>> from solvers.operators import GraphOperators, grid_graph
        >>> d = GraphOperators.from_graph(grid_graph([9], system.lower, system.upper))
        >>> u, v = system.at_start(d.pos).T
        >>> rates = system.rates(u, v, d, d.pos, torch.zeros(9))  # with sources, if there are any
        >>> torch.equal(rates[0], system.rhs(u, v, d)[0])
        True
    """

    name: ClassVar[str]
    constants: ClassVar[tuple[str, ...]] = ()
    boundaries: ClassVar[tuple[str, ...]] = ()
    cases: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    without_exact: ClassVar[frozenset[str]] = frozenset()
    default_nodes: ClassVar[int]

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    final_time: float = 1.0
    boundary: str
    case: str | None = None
    notes: tuple[str, ...] = ()
    starts_anew: bool = False  # whether `at_start` has other fields, inside, than `data` at t = 0
    _geometry: domains.Geometry | None = None
    _groups: Sequence[str] | None = None  # of the boundary, where values are given

    @property
    def title(self) -> str:
        """What a picture of it is called."""
        return self.name

    @property
    def dimension(self) -> int:
        """Number of space dimensions."""
        return len(self.lower)

    @property
    def periodic(self) -> bool:
        """Whether opposite sides of the box are the same points."""
        return self.boundary == "periodic"

    @property
    def sides(self) -> Sequence[tuple[str, str]]:
        """Kind of the lower and the upper side of the box along each axis, see `boundary.KINDS`."""
        return [(self.boundary, self.boundary)] * self.dimension

    @property
    def periodic_axes(self) -> list[int]:
        """The axes along which opposite sides of the box are the same points."""
        return [axis for axis, (side, _) in enumerate(self.sides) if side == PERIODIC]

    def gives_values(self, x: Tensor) -> Tensor:
        """Return at which points of the boundary `[N, dimension]` the fields are given, `[N]` bool.

        At the others, of a boundary that is not periodic, their slopes are.
        """
        if self._groups is not None:
            return self.geometry.on_groups(self._groups, x)
        return torch.full(x.shape[:1], self.boundary == "dirichlet", device=x.device)

    @property
    def has_slopes(self) -> bool:
        """Whether slopes other than 0 are given on a part of the boundary."""
        return self._groups is not None and self.boundary == MIXED and self.has_exact

    def slopes(self, x: Tensor, normals: Tensor, t: Tensor) -> Tensor:
        """Return the slopes of u and v along the outward normal where they are given.

        Args:
            x: positions on the boundary `[N, dimension]`.
            normals: of unit length `[N, dimension]`.
            t: times `[N]`.

        Returns:
            `[N, 2]`, in units of the field over length.
        """
        if self._groups is not None and self.has_exact:
            return normal_slopes(self.exact, x, normals, t)
        return x.new_zeros(len(x), 2)

    @property
    def geometry(self) -> domains.Geometry:
        """The domain in space."""
        return self._geometry or domains.Box(self.lower, self.upper)

    @property
    def on_box(self) -> bool:
        """Whether the domain is the whole box."""
        return isinstance(self.geometry, domains.Box)

    @property
    def needs_soft(self) -> str:
        """Why conditions cannot be built into a network, the words after "soft"; else empty."""
        if not self.on_box:
            return f"on another domain than the box, such as {self.geometry.name}"
        if self.boundary == MIXED:
            return "where not all sides are periodic, or all have given values"
        return ""

    def on(self, name: str) -> System:
        """Return the same system on another domain, with its boundary data there.

        Args:
            name: one of `pinn_ext.systems.domains.names()`.

        Returns:
            A copy; the system itself stays as it is.

        Raises:
            ArgumentError: if there is no such domain in this number of dimensions, or the system is
                periodic, which needs the box.
        """
        domain = domains.create(name, self.lower, self.upper)
        if not isinstance(domain, domains.Box):
            self._check_leaves_box(name)
        system = copy.copy(self)
        system._geometry = domain
        return system

    def _check_leaves_box(self, name: str) -> None:
        """Refuse another domain than the box where the conditions are those of its sides."""
        if self.boundary != "dirichlet":
            wanted = f"be square or null for a {self.boundary} system"
            raise ArgumentError("name", wanted, repr(name))

    def _put_on(self, domain: domains.Geometry, groups: Sequence[str] | None) -> None:
        """Take up a domain, on a copy; groups of its boundary have given values, None is all."""
        self.lower, self.upper, self._geometry = domain.lower, domain.upper, domain
        self._groups = groups
        if groups is not None:
            self.boundary = "dirichlet" if domain.is_whole(groups) else MIXED

    @abstractmethod
    def rhs(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Return `(du/dt, dv/dt)`, each `[N]`, from the fields `[N]` and their derivatives.

        A system has `rhs(u, v, d)`, or `rhs(u, v, d, x, t)` where sources or coefficients vary
        with position `[N, dimension]` and time `[N]`.
        """

    def rates(
        self, u: Tensor, v: Tensor, d: Derivatives, x: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return `rhs`, which gets position and time where it asks for them.

        Args:
            u: field `[N]`.
            v: field `[N]`.
            d: their derivatives.
            x: positions `[N, dimension]`.
            t: times `[N]`.

        Returns:
            `(du/dt, dv/dt)`, each `[N]`.
        """
        return self.rhs(u, v, d, x, t) if self._takes_place else self.rhs(u, v, d)

    @functools.cached_property
    def _takes_place(self) -> bool:
        return takes_place(self.rhs)

    @property
    def has_exact(self) -> bool:
        """Whether the solution is known in closed form."""
        return self.case not in self.without_exact and type(self).exact is not System.exact

    @property
    def has_solution(self) -> bool:
        """Whether the solution is known at all: in closed form, or by a stored reference."""
        return self.has_exact or self.case in self.without_exact

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the exact u and v `[N, 2]`, for systems that have one (`has_exact`).

        Args:
            x: positions `[N, dimension]`.
            t: times `[N]`.

        Raises:
            ValueError: if the solution is not known in closed form.
        """
        case = "" if self.case is None else f" in case {self.case}"
        raise ValueError(f"{self.name}{case} has no solution in closed form.")

    def solution(self, x: Tensor, t: Tensor) -> Tensor:
        """Return what errors are measured against: the exact solution, or else the reference.

        Args:
            x: positions `[N, dimension]`.
            t: times `[N]`.

        Returns:
            u and v `[N, 2]`; of a reference without a gradient, see `pinn_ext.references`.

        Raises:
            ValueError: if it is not known (`has_solution`).
        """
        if self.has_exact or not self.has_solution:
            return self.exact(x, t)
        stored = _reference(f"{self.name}/{self.case}")
        fields = stored.evaluate(x.detach().cpu().double().numpy(), t.detach().cpu().numpy())
        return torch.from_numpy(fields).to(x)

    def data(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the initial and boundary data `[N, 2]`; asked only at t = 0 or on the boundary."""
        return self.exact(x, t)

    def at_start(self, x: Tensor) -> Tensor:
        """Return the fields `[N, 2]` at t = 0 at positions `[N, dimension]`."""
        return self.data(x, torch.zeros_like(x[:, 0]))

    def field_scales(self, per_axis: int = 33) -> tuple[float, float]:
        """Return the size of each field, from its initial and boundary data.

        Args:
            per_axis: sample points along each axis and along time.

        Returns:
            Root mean square of u and of v over the initial slice and the Dirichlet boundary.
        """
        u, v = (self.data(*self._data_points(per_axis)) ** 2).mean(dim=0).sqrt().tolist()
        return u, v

    def _data_points(self, per_axis: int) -> tuple[Tensor, Tensor]:
        """Return points `[M, dimension]` and times `[M]` where initial and boundary data hold."""
        sides = [
            torch.linspace(low, high, per_axis, dtype=torch.float64, device="cpu")
            for low, high in zip(self.lower, self.upper, strict=True)
        ]
        times = torch.linspace(0.0, self.final_time, per_axis, dtype=torch.float64, device="cpu")
        start = torch.cartesian_prod(*sides).reshape(-1, self.dimension)
        start = start[self.geometry.contains(start)]
        faces = start[:0]
        if not self.periodic:
            faces = self.geometry.boundary_samples(per_axis)
            faces = faces[self.gives_values(faces)]
        if not len(faces):
            return start, times.new_zeros(len(start))
        x = torch.cat((start, faces.repeat_interleave(per_axis, dim=0)))
        return x, torch.cat((times.new_zeros(len(start)), times.repeat(len(faces))))


@functools.lru_cache(maxsize=4)
def _reference(name: str) -> references.Reference:
    """Return a stored solution, which knows its modes once it was asked."""
    return references.load(name)


def columns(u: Tensor, v: Tensor) -> Tensor:
    """Return the fields `[N]` side by side as a state `[N, 2]`."""
    return torch.stack((u, v), dim=-1)


def refuse_given(system: System, **given: float | None) -> None:
    """Refuse parameters that the problem at hand does not have.

    Args:
        system: whose case is known.
        **given: the parameters by name, None for those that were left out.

    Raises:
        ArgumentError: naming the first that was given.
    """
    for key, value in given.items():
        if value is not None:
            raise ArgumentError(key, f"be left out in case {system.case}", value)


def check_case(cls: type[System], case: str | None) -> str:
    """Return the case to pose, the first one for None; a ValueError lists those that there are."""
    if case is None:
        return next(iter(cls.cases))
    return check_choice(f"case of {cls.name}", case, tuple(cls.cases))


def check_boundary(system: System, boundary: str | None) -> str:
    """Return the boundary to use, the default of system and case for None, or a ValueError."""
    case = system.case
    legal = system.boundaries if case is None else system.cases[case]
    if boundary is None:
        return legal[0]
    what = f"boundary of {system.name}" + ("" if case is None else f" in case {case}")
    return check_choice(what, boundary, legal)
