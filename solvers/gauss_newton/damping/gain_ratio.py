"""Rules for the damping that follow the gain ratio of the last step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .rule import Attempt, Memory, Try, try_dampings


@dataclass(frozen=True)
class _OneDamping(ABC):
    # What both rules share: they try larger and larger dampings until a step is accepted, and
    # remember one number.

    initial: float = 1e-3

    def start(self) -> Memory:
        """Return what it remembers before the first step."""
        return {"damping": self.initial}

    def search(self, attempt: Try, memory: Memory, least: float) -> tuple[list[Attempt], Memory]:
        """Try larger and larger dampings until a step is accepted.

        Args:
            attempt: Computes a step and the cost at its end.
            memory: From `start` or the last call.
            least: Smallest damping.

        Returns:
            All attempts and the new memory.

        >>> def attempt(damping, fraction):  # what is promised comes about once damping is 0.004
        ...     return Attempt(damping, reduction=damping >= 0.004, predicted=1.0, cost=0.1)
        >>> tried, memory = Nielsen().search(attempt, {"damping": 0.001}, 1e-15)
        >>> [each.damping for each in tried], round(memory["damping"], 5)
        ([0.001, 0.002, 0.008], 0.00267)
        """
        first = max(memory["damping"], least)
        attempts, damping = try_dampings(attempt, first, self._raised)
        if attempts[-1].accepted:
            damping = self._followed(damping, attempts[-1].gain_ratio)
        return attempts, {"damping": max(damping, least)}

    @abstractmethod
    def _raised(self, damping: float, rejections: int) -> float:
        """Return the damping after so many rejections."""

    @abstractmethod
    def _followed(self, damping: float, gain: float) -> float:
        """Return the damping after a step that was accepted."""


@dataclass(frozen=True)
class Nielsen(_OneDamping):
    """Damping that falls smoothly with the gain ratio, and rises faster and faster on rejections.

    `damping *= max(1/3, 1 - (2 gain - 1)^3)` after a step; factors 2, 4, 8, … after rejections.
    Madsen, Nielsen and Tingleff, Methods for Non-Linear Least Squares Problems (2004), eq. (2.21)
    and algorithm 3.16.

    Attributes:
        initial: First damping, dimensionless.

    Example:
        >>> Nielsen().start()
        {'damping': 0.001}
    """

    def _raised(self, damping: float, rejections: int) -> float:
        return damping * 2.0**rejections

    def _followed(self, damping: float, gain: float) -> float:
        return damping * max(1 / 3, 1 - (2 * min(gain, 10.0) - 1) ** 3)


@dataclass(frozen=True)
class GainRatio(_OneDamping):
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

    poor: float = 0.25
    good: float = 0.75
    up: float = 2.0
    down: float = 3.0

    def _raised(self, damping: float, rejections: int) -> float:
        return damping * self.up**rejections

    def _followed(self, damping: float, gain: float) -> float:
        if gain > self.good:
            return damping / self.down
        return damping * self.up if gain < self.poor else damping
