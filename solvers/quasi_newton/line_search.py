"""How far to go along a direction: strong Wolfe conditions, and approximate ones near rounding."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..checks import number_problem, require

_GROW = 10.0  # most that a step grows by where the function still falls
_CUT = 0.1  # of a step that was not finite
_LEAST = 1e-14  # of the first step, below which there is none
_MARGIN = 0.1  # of a bracket that trials keep from its ends
_SLOW = 2.0 / 3.0  # two trials that leave more of a bracket are followed by a bisection


@dataclass(frozen=True)
class Trial:
    """The function at one step along the direction.

    Attributes:
        alpha: Length of the step in units of the direction.
        value: Of the function.
        slope: Its derivative by alpha.
        gradient: [n].
        more: What the function has returned beside value and gradient.

    Example:
        >>> Trial(0.5, 1.25, -0.5).is_finite, Trial(1.0, float("nan"), 0.0).is_finite
        (True, False)
    """

    alpha: float
    value: float
    slope: float
    gradient: Tensor | None = None
    more: Any = None

    @property
    def is_finite(self) -> bool:
        """Whether value and slope are numbers; a gradient that is not has no such slope."""
        return math.isfinite(self.value) and math.isfinite(self.slope)


@dataclass(frozen=True)
class LineSearch:
    """The conditions that end a search.

    A step is long enough once the slope has fallen in size (strong Wolfe: Nocedal and Wright,
    Numerical Optimization, 2nd edition, eq. 3.7), and short enough while the value falls by a part
    of what the slope at the start promises. Where the value is that of the start but for rounding,
    it says nothing of the kind; there the slope decides, by the approximate conditions of Hager
    and Zhang, SIAM J. Optim. 16 (2005), eq. (4.1).

    Args:
        decrease: Part of the promised fall that is enough.
        curvature: Part of the slope at the start that may be left; a small one finds the minimum
            along the line.
        flat: Change of the value, as a part of it, up to which slopes decide.
        evaluations: Most in a search.

    Raises:
        ValueError: If `0 < decrease < curvature < 1` does not hold, or a number is out of range.

    Example:
        >>> parabola = lambda a: Trial(a, (a - 3.0) ** 2, 2.0 * (a - 3.0))
        >>> LineSearch(curvature=0.1).search(parabola, parabola(0.0), 1.0).alpha
        3.0
    """

    decrease: float = 1e-4
    curvature: float = 0.9
    flat: float = 1e-6
    evaluations: int = 25

    def __post_init__(self) -> None:
        wanted = "a number with 0 < decrease < curvature < 1"
        for name in ("decrease", "curvature"):
            require(number_problem(name, getattr(self, name), wanted, above=0.0))
        if not self.decrease < self.curvature < 1.0:
            got = f"{self.decrease!r} and {self.curvature!r}"
            raise ValueError(f"`decrease` and `curvature` must be {wanted}, got {got}.")
        require(
            number_problem("flat", self.flat, "a number of at least 0", least=0.0),
            number_problem(
                "evaluations", self.evaluations, "a whole number >= 1", least=1.0, whole=True
            ),
        )

    def search(
        self, evaluate: Callable[[float], Trial], start: Trial, first: float, left: float = math.inf
    ) -> Trial | None:
        """Look for a step.

        Args:
            evaluate: Returns the function at a step.
            start: The function at 0; its slope is negative.
            first: The step to begin with.
            left: Evaluations that may be made at most, beside `evaluations`.

        Returns:
            A step that meets the conditions; where none was found, the lowest that has lowered the
            function enough, None if there is none.
        """
        return _Search(self, evaluate, start, min(self.evaluations, left)).run(first)


class _Search:
    """A search under way."""

    def __init__(
        self, rules: LineSearch, evaluate: Callable[[float], Trial], start: Trial, left: float
    ) -> None:
        self.rules, self.start, self.left = rules, start, left
        self._evaluate = evaluate
        self._noise = rules.flat * abs(start.value)
        self._lowest: Trial | None = None

    def run(self, alpha: float) -> Trial | None:
        """Go on until the function rises again, then look in between."""
        least_of_all = _LEAST * alpha
        before, beyond = self.start, math.inf  # the latter is the least step that is not finite
        while self.left > 0 and alpha > least_of_all:
            trial = self._try(alpha)
            if not trial.is_finite:
                beyond = alpha
                alpha = before.alpha + _CUT * (alpha - before.alpha)
                continue
            if self._is_enough(trial):
                return trial
            if self._is_worse(trial, before):
                return self._zoom(before, trial)
            if trial.slope >= 0:
                return self._zoom(trial, before)
            guess = _minimum(before, trial)
            least = trial.alpha + (trial.alpha - before.alpha)
            most = min(_GROW * trial.alpha, 0.5 * (trial.alpha + beyond))
            alpha = min(max(guess if guess > trial.alpha else most, least), most)
            before = trial
        return self._lowest

    def _zoom(self, low: Trial, high: Trial) -> Trial | None:
        """Look between two steps; the minimum is on the side of `low` that its slope points to."""
        widths = [math.inf, math.inf]
        while self.left > 0:
            width = abs(high.alpha - low.alpha)
            slow = width > _SLOW * widths[0]
            widths = [widths[1], width]
            alpha = self._between(low, high, bisect=slow)
            if alpha in (low.alpha, high.alpha):  # there is no number between them
                break
            trial = self._try(alpha)
            if self._is_enough(trial):
                return trial
            if not trial.is_finite or self._is_worse(trial, low):
                high = trial
            else:
                if trial.slope * (high.alpha - low.alpha) >= 0:
                    high = low
                low = trial
        return self._lowest

    def _between(self, low: Trial, high: Trial, bisect: bool) -> float:
        if not high.is_finite:
            return low.alpha + _CUT * (high.alpha - low.alpha)
        middle = 0.5 * (low.alpha + high.alpha)
        if bisect:
            return middle
        if abs(high.value - low.value) <= self._noise and low.slope * high.slope < 0:
            # Values say nothing any more: the zero of the slope, by its secant.
            part = low.slope / (low.slope - high.slope)
            guess = low.alpha + part * (high.alpha - low.alpha)
        else:
            guess = _minimum(low, high)
        left, right = sorted((low.alpha, high.alpha))
        margin = _MARGIN * (right - left)
        return min(max(guess, left + margin), right - margin) if math.isfinite(guess) else middle

    def _try(self, alpha: float) -> Trial:
        self.left -= 1
        trial = self._evaluate(alpha)
        lower = self.start.value if self._lowest is None else self._lowest.value
        if trial.is_finite and trial.value < lower and trial.value <= self._promised(alpha):
            self._lowest = trial
        return trial

    def _promised(self, alpha: float) -> float:
        return self.start.value + self.rules.decrease * alpha * self.start.slope

    def _is_enough(self, trial: Trial) -> bool:
        """Return whether a trial meets the strong or, near rounding, approximate conditions."""
        if not trial.is_finite:
            return False
        left_over = self.rules.curvature * abs(self.start.slope)
        if abs(trial.slope) > left_over:
            return False
        if trial.value <= self._promised(trial.alpha):
            return True
        # Hager and Zhang's delta is 0.1; their upper bound holds where the value has risen, too.
        return self._is_flat(trial, self.start) and trial.slope <= 0.8 * abs(self.start.slope)

    def _is_flat(self, trial: Trial, other: Trial) -> bool:
        return abs(trial.value - other.value) <= self._noise

    def _is_worse(self, trial: Trial, low: Trial) -> bool:
        """Return whether a finite trial is too high to be a new lower end of the bracket."""
        if self._is_flat(trial, self.start) and self._is_flat(trial, low):
            return False  # its slope decides
        return trial.value > self._promised(trial.alpha) or trial.value >= low.value


def _minimum(one: Trial, other: Trial) -> float:
    """Return the minimum of the cubic through two trials and their slopes, NaN for none.

    Nocedal and Wright, Numerical Optimization, 2nd edition, eq. (3.59).
    """
    width = other.alpha - one.alpha
    first = one.slope + other.slope - 3.0 * (one.value - other.value) / (one.alpha - other.alpha)
    square = first * first - one.slope * other.slope
    if not square >= 0.0:
        return math.nan
    second = math.copysign(math.sqrt(square), width)
    below = other.slope - one.slope + 2.0 * second
    return other.alpha - width * (other.slope + second - first) / below if below else math.nan
