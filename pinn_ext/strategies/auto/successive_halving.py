"""Successive halving: how long pilots train, how they are scored, who goes on. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

LEAST = 5
"""Periods that a training must have for pilots to make sense in it."""

LEAST_OF_PILOTS = 3
"""Periods that pilots may always take, of which one is common to all."""


class Round(NamedTuple):
    """A round of pilots.

    Attributes:
        candidates: how many take part.
        periods: length of the block that each of them gets.
    """

    candidates: int
    periods: int


def plan(candidates: int, periods: int, part: float = 0.3, factor: int = 2) -> list[Round]:
    """Return rounds of pilots, each with `1 / factor` of the candidates of the one before.

    One period comes before them, which all candidates have in common: no strategy has moved the
    weights yet. As many candidates take part as one period each in every round has room for; then
    the rounds are lengthened, the one that has been given least first, as successive halving has
    it (Jamieson and Talwalkar 2016, algorithm 1: equal budgets for all rounds).

    Args:
        candidates: how many there are, at least 1.
        periods: length of the whole training, at least `LEAST`.
        part: of the training that pilots may take, the common period included, in (0, 1); three
            periods they always may, of which one is lost.
        factor: of which one in each round goes on, at least 2.

    Returns:
        The rounds, none if there is nothing to choose from.

    >>> plan(4, 50)
    [Round(candidates=4, periods=2), Round(candidates=2, periods=3)]
    >>> plan(4, 10)
    [Round(candidates=2, periods=1)]
    """
    room = max(math.floor(part * periods + 1e-9), LEAST_OF_PILOTS) - 1
    sizes: list[int] = []
    for count in range(candidates, 1, -1):
        sizes = _sizes(count, factor)
        if sum(sizes) <= room:
            break
    lengths = [1] * len(sizes)
    while True:
        spent = [size * length for size, length in zip(sizes, lengths, strict=True)]
        fitting = [r for r in reversed(range(len(sizes))) if sum(spent) + sizes[r] <= room]
        if not fitting:
            return [Round(*pair) for pair in zip(sizes, lengths, strict=True)]
        lengths[min(fitting, key=spent.__getitem__)] += 1


def _sizes(count: int, factor: int) -> list[int]:
    """Return how many candidates take part in each round until one is left."""
    sizes = []
    while count > 1:
        sizes.append(count)
        count = -(-count // factor)
    return sizes


def ranking(scores: Sequence[float]) -> list[int]:
    """Return the indices of finite scores, the smallest first; of equals, the first."""
    finite = [i for i, score in enumerate(scores) if math.isfinite(score)]
    return sorted(finite, key=scores.__getitem__)


def takes_over(own: Sequence[float], incumbent: Sequence[float], margin: float) -> bool:
    """Return whether a candidate is so much better than the incumbent that it takes its place.

    Its advantage is the mean over periods of `log(incumbent / own)`. It has to be larger than the
    logarithm of the margin, and than the spread of the advantage: its largest less its smallest.

    Args:
        own: scores at the ends of the same periods `[n]`, smaller is better.
        incumbent: those of the incumbent `[n]`; of two lengths the last ones in common count.
        margin: factor between the scores, at least 1, dimensionless.

    Returns:
        Whether it takes over; a score that is not finite never does, and always loses.

    >>> takes_over([0.1, 0.05], [0.4, 0.2], 2.0), takes_over([0.1, 0.19], [0.4, 0.2], 2.0)
    (True, False)
    """
    pairs = list(zip(reversed(own), reversed(incumbent), strict=False))
    if not pairs or not all(math.isfinite(score) for score, _ in pairs):
        return False
    if not all(math.isfinite(other) for _, other in pairs):
        return True
    ahead = [math.log(max(other, 1e-300)) - math.log(max(score, 1e-300)) for score, other in pairs]
    spread = max(ahead) - min(ahead)
    return math.fsum(ahead) / len(ahead) > max(math.log(margin), spread)


def scaled_score(
    losses: Sequence[float],
    start: Sequence[float],
    scales: Sequence[float] | None = None,
    conditions: Sequence[bool] | None = None,
    condition_factor: float = 10.0,
) -> float:
    """Return the dimensionless sum `sum_i c_i L_i / s_i^2`, over its value at the start.

    Args:
        losses: raw losses `[k]` on held-out points.
        start: the same before the first step `[k]`.
        scales: size of the field that each term is about `[k]`, in the units of the root of its
            loss; None for ones.
        conditions: whether each term is a condition `[k]`; None for no.
        condition_factor: c_i of a condition; that of an equation is 1.

    Returns:
        A number, dimensionless, smaller is better; infinite if a loss is not finite.
    """
    scales = [1.0] * len(losses) if scales is None else scales
    conditions = [False] * len(losses) if conditions is None else conditions
    factors = [condition_factor if condition else 1.0 for condition in conditions]

    def total(values: Sequence[float]) -> float:
        rows = zip(factors, values, scales, strict=True)
        return sum(factor * value / scale / scale for factor, value, scale in rows)

    score, first = total(losses), total(start)
    if not math.isfinite(score):
        return math.inf
    return score / first if 0.0 < first < math.inf else score


def geometric_score(losses: Sequence[float], start: Sequence[float]) -> float:
    """Return the geometric mean over terms of the raw loss over its value at the start.

    Args:
        losses: raw losses `[k]` on held-out points.
        start: the same before the first step `[k]`; terms that began at 0 do not count.

    Returns:
        A number, dimensionless, smaller is better; infinite if a loss is not finite.
    """
    if not all(map(math.isfinite, losses)):
        return math.inf
    pairs = [(loss, first) for loss, first in zip(losses, start, strict=True) if first > 0.0]
    logs = [math.log(max(loss, 1e-300)) - math.log(first) for loss, first in pairs]
    return math.exp(sum(logs) / len(logs)) if logs else 0.0
