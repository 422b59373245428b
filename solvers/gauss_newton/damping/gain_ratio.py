"""Rules for the damping that follow the gain ratio of the last step."""

from __future__ import annotations

from dataclasses import dataclass

from .rule import Attempt, Memory, Try, try_dampings


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
        {'damping': 0.001}
    """

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
        """
        attempts, damping = try_dampings(
            attempt,
            max(memory["damping"], least),
            lambda damping, rejections: damping * 2.0**rejections,
        )
        if attempts[-1].accepted:
            gain = min(attempts[-1].gain_ratio, 10.0)
            damping *= max(1 / 3, 1 - (2 * gain - 1) ** 3)
        return attempts, {"damping": max(damping, least)}


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
        """Try larger and larger dampings until a step is accepted.

        Args:
            attempt: Computes a step and the cost at its end.
            memory: From `start` or the last call.
            least: Smallest damping.

        Returns:
            All attempts and the new memory.
        """
        attempts, damping = try_dampings(
            attempt,
            max(memory["damping"], least),
            lambda damping, rejections: damping * self.up**rejections,
        )
        if attempts[-1].accepted:
            if attempts[-1].gain_ratio > self.good:
                damping /= self.down
            elif attempts[-1].gain_ratio < self.poor:
                damping *= self.up
        return attempts, {"damping": max(damping, least)}
