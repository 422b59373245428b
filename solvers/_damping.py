"""How far a step goes: rules for the damping, and a line search for the undamped direction.

A rule is a frozen value; what it remembers from step to step is a dictionary of plain numbers and
lists, so that it can be saved.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import Tensor

__all__ = ["Attempt", "GainRatio", "LineSearch", "Nielsen", "Rule", "TargetRatio", "find", "names"]

Memory = dict[str, Any]

# A step has to bring at least this part of what the model promised: below it is rounding.
_ACCEPT = 1e-4
_MAX_TRIALS = 60


@dataclass(frozen=True)
class Attempt:
    """A step that has been tried.

    Attributes:
        damping: Damping relative to the scale of J^T J, dimensionless.
        fraction: Part of the direction that was taken.
        step: [n], or None where no direction could be computed.
        residual: [m] at the end of the step.
        cost: Half the sum of squares there; infinite where it is not finite.
        reduction: Cost before less cost after.
        predicted: The same of the linear model.
        relative: Length of the step in units of that of x, both in the norm of D.
        futile: No smaller step can bring more than rounding.
        fallback: What replaced the Cholesky factorisation, or None.
    """

    damping: float
    fraction: float
    step: Tensor | None
    residual: Tensor | None
    cost: float
    reduction: float
    predicted: float
    relative: float = math.nan
    futile: bool = False
    fallback: str | None = None

    @property
    def gain_ratio(self) -> float:
        """Reduction of the cost in units of the predicted one; -inf where there is none."""
        if not (self.predicted > 0 and math.isfinite(self.cost)):
            return -math.inf
        return self.reduction / self.predicted

    @property
    def accepted(self) -> bool:
        """Whether the step may be taken."""
        return self.gain_ratio > _ACCEPT

    def give_up(self) -> Attempt:
        """Return the same attempt, marked as futile."""
        return replace(self, futile=True)


Try = Callable[[float, float], Attempt]


class Rule(Protocol):
    """Says how far a step goes."""

    def start(self) -> Memory:
        """Return what it remembers before the first step."""

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Try steps until one is accepted or none can be.

        Args:
            attempt: `attempt(damping, fraction)` computes and evaluates a step.
            memory: From `start` or the last call; not modified.
            least: Smallest damping that rounding leaves a meaning.

        Returns:
            All attempts, the one to take last, and the new memory.
        """


def _search(
    attempt: Try,
    damping: float,
    raise_: Callable[[float, int], float],
) -> tuple[list[Attempt], float]:
    # The loop that the rules of one damping share: `raise_(damping, rejections)`.
    attempts: list[Attempt] = []
    while len(attempts) < _MAX_TRIALS:
        attempts.append(attempt(damping, 1.0))
        if attempts[-1].accepted or attempts[-1].futile:
            break
        damping = raise_(damping, len(attempts))
    return attempts, damping


@dataclass(frozen=True)
class Nielsen:
    """Damping that falls smoothly with the gain ratio, and rises faster and faster on rejections.

    `damping *= max(1/3, 1 - (2 gain - 1)^3)` after a step; factors 2, 4, 8, … after rejections.
    Madsen, Nielsen and Tingleff, Methods for Non-Linear Least Squares Problems (2004), eq. (2.21)
    and algorithm 3.16.

    Attributes:
        initial: First damping, dimensionless.

    Example:
        >>> Nielsen().start()
        {'damping': 0.001, 'growth': 2.0}
    """

    initial: float = 1e-3

    def start(self) -> Memory:
        """Return what it remembers before the first step."""
        return {"damping": self.initial, "growth": 2.0}

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Try larger and larger dampings until a step is accepted."""
        growth = memory["growth"]

        def raise_(damping: float, rejections: int) -> float:
            return damping * growth * 2.0 ** (rejections - 1)

        attempts, damping = _search(attempt, max(memory["damping"], least), raise_)
        last = attempts[-1]
        if not last.accepted:
            return attempts, {"damping": damping, "growth": growth}
        factor = max(1 / 3, 1 - (2 * min(last.gain_ratio, 1e3) - 1) ** 3)
        return attempts, {"damping": max(damping * factor, least), "growth": 2.0}


@dataclass(frozen=True)
class GainRatio:
    """Damping that falls by a factor after good steps and rises by one after poor steps.

    Marquardt's strategy in the form of Madsen, Nielsen and Tingleff (2004), eq. (2.20).

    Attributes:
        initial: First damping, dimensionless.
        poor: Gain ratio below which the damping rises.
        good: Gain ratio above which it falls.
        up: Factor by which it rises.
        down: Factor by which it falls.

    Example:
        >>> GainRatio(initial=0.1).start()
        {'damping': 0.1}
    """

    initial: float = 1e-3
    poor: float = 0.25
    good: float = 0.75
    up: float = 2.0
    down: float = 3.0

    def start(self) -> Memory:
        """Return what it remembers before the first step."""
        return {"damping": self.initial}

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Try larger and larger dampings until a step is accepted."""

        def raise_(damping: float, rejections: int) -> float:
            return damping * self.up**rejections

        attempts, damping = _search(attempt, max(memory["damping"], least), raise_)
        gain = attempts[-1].gain_ratio
        if attempts[-1].accepted and gain > self.good:
            damping /= self.down
        elif attempts[-1].accepted and gain < self.poor:
            damping *= self.up
        return attempts, {"damping": max(damping, least)}


