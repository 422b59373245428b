"""What holds on the boundary: given values, given slopes along the outward normal, or periodicity.

Conditions are written one a side, `{"x-": neumann(), "x+": dirichlet(f), "y": "periodic"}`, or one
for the whole boundary. `Sides` has them for a box, and answers for points on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, brief, check_choice, check_list, check_number

Values: TypeAlias = Callable[..., Tensor]
"""Positions `[N, dimension]` and times `[N]` to u and v, or their slopes, `[N, 2]`.

In a problem file it may ask for parameters of the file too, as keywords.
"""

AXES = ("x", "y", "z")
PERIODIC = "periodic"
KINDS = ("dirichlet", "neumann", PERIODIC)
MIXED = "mixed"
"""The kind of a boundary whose parts are of different kinds, or of which slopes are given."""

_NEAR = 1e-6  # of a side: positions in float32 miss an end by rounding


@dataclass(frozen=True)
class Condition:
    """What holds on a part of the boundary.

    Attributes:
        kind: one of `KINDS`.
        values: u and v, or their slopes along the outward normal; None is slopes of 0, or that the
            part is periodic.
    """

    kind: str
    values: Values | tuple[float, float] | None = None

    def at(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the values or slopes `[N, 2]` at positions `[N, dimension]` and times `[N]`.

        Raises:
            ArgumentError: if a function returned another shape.
        """
        if not callable(self.values):
            given = x.new_zeros(2) if self.values is None else x.new_tensor(self.values)
            return given.expand(len(x), 2)
        found = self.values(x, t)
        check_fields(f"the function of {self.kind}(…)", found, x)
        return found.to(x)


def check_fields(what: str, fields: Any, x: Tensor) -> None:
    """Refuse what a user's function returned unless it is u and v side by side.

    Args:
        what: called so in the message.
        fields: what it returned.
        x: positions that it was asked at, `[N, dimension]`.

    Raises:
        ArgumentError: if it is no floating-point tensor `[N, 2]`.
    """
    wanted = f"return u and v side by side, a tensor [{len(x)}, 2] of floating-point numbers"
    if not isinstance(fields, Tensor):
        raise ArgumentError(what, wanted, brief(fields))
    if fields.shape != (len(x), 2) or not fields.is_floating_point():
        raise ArgumentError(what, wanted, f"{list(fields.shape)} of {fields.dtype}")


def dirichlet(values: Values | Sequence[float]) -> Condition:
    """Return the condition that u and v are given.

    Args:
        values: function of positions `[N, dimension]` and times `[N]` to u and v `[N, 2]`, or two
            numbers.

    Raises:
        ArgumentError: if they are neither.

    Example:
        >>> pulse = dirichlet(lambda x, t: torch.stack((torch.sin(t), 0 * t), 1))
        >>> x, t = torch.zeros(2, 1), torch.tensor([0.0, torch.pi / 2])
        >>> pulse.at(x, t).tolist(), dirichlet([0.0, 1.0]).at(x, t).tolist()
        ([[0.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]])
    """
    return Condition("dirichlet", _checked("dirichlet", values))


def neumann(slopes: Values | Sequence[float] = (0.0, 0.0)) -> Condition:
    """Return the condition that the slopes of u and v along the outward normal are given.

    Args:
        slopes: function of positions `[N, dimension]` and times `[N]` to both slopes `[N, 2]`, in
            units of the field over length, or two numbers; by default 0: no flux.

    Raises:
        ArgumentError: if they are neither.

    Example:
        >>> x, t = torch.zeros(1, 1), torch.zeros(1)
        >>> neumann().at(x, t).tolist(), neumann([0.0, -1.0]).at(x, t).tolist()
        ([[0.0, 0.0]], [[0.0, -1.0]])
    """
    checked = _checked("neumann", slopes)
    return Condition("neumann", None if checked == (0.0, 0.0) else checked)


def _checked(name: str, values: Any) -> Values | tuple[float, float]:
    if callable(values):
        return values
    wanted = "get a function of x and t, or two numbers, for u and for v"
    numbers = check_list(name, values, wanted)
    if len(numbers) != 2:
        raise ArgumentError(name, wanted, brief(values))
    u, v = (float(check_number(name, number)) for number in numbers)
    return u, v


def normal_slopes(fields: Values, x: Tensor, normals: Tensor, t: Tensor) -> Tensor:
    """Return the slopes along normals of fields that are known as a function.

    Args:
        fields: differentiable; each point's fields depend on that point only.
        x: positions `[N, dimension]`.
        normals: of unit length `[N, dimension]`.
        t: times `[N]`.

    Returns:
        Slopes of u and v `[N, 2]`, constants.
    """
    # Forwards, as the linearisation of a Runge-Kutta step does, through which this can pass.
    with torch.inference_mode(False):
        x, normals, t = (part.detach().clone() for part in (x, normals, t))
        slopes: Tensor = torch.func.jvp(lambda at: fields(at, t), (x,), (normals,))[1]
    return slopes.detach()


