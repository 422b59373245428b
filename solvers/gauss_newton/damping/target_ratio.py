"""How far a step goes: as far as a target for the gain ratio allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .rule import MAX_TRIALS, Attempt, Memory, Try

_SETTLED = 0.1  # decades in a window


@dataclass(frozen=True)
class TargetRatio:
    """The boldest of a sweep of dampings whose gain ratio reaches a target.

    One linearisation serves the sweep. It starts at the last damping and goes down while the target
    is reached, or up until it is, so that two or three steps are tried as a rule. The target is low
    while the damping falls, as bold early steps lead to better minima, and higher once it has
    settled. The idea is that of DSGNAR, here with the damping in place of a radius.

    Attributes:
        initial: First damping, dimensionless.
        early: Target while the damping falls.
        late: Target afterwards.
        spacing: Factor between neighbours of the sweep.
        count: Dampings in a sweep, 4 to 8.
        window: Steps in which the damping must not have fallen for `late` to begin.

    Raises:
        ValueError: If a number is not as above.

    Example:
        >>> TargetRatio().start()
        {'damping': 0.001, 'settled': False, 'past': []}
        >>> from solvers.gauss_newton.damping.rule import Attempt
        >>> def attempt(damping, fraction):  # the model holds as far as a damping of 1e-4
        ...     return Attempt(damping, reduction=damping >= 1e-4, predicted=1.0, cost=1.0)
        >>> tried, memory = TargetRatio().search(attempt, TargetRatio().start(), least=1e-15)
        >>> [float(f"{each.damping:.1e}") for each in tried], tried[-1].accepted
        ([0.001, 0.00033, 3.7e-05, 0.00011], True)
    """

    initial: float = 1e-3
    early: float = 0.075
    late: float = 0.5
    spacing: float = 3.0
    count: int = 6
    window: int = 30

    def __post_init__(self) -> None:
        if not 4 <= self.count <= 8:
            raise ValueError(f"`count` must lie in [4, 8], got {self.count}.")
        if not 0 < self.early <= self.late < 1:
            raise ValueError(
                f"`early` and `late` must ascend between 0 and 1, got {self.early} and {self.late}."
            )
        if not self.window >= 2:
            raise ValueError(f"`window` must be at least 2, got {self.window}.")
        if not self.spacing > 1:
            raise ValueError(f"`spacing` must be greater than 1, got {self.spacing}.")

    def start(self) -> Memory:
        """Return what it remembers before the first step."""
        return {"damping": self.initial, "settled": False, "past": []}

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Go down or up from the last damping to the boldest step that reaches the target.

        Args:
            attempt: Computes a step and the cost at its end.
            memory: From `start` or the last call.
            least: Smallest damping.

        Returns:
            All attempts, the one to take last, and the new memory.
        """
        target = self.late if memory["settled"] else self.early
        attempts = [attempt(max(memory["damping"], least), 1.0)]
        best = attempts[0]
        if _reaches(best, target):
            best = self._down(attempt, attempts, target, least)
        elif not best.futile:
            best = self._up(attempt, attempts, target)
        attempts = [each for each in attempts if each is not best] + [best]
        if not best.accepted:
            return attempts, {**memory, "damping": best.damping}
        return attempts, self._remember(memory, best.damping)

    def _down(self, attempt: Try, attempts: list[Attempt], target: float, least: float) -> Attempt:
        best = attempts[-1]
        while len(attempts) < self.count and best.damping > least:
            attempts.append(attempt(max(best.damping / self.spacing, least), 1.0))
            if not _reaches(attempts[-1], target):
                break
            best = attempts[-1]
        return best

    def _up(self, attempt: Try, attempts: list[Attempt], target: float) -> Attempt:
        # Where no step of the sweep reaches the target, the one that ends lowest is taken; where
        # none is of any use, the search goes on in larger and larger strides.
        best, stride = attempts[-1], self.spacing
        while len(attempts) < MAX_TRIALS:
            last = attempt(attempts[-1].damping * stride, 1.0)
            attempts.append(last)
            if _reaches(last, target):
                return last
            if (last.accepted and last.cost < best.cost) or not best.accepted:
                best = last
            if last.futile or (len(attempts) >= self.count and best.accepted):
                break
            if len(attempts) >= self.count:
                stride *= 2.0
        return best

    def _remember(self, memory: Memory, damping: float) -> Memory:
        # Early on a low target takes bold steps, which lead to better minima; it would waste trials
        # later, when the damping only scatters. So the target changes once, where the trend of the
        # last `window` dampings no longer falls: a line through them, as single ones jump by 3.
        if memory["settled"]:
            return {**memory, "damping": damping}
        past = [*memory["past"], math.log10(damping)][-self.window :]
        # Decades that the line of least squares through the window falls by.
        size, middle = self.window, (self.window - 1) / 2
        fall = -12 * sum((i - middle) * each for i, each in enumerate(past)) / (size * (size + 1))
        settled = len(past) == size and fall < _SETTLED
        return {"damping": damping, "settled": settled, "past": [] if settled else past}


def _reaches(attempt: Attempt, target: float) -> bool:
    return attempt.accepted and attempt.gain_ratio >= target