@dataclass(frozen=True)
class TargetRatio:
    """The boldest of a sweep of dampings whose gain ratio reaches a target.

    One linearisation serves the sweep. It starts at the last damping and goes down while the target
    is reached, up until it is, so that two or three of its steps are tried as a rule. The target is
    low while the damping falls, as bold early steps end in better minima, and higher once it has
    settled: the idea of DSGNAR, here with the damping in place of a radius.

    Attributes:
        initial: First damping, dimensionless.
        early: Target while the damping falls.
        late: Target afterwards.
        spacing: Factor between neighbours of the sweep.
        count: Dampings in a sweep, 4 to 8.
        window: Steps over which the damping must not have fallen for `late` to begin.

    Example:
        >>> TargetRatio().start()
        {'damping': 0.001, 'settled': False, 'past': []}
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

    def start(self) -> Memory:
        """Return what it remembers before the first step."""
        return {"damping": self.initial, "settled": False, "past": []}

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Go down or up from the last damping to the boldest step that reaches the target."""
        target = self.late if memory["settled"] else self.early
        damping = max(memory["damping"], least)
        attempts = [attempt(damping, 1.0)]
        best = attempts[0]
        if best.accepted and best.gain_ratio >= target:
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
            # A bolder step that costs more than the tamer one is not worth its boldness.
            if not (attempts[-1].accepted and attempts[-1].gain_ratio >= target):
                break
            best = attempts[-1]
        return best

    def _up(self, attempt: Try, attempts: list[Attempt], target: float) -> Attempt:
        best, factor = attempts[-1], self.spacing
        while len(attempts) < _MAX_TRIALS:
            attempts.append(attempt(attempts[-1].damping * factor, 1.0))
            last = attempts[-1]
            if last.futile or (last.accepted and last.gain_ratio >= target):
                return last if last.accepted or not best.accepted else best
            if last.accepted and (not best.accepted or last.cost < best.cost):
                best = last
            if len(attempts) >= self.count:
                if best.accepted:
                    break
                factor *= 2.0  # beyond the sweep only to find any step at all
        return best

    def _remember(self, memory: Memory, damping: float) -> Memory:
        settled, past = memory["settled"], memory["past"]
        if not settled:
            past = [*past, math.log10(damping)][-self.window :]
            middle = (len(past) - 1) / 2
            slope = sum((i - middle) * value for i, value in enumerate(past))
            if len(past) == self.window and slope >= 0:
                settled, past = True, []
        return {"damping": damping, "settled": settled, "past": past}


@dataclass(frozen=True)
class LineSearch:
    """The undamped Gauss-Newton direction, shortened until the cost falls enough.

    Backtracking by the minimum of the parabola through the cost, its slope and the last trial:
    Nocedal and Wright, Numerical Optimization (2006), section 3.5.

    Attributes:
        sufficient: Part of the slope that a step must bring: their c_1.

    Example:
        >>> LineSearch().start()
        {'damping': 0.0}
    """

    sufficient: float = 1e-4

    def start(self) -> Memory:
        """Return what it remembers before the first step."""
        return {"damping": 0.0}

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Try the whole direction, then shorter and shorter parts of it."""
        attempts = [attempt(0.0, 1.0)]
        while not (attempts[-1].accepted or attempts[-1].futile or len(attempts) >= _MAX_TRIALS):
            last = attempts[-1]
            if last.step is None:
                break
            shrink = 0.1
            if math.isfinite(last.cost):
                # The model promises p(t) = s t - q t^2 / 2 with p = s / 2 at t = 1: s = q.
                slope = last.predicted / (last.fraction * (1 - last.fraction / 2))
                curvature = 2 * (slope * last.fraction - last.reduction) / last.fraction**2
                shrink = min(max(slope / (curvature * last.fraction), 0.1), 0.5)
            attempts.append(attempt(0.0, last.fraction * shrink))
        return attempts, dict(memory)


_ALL: dict[str, type] = {
    "gain_ratio": GainRatio,
    "line_search": LineSearch,
    "nielsen": Nielsen,
    "target": TargetRatio,
}


def names() -> list[str]:
    """Return the names of all rules.

    Returns:
        The names, sorted.

    Example:
        >>> names()
        ['gain_ratio', 'line_search', 'nielsen', 'target']
    """
    return sorted(_ALL)


def find(rule: str | Rule) -> Rule:
    """Return a rule by name, with its defaults; a rule is its own answer.

    Args:
        rule: A name or a rule.

    Returns:
        The rule.

    Raises:
        ValueError: If there is no rule of that name.
    """
    if not isinstance(rule, str):
        return rule
    if rule not in _ALL:
        raise ValueError(f"`damping` must be a rule or one of {', '.join(names())}, got {rule!r}.")
    return _ALL[rule]()