class Sides:
    """Conditions on the sides of a box.

    Args:
        conditions: one for all sides, or a mapping from sides ("x-", "x+", "y-", …) or axes ("x",
            "y", …) to one each; the word "periodic" is one too.
        lower: smallest coordinate along each axis.
        upper: largest coordinate along each axis.

    Attributes:
        pairs: the conditions of each axis, of its lower and its upper side.

    Raises:
        ArgumentError: if a side has no condition or two, is unknown, or alone is periodic.

    >>> written = {"x-": neumann(), "x+": dirichlet((1.0, 0.0)), "y": "periodic"}
    >>> Sides(written, (0, 0), (1, 1)).kinds
    (('neumann', 'dirichlet'), ('periodic', 'periodic'))
    """

    def __init__(self, conditions: Any, lower: Sequence[float], upper: Sequence[float]) -> None:
        self.lower, self.upper = tuple(lower), tuple(upper)
        axes = AXES[: len(self.lower)]
        if not isinstance(conditions, Mapping):
            conditions = dict.fromkeys(axes, conditions)
        by_side: dict[str, Condition] = {}
        legal = [*axes, *(f"{axis}{sign}" for axis in axes for sign in "-+")]
        for key, condition in conditions.items():
            check_choice("side of BOUNDARY", key, legal)
            for side in [key] if len(key) == 2 else [f"{key}-", f"{key}+"]:
                if side in by_side:
                    raise ArgumentError("BOUNDARY", f"name side {side} once", "it twice")
                by_side[side] = condition_of(condition)
        sides = [(f"{axis}-", f"{axis}+") for axis in axes]
        if absent := [side for pair in sides for side in pair if side not in by_side]:
            raise ArgumentError("BOUNDARY", f"name each side, {', '.join(absent)} too", "no such")
        self.pairs = tuple((by_side[low], by_side[high]) for low, high in sides)
        for axis, (low, high) in zip(axes, self.kinds, strict=True):
            if (low == PERIODIC) != (high == PERIODIC):
                wanted = f"have both sides of {axis} periodic, or none"
                raise ArgumentError("BOUNDARY", wanted, f"{low} and {high}")

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Kind of the lower and the upper side of each axis."""
        return tuple((low.kind, high.kind) for low, high in self.pairs)

    @property
    def kind(self) -> str:
        """`"dirichlet"` or `"periodic"` where all sides are such, else `"mixed"`."""
        found = {kind for pair in self.kinds for kind in pair}
        return found.pop() if len(found) == 1 and "neumann" not in found else MIXED

    @property
    def has_slopes(self) -> bool:
        """Whether a slope other than 0 is given somewhere."""
        return any(c.kind == "neumann" and c.values is not None for p in self.pairs for c in p)

    def gives_values(self, x: Tensor) -> Tensor:
        """Return which points `[N, dimension]` lie on a side with given values, `[N]` bool."""
        found = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        for on_side, condition in self._each(x):
            if condition.kind == "dirichlet":
                found = found | on_side
        return found

    def values(self, x: Tensor, t: Tensor, elsewhere: Tensor) -> Tensor:
        """Return the given values `[N, 2]`, of the last of several sides.

        Args:
            x: positions `[N, dimension]`.
            t: times `[N]`.
            elsewhere: what holds at points without given values, `[N, 2]`.
        """
        for on_side, condition in self._each(x):
            if condition.kind == "dirichlet":
                elsewhere = torch.where(on_side[:, None], condition.at(x, t), elsewhere)
        return elsewhere

    def slopes(self, x: Tensor, normals: Tensor, t: Tensor) -> Tensor:
        """Return the given slopes `[N, 2]` along outward normals.

        Args:
            x: positions on sides with given slopes `[N, dimension]`.
            normals: of unit length `[N, dimension]`; at a corner it may be the mean of two.
            t: times `[N]`.
        """
        total = x.new_zeros(len(x), 2)
        for axis, pair in enumerate(self.pairs):
            for sign, condition in zip((-1.0, 1.0), pair, strict=True):
                if condition.kind == "neumann" and condition.values is not None:
                    share = (sign * normals[:, axis : axis + 1]).clamp(min=0.0)
                    # By a choice, as a function may not be finite at other sides' points.
                    own = share * condition.at(x, t)
                    total = total + torch.where(share > _NEAR, own, torch.zeros_like(own))
        return total

    def _each(self, x: Tensor) -> list[tuple[Tensor, Condition]]:
        """Return the points `[N]` that lie on each side, with its condition."""
        found = []
        for axis, pair in enumerate(self.pairs):
            low, high = self.lower[axis], self.upper[axis]
            for end, condition in zip((low, high), pair, strict=True):
                found.append(((x[:, axis] - end).abs() <= _NEAR * (high - low), condition))
        return found


def condition_of(value: Any) -> Condition:
    """Return the condition that a user wrote.

    Args:
        value: of `dirichlet` or `neumann`, or the word "periodic".

    Raises:
        ArgumentError: if it is none of them.
    """
    if isinstance(value, Condition):
        return value
    if value == PERIODIC:
        return Condition(PERIODIC)
    wanted = 'be made of dirichlet(…), neumann(…) and "periodic"'
    raise ArgumentError("BOUNDARY", wanted, brief(value))
