"""How far a step goes without damping: a line search."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .rule import MAX_TRIALS, Attempt, Memory, Try


@dataclass(frozen=True)
class LineSearch:
    """The undamped Gauss-Newton direction, shortened until the cost falls.

    Backtracking to the minimum of the parabola through the cost, its slope and the last trial,
    between a tenth and a half of that: Nocedal and Wright, Numerical Optimization (2006), section
    3.5.

    Example:
        >>> LineSearch().start()
        {'damping': 0.0}
        >>> import torch
        >>> from solvers.gauss_newton.damping.rule import Attempt
        >>> def attempt(damping, fraction):  # the cost falls along the first half of the direction
        ...     promised, fall = fraction - fraction**2 / 2, fraction - 2 * fraction**2
        ...     step = torch.tensor([fraction])
        ...     return Attempt(0.0, fraction, step, cost=1, reduction=fall, predicted=promised)
        >>> tried, _ = LineSearch().search(attempt, LineSearch().start(), least=0.0)
        >>> [each.fraction for each in tried]
        [1.0, 0.25]
    """

    def start(self) -> Memory:
        """Return what it remembers before the first step: nothing but that there is no damping."""
        return {"damping": 0.0}

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Try the whole direction, then shorter and shorter parts of it.

        Args:
            attempt: Computes a part of the direction and the cost at its end.
            memory: From `start`.
            least: Not used.

        Returns:
            All attempts, and the memory as it was.
        """
        attempts = [attempt(0.0, 1.0)]
        while len(attempts) < MAX_TRIALS:
            last = attempts[-1]
            if last.accepted or last.futile or last.step is None:
                break
            attempts.append(attempt(0.0, last.fraction * _shrink(last)))
        return attempts, dict(memory)


def _shrink(last: Attempt) -> float:
    if not math.isfinite(last.cost):
        return 0.1
    # The model of a Gauss-Newton direction promises `slope (t - t^2 / 2)` at a fraction t.
    t = last.fraction
    slope = last.predicted / (t - t**2 / 2)
    curvature = 2 * (slope * t - last.reduction) / t**2
    if not curvature > 0:  # beside bounds it is no parabola
        return 0.5
    return min(max(slope / (curvature * t), 0.1), 0.5)
