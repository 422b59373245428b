"""Statistics of a study: medians, ranks, a critical difference, paired tests. Pure functions."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LEVEL = 0.05
"""Of all tests, and of the critical difference."""


class Summary(NamedTuple):
    """Numbers over the seeds.

    Attributes:
        median: of all, those that have failed counted as infinite.
        smallest: of all.
        largest: of all, infinite where one has failed.
        runs: how many there are.
    """

    median: float
    smallest: float
    largest: float
    runs: int


def summary(values: Sequence[float | None]) -> Summary:
    """Return median and range of numbers.

    Args:
        values: None and numbers that are not finite stand for failures, and count as infinite.

    Returns:
        The summary; all infinite without values.

    >>> summary([3.0, 1.0, None])
    Summary(median=3.0, smallest=1.0, largest=inf, runs=3)
    """
    numbers = [finite_or_inf(value) for value in values]
    if not numbers:
        return Summary(math.inf, math.inf, math.inf, 0)
    return Summary(statistics.median(numbers), min(numbers), max(numbers), len(numbers))


def finite_or_inf(value: float | None) -> float:
    """Return a number, infinity in the place of what is none."""
    return value if value is not None and math.isfinite(value) else math.inf


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each number, 1 for the smallest; equal ones share the mean rank.

    Args:
        values: infinite ones are the last, and equal.

    >>> ranks([0.2, 0.1, 0.2])
    [2.5, 1.0, 2.5]
    """
    from scipy.stats import rankdata

    found: list[float] = rankdata(values).tolist()
    return found


def mean_ranks(table: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean rank of each of k methods over n problems.

    Args:
        table: n rows of k numbers, smaller is better.

    >>> mean_ranks([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0]])
    [1.5, 1.5, 3.0]
    """
    by_row = [ranks(row) for row in table]
    return [statistics.fmean(column) for column in zip(*by_row, strict=True)]


def critical_difference(methods: int, problems: int, level: float = LEVEL) -> float:
    """Return by how much mean ranks must differ to be told apart (Nemenyi).

    `q sqrt(k (k + 1) / (6 n))`, q the quantile of the studentized range of k means with infinitely
    many degrees of freedom, over the root of 2 (Demsar 2006, J. Mach. Learn. Res. 7, section
    3.2.2).

    Args:
        methods: k, at least 2.
        problems: n, at least 1.
        level: of the test.

    Returns:
        A difference of ranks, dimensionless.

    >>> round(critical_difference(5, 10), 2)
    1.93
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - level, methods, math.inf)) / math.sqrt(2)
    return quantile * math.sqrt(methods * (methods + 1) / (6 * problems))


def friedman(table: Sequence[Sequence[float]]) -> float | None:
    """Return the p-value of Friedman's test that all methods rank alike.

    Args:
        table: n rows of k numbers.

    Returns:
        The p-value, None for less than three methods or two problems, which it says nothing of.
    """
    if len(table) < 2 or len(table[0]) < 3:
        return None
    from scipy.stats import friedmanchisquare

    ranked = [ranks(row) for row in table]
    if all(row == ranked[0] and len(set(row)) == 1 for row in ranked):
        return 1.0
    return float(friedmanchisquare(*zip(*ranked, strict=True)).pvalue)


def wilcoxon(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the two-sided p-value of Wilcoxon's signed-rank test of paired errors.

    The differences are those of logarithms: of errors, ratios count.

    Args:
        first: positive numbers `[n]`; an infinite one is a failure.
        second: of the same pairs `[n]`.

    Returns:
        The p-value, exact for few pairs without ties; 1 where all pairs are equal, None without
        pairs. A pair in which both have failed says nothing and counts as equal.

    >>> wilcoxon([1, 2, 3, 4, 5, 6], [2, 4, 7, 9, 12, 20])
    0.03125
    """
    from scipy.stats import wilcoxon as signed_ranks

    differences = [_log_ratio(a, b) for a, b in zip(first, second, strict=True)]
    if not differences:
        return None
    if not any(differences):
        return 1.0
    # Differences of rounding alone would break ties that are there.
    return float(signed_ranks([round(d, 12) for d in differences]).pvalue)


def _log_ratio(first: float, second: float) -> float:
    if first == second or (math.isinf(first) and math.isinf(second)):
        return 0.0
    largest = 1e6  # as a logarithm: a failure is further away than any error
    if math.isinf(first) or math.isinf(second):
        return largest if math.isinf(first) else -largest
    return math.log(max(first, 1e-300)) - math.log(max(second, 1e-300))


def smallest_p(pairs: int) -> float:
    """Return the smallest two-sided p-value that so many pairs can have.

    >>> smallest_p(5), smallest_p(8)
    (0.0625, 0.0078125)
    """
    return min(1.0, 2.0 ** (1 - pairs))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's correction, in their order.

    The smallest is multiplied by their number m, the next by m - 1, and so on, none below the one
    before nor above 1 (Holm 1979, Scand. J. Statist. 6).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    found, least = [0.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[i]))
        found[i] = least
    return found


class Comparison(NamedTuple):
    """Two methods held against each other.

    Attributes:
        first: name of the one.
        second: name of the other.
        ratio: geometric mean of the errors of the second over those of the first: above 1 where
            the first is better; None where a failure leaves none.
        pairs: how many pairs.
        p: of Wilcoxon's test after Holm's correction, None without pairs.
    """

    first: str
    second: str
    ratio: float | None
    pairs: int
    p: float | None

    @property
    def told_apart(self) -> bool:
        """Whether the test tells them apart."""
        return self.p is not None and self.p < LEVEL


def compare(
    errors: Mapping[str, Sequence[float]], pairs: Sequence[tuple[str, str]] | None = None
) -> list[Comparison]:
    """Test pairs of methods, Holm's correction over all of them.

    Args:
        errors: paired errors of each method, all of one length.
        pairs: which to test, None for all.

    Returns:
        One comparison a pair.
    """
    named = list(itertools.combinations(errors, 2)) if pairs is None else list(pairs)
    raw = [wilcoxon(errors[a], errors[b]) for a, b in named]
    known = [p for p in raw if p is not None]
    corrected = iter(holm(known))
    return [
        Comparison(
            a,
            b,
            geometric_ratio(errors[a], errors[b]),
            len(errors[a]),
            None if p is None else next(corrected),
        )
        for (a, b), p in zip(named, raw, strict=True)
    ]


def geometric_ratio(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the geometric mean of `second / first` over pairs, None where one has failed.

    >>> geometric_ratio([1.0, 1.0], [2.0, 8.0])
    4.0
    """
    pairs = list(zip(first, second, strict=True))
    if not pairs or not all(0 < x < math.inf for pair in pairs for x in pair):
        return None
    return round(math.exp(statistics.fmean(math.log(b / a) for a, b in pairs)), 12)
