"""Bounds of the parameters: a box, in which every point is that is ever looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Bound = float | Sequence[float] | np.ndarray | Tensor


class Box:
    """Lower and upper bounds of parameters.

    At a bound that the cost falls towards, a parameter is held: the linear model is that of the
    others. A step that leaves the box ends at the nearest point of it or at the first bound on its
    way, whichever promises more by the linear model. This is the projected Newton method of
    Bertsekas, Projected Newton methods for optimization problems with simple constraints (1982),
    section 2, with the Gauss-Newton matrix and its damping: as that is diagonal in the parameters,
    steps of a large damping lower the cost also where they are cut.

    Args:
        lower: [n], in units of the parameters; -inf for none.
        upper: [n], inf for none.

    Attributes:
        bounded: Whether there is any bound.

    Example:
        >>> box = Box(torch.tensor([0.0, 0.0]), torch.tensor([1.0, torch.inf]))
        >>> box.project(torch.tensor([2.0, 2.0])).tolist()
        [1.0, 2.0]
        >>> box.leaves(torch.tensor([2.0, 2.0])), box.active(torch.tensor([1.0, 0.0])).tolist()
        (tensor(True), [1, -1])
        >>> x, step = torch.tensor([0.5, 2.0]), torch.tensor([1.0, -1.0])
        >>> part, end = box.first_bound(x, step)
        >>> float(part), end.tolist(), box.outward(end, step).tolist()
        (0.5, [1.0, 1.5], [True, False])
        >>> box.room(x, gradient=torch.tensor([-1.0, -1.0])).tolist(), box.inside(x)
        ([0.5, inf], None)
        >>> Box.of((0.0, [1.0, 3.0]), x).upper.tolist(), Box.everywhere(x).bounded
        ([1.0, 3.0], False)
    """

    def __init__(self, lower: Tensor, upper: Tensor) -> None:
        self.lower, self.upper = lower, upper
        self.bounded = bool((lower.isfinite() | upper.isfinite()).any())

    @classmethod
    def everywhere(cls, like: Tensor) -> Box:
        """Return the box without bounds.

        Args:
            like: [n], whose length, dtype and device to take.

        Returns:
            The box.
        """
        return cls(torch.full_like(like, -torch.inf), torch.full_like(like, torch.inf))

    @classmethod
    def of(cls, bounds: Any, start: Tensor) -> Box:
        """Make a box of what `scipy.optimize.least_squares` takes.

        Args:
            bounds: (lower, upper), numbers or [n] each; or an object with `lb` and `ub`.
            start: [n], which must lie in it.

        Returns:
            The box.

        Raises:
            ValueError: If the bounds are not as above, cross or touch, or leave the start outside.
        """
        if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
            bounds = bounds.lb, bounds.ub
        if not isinstance(bounds, (Sequence, np.ndarray, Tensor)) or len(bounds) != 2:
            raise ValueError(
                f"`bounds` must be (lower, upper) or an object with `lb` and `ub`, got {bounds!r}."
            )
        box = cls(_bound("lower", bounds[0], start), _bound("upper", bounds[1], start))
        crossed = ~(box.lower < box.upper)
        if bool(crossed.any()):
            i = int(crossed.nonzero()[0, 0])
            raise ValueError(
                "`bounds` must have each lower bound below the upper one, got "
                f"{float(box.lower[i])} and {float(box.upper[i])} for parameter {i}."
            )
        outside = (start < box.lower) | (start > box.upper)
        if bool(outside.any()):
            i = int(outside.nonzero()[0, 0])
            raise ValueError(
                f"`x0` must lie within `bounds`, got {float(start[i])} for parameter {i}, outside "
                f"[{float(box.lower[i])}, {float(box.upper[i])}]."
            )
        return box

    def project(self, x: Tensor) -> Tensor:
        """Return the nearest point of the box; NaN stays NaN."""
        return torch.clamp(x, self.lower, self.upper) if self.bounded else x

    def leaves(self, x: Tensor) -> Tensor:
        """Whether a point [n] lies outside, as a truth value [] that has not been read."""
        return ((x < self.lower) | (x > self.upper)).any()

    def inside(self, x: Tensor) -> Tensor | None:
        """Move parameters that are at a bound off it, a little: sqrt(x) has a derivative there.

        Args:
            x: [n], in the box.

        Returns:
            [n], in the box; None where no parameter is at a bound.
        """
        active = self.active(x) if self.bounded else None
        if active is None or not bool(active.any()):
            return None
        # Far from 0 at least a few units of the last place, else nothing would move.
        eps, size = torch.finfo(x.dtype).eps, x.abs()
        width = torch.minimum(self.upper - self.lower, size.clamp(min=1.0))
        return self.project(x - active * torch.maximum(eps**0.75 * width, 4 * eps * size))

    def first_bound(self, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Follow a step that leaves the box to the first bound on its way.

        Args:
            x: [n], in the box, from where it leads away from no bound that x is at.
            step: [n].

        Returns:
            The part of the step [], and the point there [n], exactly at that bound.
        """
        bound = torch.where(step < 0, self.lower, self.upper)
        parts = torch.where(step == 0, torch.inf, (bound - x) / step)
        part = parts.min()
        point = self.project(torch.where(parts == part, bound, x + part * step))
        return part, point

    def outward(self, x: Tensor, direction: Tensor) -> Tensor:
        """Find parameters at a bound that a direction would take them across.

        Args:
            x: [n], in the box.
            direction: [n].

        Returns:
            [n], true for those.
        """
        below, above = (x <= self.lower) & (direction < 0), (x >= self.upper) & (direction > 0)
        return below | above

    def room(self, x: Tensor, gradient: Tensor) -> Tensor:
        """How far each parameter may follow the falling cost.

        The size of v of Coleman and Li, An interior trust region approach for nonlinear
        minimization subject to bounds (1996), section 2, here infinite where there is no bound.

        Args:
            x: [n], in the box.
            gradient: [n], of the cost.

        Returns:
            [n], in units of the parameters.
        """
        return torch.where(gradient > 0, x - self.lower, self.upper - x)

    def active(self, x: Tensor) -> Tensor:
        """Return which bounds parameters are at: [n], -1 for the lower, 1 for the upper, else 0."""
        return (x >= self.upper).int() - (x <= self.lower).int()


def _bound(name: str, bound: Bound, like: Tensor) -> Tensor:
    try:
        value = torch.as_tensor(bound, dtype=like.dtype, device=like.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"`bounds` must be numbers, got {bound!r} as the {name} bound.") from error
    if value.shape not in ((), (1,), like.shape):
        raise ValueError(
            f"`bounds` must be numbers or have {like.numel()} of them, one a parameter, got shape "
            f"{list(value.shape)} as the {name} bound."
        )
    if bool(value.isnan().any()):
        raise ValueError(f"`bounds` must not be NaN, got NaN in the {name} bound.")
    return value.expand_as(like)
