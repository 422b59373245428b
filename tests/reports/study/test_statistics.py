"""Medians, ranks, critical differences and tests against cases worked out by hand."""

import math

import pytest

from pinn_ext.reports.study import statistics as own


def test_a_median_counts_failures_as_infinite():
    assert own.summary([4.0, None, 1.0, 2.0]) == (3.0, 1.0, math.inf, 4)
    assert own.summary([None, 1.0, math.nan]).median == math.inf
    assert own.summary([]) == (math.inf, math.inf, math.inf, 0)


def test_ranks():
    assert own.ranks([3.0, 1.0, 2.0]) == [3, 1, 2]
    assert own.ranks([1.0, 1.0, 5.0, 5.0, 5.0]) == [1.5, 1.5, 4, 4, 4]
    assert own.ranks([math.inf, 1.0, math.inf]) == [2.5, 1, 2.5]
    assert own.mean_ranks([[1, 2], [1, 2], [2, 1], [1, 1]]) == [(1 + 1 + 2 + 1.5) / 4, 6.5 / 4]


@pytest.mark.parametrize(
    ("methods", "problems", "quantile"),
    # Demsar 2006, table 5a: the two-tailed Nemenyi test at 0.05.
    [(2, 10, 1.960), (3, 12, 2.343), (4, 14, 2.569), (5, 30, 2.728), (10, 8, 3.164)],
)
def test_critical_differences_are_those_of_the_published_table(methods, problems, quantile):
    wanted = quantile * math.sqrt(methods * (methods + 1) / (6 * problems))
    assert own.critical_difference(methods, problems) == pytest.approx(wanted, rel=1e-3)


def test_critical_differences_of_small_studies_are_large():
    assert own.critical_difference(25, 10) == pytest.approx(12, abs=0.5)
    assert own.critical_difference(5, 10) == pytest.approx(1.9, abs=0.05)


def test_friedman_of_demsar():
    # Section 3.1.3 there: 12 N / (k (k + 1)) (sum of squared mean ranks - k (k + 1)^2 / 4).
    from scipy.stats import chi2

    ranks = [[4, 2, 3, 1]] * 5 + [[3, 1, 4, 2]] * 4 + [[2, 3, 1, 4]] * 2 + [[4, 2, 1, 3]] * 3
    means = own.mean_ranks(ranks)
    statistic = 12 * 14 / (4 * 5) * (sum(r * r for r in means) - 4 * 25 / 4)
    assert own.friedman(ranks) == pytest.approx(chi2.sf(statistic, 3))
    assert own.friedman([[1, 2]] * 9) is None and own.friedman([[1, 2, 3]]) is None
    assert own.friedman([[1, 1, 1]] * 4) == 1.0


@pytest.mark.parametrize(("pairs", "least"), [(5, 0.0625), (6, 0.03125), (8, 0.0078125)])
def test_the_smallest_p_of_so_many_pairs(pairs, least):
    worse = [2.0 + i for i in range(pairs)]
    assert own.smallest_p(pairs) == own.wilcoxon([1.0] * pairs, worse) == least


def test_wilcoxon_by_enumeration():
    """Signed ranks 1, -2, 3, 4: rank sums 8 and 2; 6 of 16 signs give a sum of at most 2."""
    first = [math.exp(d) for d in (0.1, -0.2, 0.3, 0.4)]
    assert own.wilcoxon(first, [1.0] * 4) == pytest.approx(6 / 16)


def test_wilcoxon_of_failures():
    good, bad = [1.0] * 6, [math.inf] * 6
    assert own.wilcoxon(good, bad) == own.wilcoxon(bad, good) == 0.03125
    assert own.wilcoxon(bad, bad) == own.wilcoxon(good, good) == 1.0
    assert own.wilcoxon([], []) is None


def test_holm():
    # Holm 1979: 0.01 * 4, 0.02 * 3 -> 0.06, 0.03 * 2 -> 0.06, 0.04 -> 0.06 by monotonicity.
    assert own.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert own.holm([0.6, 0.7]) == [1.0, 1.0] and own.holm([]) == []


def test_pairs_are_compared_with_the_correction_over_all_of_them():
    n = 8
    errors = {
        "a": [1.0 + i for i in range(n)],
        "b": [2.0 * (1.0 + i) * (1 + 0.01 * i) for i in range(n)],
        "c": [1.0 + i for i in range(n)],
    }
    ab, ac, bc = own.compare(errors)
    assert (ab.first, ab.second, ab.pairs) == ("a", "b", n)
    assert ab.p == bc.p == pytest.approx(3 * 0.0078125) and ac.p == 1.0
    assert ab.told_apart and not ac.told_apart and 2.0 < ab.ratio < 2.1 and bc.ratio < 0.5
    (only,) = own.compare(errors, [("a", "b")])
    assert only.p == 0.0078125


def test_a_ratio_is_a_geometric_mean():
    assert own.geometric_ratio([1.0, 2.0], [10.0, 0.2]) == 1.0
    assert own.geometric_ratio([1.0], [math.inf]) is None
