"""How far a step goes: boldly at first, and on like that where it has led somewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .gain_ratio import Nielsen
from .rule import Attempt, Memory, Try
from .target_ratio import TargetRatio


@dataclass(frozen=True)
class BoldStart:
    """A target for the gain ratio at first; Nielsen's rule where the damping did not fall by it.

    Bold steps from a fresh network lead to minima that are lower by orders of magnitude, or to
    none. Which of them it is shows early: either the damping falls at once to where steps are
    hardly damped, or it stays, and a sweep of dampings a step is a waste. So after `steps` accepted
    steps the damping decides, for good: below the square root of the smallest one the sweep goes
    on. A step that takes a damping of 1, the size of J^T J itself, decides before that.

    Attributes:
        bold: The rule of the first steps.
        calm: The rule that may take over, from the damping at hand.
        steps: Accepted steps after which that is decided, at least 1.

    Raises:
        ValueError: If `steps` is less than 1.

    Example:
        >>> BoldStart().start()["damping"]
        0.001
        >>> from solvers.gauss_newton.damping.rule import Attempt
        >>> def attempt(damping, fraction):
        ...     return Attempt(damping, reduction=1.0, predicted=1.0, cost=1.0)
        >>> tried, memory = BoldStart().search(attempt, BoldStart().start(), least=1e-15)
        >>> len(tried), memory["damping"] < 1e-5  # a sweep
        (6, True)
        >>> memory = BoldStart().memory_after(Nielsen().start())
        >>> len(BoldStart().search(attempt, memory, least=1e-15)[0])
        1
    """

    bold: TargetRatio = field(default_factory=lambda: TargetRatio(early=0.2))
    calm: Nielsen = field(default_factory=Nielsen)
    steps: int = 10

    def __post_init__(self) -> None:
        if not self.steps >= 1:
            raise ValueError(f"`steps` must be at least 1, got {self.steps}.")

    def start(self) -> Memory:
        """Return what it remembers before the first step."""
        return {**self.bold.start(), "steps": 0, "calm": False}

    def memory_after(self, memory: Memory) -> Memory | None:
        """Return a memory to go on with where Nielsen's rule, the former default, has left off.

        Args:
            memory: Of another rule.

        Returns:
            One by which Nielsen's rule stays in force; None if the memory is not of that rule.
        """
        if set(memory) != set(self.calm.start()):
            return None
        return {**self.start(), **memory, "calm": True}

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Try steps by the rule that is in force.

        Args:
            attempt: Computes a step and the cost at its end.
            memory: From `start` or the last call.
            least: Smallest damping.

        Returns:
            All attempts, the one to take last, and the new memory.
        """
        if memory["calm"]:
            attempts, found = self.calm.search(attempt, memory, least)
            return attempts, {**memory, **found}
        attempts, found = self.bold.search(attempt, memory, least)
        steps = memory["steps"] + attempts[-1].accepted
        most = 1.0 if steps < self.steps else math.sqrt(least)
        undecided = attempts[-1].accepted and steps <= self.steps
        calm = bool(undecided and found["damping"] > most)
        return attempts, {**memory, **found, "steps": steps, "calm": calm}
