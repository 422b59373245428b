"""Whether a state grows because its equation says so, or because the steps are too long."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..devices import read
from .semidiscrete import Fields
from .state import NonFiniteStateError
from .stepper import Stepper

Ends = Callable[[], tuple[Fields, Fields]]

_FACTOR = 10.0
_FINEST = 64
_SAME = 0.05
# Of one field: steps in which a swing shows its size; parts above which rounding, too, would agree
# with itself; part of the field from which a step differs by more than its order's error.
_SWING = 16
_FINEST_OF_FIELD = 16
_OTHER = 0.3


class UnstableStepError(NonFiniteStateError):
    """A state grows as its equation does not, and would end in infinity.

    Example:
        >>> from solvers.rk4 import integrate
        >>> state = torch.ones(1, 2, dtype=torch.float64)
        >>> integrate(lambda time, s: -30.0 * s, state, 0.0, 10.0, 0.1, limit=0.1)
        Traceback (most recent call last):
            ...
        solvers.rk4.growth.UnstableStepError: The state has grown 12.8 times over by step 9 of
        100, time 0.9, which is the step's doing and not the equation's: 2 steps of 0.05 in
        place of the last of 0.1 do not grow so, hence give a smaller `limit`.
    """


class GrowthWatch:
    """Looks at every tenfold growth of a state, and takes the step that led there in parts.

    An unstable mode grows because |R(h z)| > 1 although it decays; in steps of h / 2, h / 4, … it
    decays. Growth of the equation, for good or for a while only, is the same in parts of a step. So
    nothing need be known of the spectrum, which moves with the state.

    One field may grow as its equation says and hide another, smaller one that does not. Each is
    looked at by itself, too, with more care: it may pass through zero where the other does not, or
    be nothing but rounding of the other.

    Args:
        stepper: Takes the parts of steps.
    """

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._least = math.inf
        self._fields = _Swings(), _Swings()

    def __call__(
        self, sizes: Sequence[float], ends: Ends, time: float, step: float, where: str
    ) -> None:
        """Look at one step.

        Args:
            sizes: Norms of both fields after it.
            ends: Returns the fields at `time`, and those a step later; called where they grow.
            time: Time of the first.
            step: Length of the step.
            where: Which step it is, for the message.

        Raises:
            UnstableStepError: If parts of the step show less than half of its growth, in powers,
                or of that of one field.
        """
        self._look_at_both(ends, math.hypot(*sizes), time, step, where)
        for i, (swings, own) in enumerate(zip(self._fields, sizes, strict=True)):
            grown = swings.growth(own)
            if grown and (parts := self._field_shrinks(i, *ends(), time, step)):
                raise UnstableStepError(_message(f"Field {'uv'[i]}", grown, parts, step, where))

    def _look_at_both(self, ends: Ends, size: float, time: float, step: float, where: str) -> None:
        if not (math.isfinite(size) and size > _FACTOR * self._least):
            self._least = min(self._least, size) if self._least and size else size
            return
        before, after = ends()
        start = norm(before)
        if start and (parts := self._shrinks(before, after, time, step)):
            raise UnstableStepError(_message("The state", size / self._least, parts, step, where))
        self._least = size

    def _shrinks(self, before: Fields, after: Fields, time: float, step: float) -> int:
        """Number of parts in which a step shows that its growth is its own, or 0."""
        start = norm(before)
        growth, coarse, parts = math.log(norm(after) / start), after, 2
        while parts <= _FINEST:
            fine = self._in_parts(before, time, step, parts)
            size = norm(fine)
            if not math.isfinite(size):
                return 0
            if growth > 0 and (not size or math.log(size / start) < 0.5 * growth):
                return parts
            change = norm(tuple(a.detach() - b.detach() for a, b in zip(fine, coarse, strict=True)))
            if change <= _SAME * size:
                return 0
            coarse, parts = fine, 2 * parts
        return 0

    def _field_shrinks(
        self, i: int, before: Fields, after: Fields, time: float, step: float
    ) -> int:
        """As above for one field, where parts of the step agree with each other and not with it."""
        coarse = last = separate(after)[i]
        start, end = norm((separate(before)[i],)), norm((last,))
        if not end > start > 0:
            return 0
        parts = 2
        while parts <= _FINEST_OF_FIELD:
            fine = separate(self._in_parts(before, time, step, parts))[i]
            size = norm((fine,))
            if not math.isfinite(size):
                return 0
            if _distance(fine, coarse) <= _SAME * size:
                other = _distance(fine, last) > _OTHER * end
                shrinks = not size or math.log(size / start) < 0.5 * math.log(end / start)
                return parts if other and shrinks else 0
            coarse, parts = fine, 2 * parts
        return 0

    @torch.no_grad()
    def _in_parts(self, fields: Fields, time: float, step: float, parts: int) -> Fields:
        for i in range(parts):
            fields = self._stepper(fields, time + i * step / parts, step / parts)
        return fields


class _Swings:
    """Says when a field has grown tenfold since its swings were smallest."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_SWING)
        self._least = math.inf

    def growth(self, size: float) -> float:
        """Return how many times over the field has grown, or 0 for less than tenfold."""
        self._recent.append(size)
        if len(self._recent) < _SWING:
            return 0.0
        swing = max(self._recent)
        if not (math.isfinite(swing) and swing > _FACTOR * self._least):
            self._least = min(self._least, swing) if self._least else swing
            return 0.0
        grown, self._least = swing / self._least, swing
        return grown


def _message(what: str, grown: float, parts: int, step: float, where: str) -> str:
    return (
        f"{what} has grown {grown:.3g} times over by {where}, which is the step's doing and not "
        f"the equation's: {parts} steps of {step / parts:.3g} in place of the last of {step:.3g} "
        "do not grow so, hence give a smaller `limit`."
    )


def separate(fields: Fields) -> Fields:
    """Both fields, which a system that is a function of the state has in one tensor."""
    return fields if len(fields) == 2 else fields[0].unbind(1)


def _distance(a: Tensor, b: Tensor) -> float:
    return float(torch.linalg.vector_norm(a.detach() - b.detach()))


def norm(fields: Fields) -> float:
    """Square root of the sum of squares; not finite if a value is not, or a square overflows."""
    return math.hypot(*read(*(torch.linalg.vector_norm(f.detach()) for f in fields)))
