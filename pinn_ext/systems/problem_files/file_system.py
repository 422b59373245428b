"""The system that a problem file describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, brief, check_choice, check_list, check_number
from pinn_ext.choices import FROM_FILE
from pinn_ext.systems.boundary import (
    MIXED,
    PERIODIC,
    Condition,
    Sides,
    check_fields,
    condition_of,
    neumann,
)
from pinn_ext.systems.domains import Geometry
from pinn_ext.systems.problem_files.functions import Functions
from pinn_ext.systems.problem_files.source import Source
from pinn_ext.systems.system import Derivatives, System

SAME = 1e-4
"""Of a field's size, by which data that belong together may differ."""

_NODES = 25
_PER_AXIS = 9  # points along each axis at which data are compared
_NEAR = 1e-6  # of the side of a domain, within which a point lies on its boundary


class FileSystem(System):
    """A coupled system that a problem file describes; see `from_file`.

    Args:
        source: the file.
        content: its module-level names.
        functions: gives each function its parameters.
        domain: that the system is to be put on, whose parts of the boundary the file may name; None
            is its box.

    Attributes:
        source: the file.
        parameters: of its functions, by name.
    """

    name: ClassVar[str] = FROM_FILE
    default_nodes = _NODES

    def __init__(
        self,
        source: Source,
        content: Mapping[str, Any],
        functions: Functions,
        domain: Geometry | None = None,
    ) -> None:
        self.source, self.parameters = source, dict(functions.parameters)
        self.lower, self.upper = _box(content["LOWER"], content["UPPER"])
        self.final_time = float(check_number("FINAL_TIME", content["FINAL_TIME"], 0, open_low=True))
        if content.get("NODES") is not None:
            nodes = check_number("NODES", content["NODES"], 3, integer=True)
            self.default_nodes = nodes  # type: ignore[misc]  # each file has its own
        self._scales = _two("SCALES", content.get("SCALES"))
        boundary = content["BOUNDARY"]
        self._uniform: Condition | None = None  # of the boundary of any domain
        self._by_group: dict[str, Condition] = {}  # of parts of the boundary of one domain
        if isinstance(boundary, Mapping):
            boundary = {side: functions.condition(condition_of(c)) for side, c in boundary.items()}
            if domain is not None:
                self._by_group, boundary = _of_groups(boundary, domain), neumann()
        else:
            boundary = self._uniform = functions.condition(condition_of(boundary))
        self._sides = Sides(boundary, self.lower, self.upper)
        self.boundary = self._sides.kind
        taken = functions.positional("rhs", content["rhs"])
        self._rates = functions.bound("rhs", content["rhs"], taken)
        self._initial = functions.bound("initial", content["initial"], 1)
        exact = content.get("exact")
        self._exact = None if exact is None else functions.bound("exact", exact, 2)

    @property
    def title(self) -> str:
        """The file's name."""
        return self.source.path.name

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return what the file's `rhs` returns."""
        return self._rates(u, v, d)

    @property
    def sides(self) -> tuple[tuple[str, str], ...]:
        """Kind of the lower and the upper side of the box along each axis."""
        return self._sides.kinds

    def gives_values(self, x: Tensor) -> Tensor:
        """Return at which points of the boundary `[N, dimension]` the fields are given, `[N]`."""
        if self.on_box:
            return self._sides.gives_values(x)
        return super().gives_values(x)

    @property
    def has_slopes(self) -> bool:
        """Whether slopes other than 0 are given on a part of the boundary."""
        if self._by_group:
            own = self._by_group.values()
            return any(c.kind == "neumann" and c.values is not None for c in own)
        return self._sides.has_slopes or super().has_slopes

    def slopes(self, x: Tensor, normals: Tensor, t: Tensor) -> Tensor:
        """Return the slopes `[N, 2]` along the outward normals where they are given."""
        if self._by_group:
            return self._on_groups("neumann", x, t, x.new_zeros(len(x), 2))
        if self._uniform is None:
            return self._sides.slopes(x, normals, t)
        if self._uniform.kind == "neumann":
            return self._uniform.at(x, t)
        return super().slopes(x, normals, t)

    @property
    def has_exact(self) -> bool:
        """Whether the file has `exact`."""
        return self._exact is not None

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the file's exact solution `[N, 2]`."""
        if self._exact is None:
            raise ValueError(f"{self.source.path.name} has no `exact`.")
        return _checked("exact", self._exact(x, t), x)

    def data(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the values given on the boundary, and elsewhere the initial state."""
        start = self.initial(x)
        if self.on_box:
            return self._sides.values(x, t, start)
        if self._by_group:
            return self._on_groups("dirichlet", x, t, start)
        if self._uniform is None or self._uniform.kind != "dirichlet":
            return start
        on_boundary = self.geometry.depth(x) <= _NEAR * self.geometry.side
        if self.boundary == MIXED:
            on_boundary = on_boundary & self.gives_values(x)
        return torch.where(on_boundary[:, None], self._uniform.at(x, t), start)

    def _on_groups(self, kind: str, x: Tensor, t: Tensor, elsewhere: Tensor) -> Tensor:
        """Return what conditions of a kind give on their groups of the boundary, `[N, 2]`."""
        for name, condition in self._by_group.items():
            if condition.kind == kind:
                on_group = self.geometry.on_groups((name,), x)[:, None]
                elsewhere = torch.where(on_group, condition.at(x, t), elsewhere)
        return elsewhere

    def initial(self, x: Tensor) -> Tensor:
        """Return the initial state `[N, 2]` at positions `[N, dimension]`."""
        return _checked("initial", self._initial(x), x)

    def field_scales(self, per_axis: int = 33) -> tuple[float, float]:
        """Return `SCALES` of the file, or else the size of each field's data."""
        return self._scales or super().field_scales(per_axis)

    def _check_leaves_box(self, name: str) -> None:
        if self._uniform is None or self.periodic:
            wanted = "be square or null where BOUNDARY speaks of sides of the box"
            raise ArgumentError("name", wanted, repr(name))

    def _put_on(self, domain: Geometry, groups: Sequence[str] | None) -> None:
        if self._by_group:
            if groups is not None:
                wanted = "be left out, as BOUNDARY of the problem file names groups"
                raise ArgumentError("dirichlet", wanted, list(groups))
            groups = [name for name, c in self._by_group.items() if c.kind == "dirichlet"]
        elif self._uniform is None:
            wanted = "be the box where BOUNDARY speaks of its sides"
            raise ArgumentError("domain", wanted, repr(domain.name))
        elif groups is not None and self._uniform.kind == "neumann":
            wanted = "be left out where BOUNDARY gives slopes"
            raise ArgumentError("dirichlet", wanted, list(groups))
        super()._put_on(domain, groups)

    @property
    def needs_soft(self) -> str:
        """Why conditions cannot be built into a network; empty if they can."""
        why = super().needs_soft
        if why or self.periodic:
            return why
        x = self.geometry.boundary_samples(_PER_AXIS)
        given = self.data(x, torch.zeros_like(x[:, 0]))
        apart = (given - self.initial(x)).abs()
        size = given.abs().amax(dim=0)
        if bool((apart <= SAME * size + 1e-12).all()):
            return ""
        at = ", ".join(f"{value:g}" for value in x[int(apart.amax(dim=1).argmax())])
        most = float(apart.max())
        return f"where BOUNDARY and initial differ at t = 0 (by {most:.2g} at x = ({at}))"


class DrivenFileSystem(FileSystem):
    """The same with a right-hand side that asks for position and time."""

    def rhs(  # type: ignore[override]
        self, u: Tensor, v: Tensor, d: Derivatives, x: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what the file's `rhs` returns."""
        return self._rates(u, v, d, x, t)


def _of_groups(boundary: Mapping[Any, Condition], domain: Geometry) -> dict[str, Condition]:
    """Return the conditions on named parts of a domain's boundary."""
    if not domain.groups:
        wanted = f"be one condition for all of a {domain.name} without named groups"
        raise ArgumentError("BOUNDARY", wanted, f"a mapping of {', '.join(map(str, boundary))}")
    for name, condition in boundary.items():
        check_choice("group of BOUNDARY", name, domain.groups)
        if condition.kind == PERIODIC:
            raise ArgumentError("BOUNDARY", f"have no periodic part of a {domain.name}", repr(name))
    return dict(boundary)


def _checked(name: str, fields: Any, x: Tensor) -> Tensor:
    check_fields(name, fields, x)
    return fields.to(x)


def _box(lower: Any, upper: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    ends = []
    for name, value in (("LOWER", lower), ("UPPER", upper)):
        items = [value] if isinstance(value, (int, float)) else value
        wanted = "be a number, or a list of one for each space dimension"
        numbers = [float(check_number(name, item)) for item in check_list(name, items, wanted)]
        if not 1 <= len(numbers) <= 3:
            raise ArgumentError(name, "hold 1 to 3 numbers", len(numbers))
        ends.append(tuple(numbers))
    low, high = ends
    if len(low) != len(high) or any(a >= b for a, b in zip(low, high, strict=True)):
        raise ArgumentError("LOWER", f"lie below UPPER {high} along each axis", low)
    return low, high


def _two(name: str, value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    items = check_list(name, value, "hold one number for u and one for v")
    if len(items) != 2:
        raise ArgumentError(name, "hold one number for u and one for v", brief(value))
    u, v = (float(check_number(name, item, 0, open_low=True)) for item in items)
    return u, v
