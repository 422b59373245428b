"""Whether adapting the weights paid: fixed against adaptive weights, all else being equal."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Runs that differ in the seed only.

    Attributes:
        strategy: `"fixed"` or the one that moves the weights.
        label: what tells the group from others of its strategy.
        worst: relative L2 error of the worse field of each run, dimensionless; infinite where
            the network has no finite error.
        seeds: of the runs.
    """

    strategy: str
    label: str
    worst: tuple[float, ...]
    seeds: frozenset[int]

    @property
    def name(self) -> str:
        """Strategy and label."""
        return f"{self.strategy} {self.label}".rstrip()

    @property
    def median(self) -> float:
        """Median of `worst`."""
        return statistics.median(self.worst)

    @property
    def smallest(self) -> float:
        """Smallest of `worst`."""
        return min(self.worst)

    @property
    def largest(self) -> float:
        """Largest of `worst`."""
        return max(self.worst)

    @property
    def is_finite(self) -> bool:
        """Whether the median is."""
        return self.median < math.inf

    def overlaps(self, other: Group) -> bool:
        """Return whether the ranges of both over their seeds have a value in common."""
        return self.smallest <= other.largest and other.smallest <= self.largest

    def describe(self) -> str:
        """Return the median, and the range over several seeds."""
        if not self.is_finite:
            return "not finite"
        if len(self.worst) == 1:
            return f"{self.median:.2e}"
        return f"{self.median:.2e} ({self.smallest:.2e} to {self.largest:.2e})"


def verdict(groups: Sequence[Group]) -> str:
    """Say in one sentence whether adapting the weights paid.

    Args:
        groups: of runs whose settings are the same but for the weighting and the seed.

    Returns:
        The sentence, empty unless both fixed and adaptive weights were run.
    """
    fixed = min((g for g in groups if g.strategy == "fixed"), key=_by_median, default=None)
    best = min((g for g in groups if g.strategy != "fixed"), key=_by_median, default=None)
    if fixed is None or best is None:
        return ""
    name, seeds = best.strategy, _seeds(fixed, best)
    if not fixed.is_finite and not best.is_finite:
        return (
            f"Neither fixed nor adaptive weights ({name}) have a finite median error here; {seeds}."
        )
    if math.isclose(fixed.median, best.median, rel_tol=1e-9):
        return (
            f"Fixed and adaptive weights ({name}) end alike here: worst-field error "
            f"{best.describe()}; {seeds}."
        )
    if fixed.overlaps(best):
        return (
            f"Fixed weights and {name} are not told apart here, as their ranges overlap: "
            f"worst-field error {fixed.describe()} and {best.describe()}; {seeds}."
        )
    if fixed.median < best.median:
        return (
            f"Fixed weights win here: worst-field error {fixed.describe()}, against "
            f"{best.describe()} of the best adaptive strategy ({name}); {seeds}."
        )
    times = (
        f", {_times(fixed.median / best.median)} smaller than" if fixed.is_finite else ", against"
    )
    return (
        f"{name} wins here: worst-field error {best.describe()}{times} {fixed.describe()} with "
        f"fixed weights; {seeds}."
    )


def _by_median(group: Group) -> float:
    return group.median


def _times(ratio: float) -> str:
    return f"{ratio:.{1 if ratio >= 2 else 2}f} times"


def _seeds(fixed: Group, best: Group) -> str:
    """Return from how many seeds the sentence is drawn."""
    counts = len(fixed.seeds), len(best.seeds)
    if counts == (1, 1):
        return "one seed"
    if counts[0] == counts[1]:
        return f"{counts[0]} seeds each"
    few, many = (("fixed weights", counts[0]), (best.strategy, counts[1]))
    return f"{_count(few[1])} of {few[0]}, {_count(many[1])} of {many[0]}"


def _count(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"{seeds} seeds"
