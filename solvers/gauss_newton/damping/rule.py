"""A step that was tried, and what a rule is that says how far steps go."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

# What a rule remembers from step to step: plain numbers, truth values and lists of them.
Memory = dict[str, Any]

# A step has to bring at least this part of what the model promised: below it is rounding.
_ACCEPT = 1e-4
MAX_TRIALS = 60


@dataclass(frozen=True)
class Attempt:
    """A step that was tried.

    Attributes:
        damping: Damping relative to the scale of J^T J, dimensionless.
        fraction: Part of the direction that was taken.
        step: [n], or None where no direction could be computed.
        residual: [m] at the end of the step.
        cost: Cost there; infinite where it is not finite.
        reduction: Cost before less cost after.
        predicted: The same of the linear model.
        relative: Length of the step in units of that of x, both in the norm of D.
        norm: Length of the step, in units of the parameters.
        futile: No smaller step can bring more than rounding.
        fallback: What replaced the Cholesky factors, or None.
        x: [n], parameters at the end of the step.
        measures: What the problem measures of the residual there; see `MeasuredProblem`.
    """

    damping: float
    fraction: float = 1.0
    step: Tensor | None = None
    residual: Tensor | None = None
    cost: float = math.inf
    reduction: float = -math.inf
    predicted: float = 0.0
    relative: float = math.nan
    norm: float = math.nan
    futile: bool = False
    fallback: str | None = None
    x: Tensor | None = None
    measures: tuple[float, ...] = ()

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


@runtime_checkable
class Rule(Protocol):
    """Says how far a step goes: a frozen value, whose memory is handed in and out.

    Example:
        >>> from solvers.gauss_newton import Nielsen, TargetRatio
        >>> isinstance(Nielsen(), Rule), isinstance(TargetRatio(), Rule)
        (True, True)
        >>> memory = Nielsen().start()
        >>> best = Attempt(1e-3, reduction=0.9, predicted=1.0, cost=0.1)  # as promised, nearly
        >>> tried, memory = Nielsen().search(lambda damping, fraction: best, memory, 1e-12)
        >>> len(tried), memory["damping"] < Nielsen().start()["damping"]
        (1, True)
    """

    def start(self) -> Memory:
        """Return what it remembers before the first step, the "damping" among it."""

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Try steps until one is accepted or none can be.

        Args:
            attempt: `attempt(damping, fraction)` computes a step and the cost at its end.
            memory: From `start` or the last call; not modified.
            least: Smallest damping that means anything beside rounding.

        Returns:
            All attempts, the one to take last, and the new memory.
        """


@runtime_checkable
class Successor(Protocol):
    """A rule that can go on where another one was in force when a state was saved."""

    def memory_after(self, memory: Memory) -> Memory | None:
        """Return a memory to go on with.

        Args:
            memory: Of the other rule; not modified.

        Returns:
            A memory of this rule, None if the other one is none that it can follow.
        """


def try_dampings(
    attempt: Try, damping: float, raised: Callable[[float, int], float]
) -> tuple[list[Attempt], float]:
    """Try one damping after another until a step is accepted or none can be.

    Args:
        attempt: As in `Rule.search`.
        damping: The first damping.
        raised: `raised(damping, rejections)` is the damping after so many rejections.

    Returns:
        All attempts, and the damping of the last one.
    """
    attempts: list[Attempt] = []
    while True:
        attempts.append(attempt(damping, 1.0))
        if attempts[-1].accepted or attempts[-1].futile or len(attempts) >= MAX_TRIALS:
            return attempts, damping
        damping = raised(damping, len(attempts))
