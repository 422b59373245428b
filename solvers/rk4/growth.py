"""Whether a state grows because its equation says so, or because the steps are too long."""

from __future__ import annotations

import math

import torch

from .semidiscrete import Fields
from .state import NonFiniteStateError
from .stepper import Stepper

_FACTOR = 10.0
_FINEST = 64
_SAME = 0.05


class UnstableStepError(NonFiniteStateError):
    """A state grows as its equation does not, and would end in infinity."""


class GrowthWatch:
    """Looks at every tenfold growth of a state, and takes the step that led there in parts.

    An unstable mode grows because |R(h z)| > 1 although it decays; in steps of h / 2, h / 4, … it
    decays. Growth of the equation, for good or for a while only, is the same in parts of a step. So
    nothing need be known of the spectrum, which moves with the state.

    Args:
        stepper: Takes the parts of steps.
    """

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._least = math.inf
        self._until = -math.inf

    def __call__(self, before: Fields, after: Fields, time: float, step: float, where: str) -> None:
        """Look at one step.

        Args:
            before: The fields at `time`.
            after: The fields a step later.
            time: Time of the first.
            step: Length of the step.
            where: Which step it is, for the message.

        Raises:
            UnstableStepError: If parts of the step show less than half of its growth, in powers.
        """
        if time <= self._until:
            return  # computed again for a gradient
        self._until = time
        size = norm(after)
        if not (math.isfinite(size) and size > _FACTOR * self._least):
            self._least = min(self._least, size) if self._least and size else size
            return
        start = norm(before)
        if start and (parts := self._shrinks(before, after, time, step)):
            raise UnstableStepError(
                f"The state has grown {size / self._least:.3g} times over by {where}, which is "
                f"the step's doing and not the equation's: {parts} steps of {step / parts:.3g} in "
                f"place of the last of {step:.3g} do not grow so, hence give a smaller `limit`."
            )
        self._least = size

    def _shrinks(self, before: Fields, after: Fields, time: float, step: float) -> int:
        """Number of parts in which a step shows that its growth is its own, or 0."""
        start = norm(before)
        growth, coarse, parts = math.log(norm(after) / start), after, 2
        while parts <= _FINEST:
            fine = before
            with torch.no_grad():
                for i in range(parts):
                    fine = self._stepper(fine, time + i * step / parts, step / parts)
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


def norm(fields: Fields) -> float:
    """Square root of the sum of squares; not finite if a value is not, or a square overflows."""
    return math.hypot(*(float(torch.linalg.vector_norm(f.detach())) for f in fields))
