"""Line searches: the functions of More and Thuente, exact ones, rounding, steps not finite."""

import math

import pytest

from solvers.quasi_newton import LineSearch, Trial


def rational(a, beta=2.0):
    below = a * a + beta
    return -a / below, (a * a - beta) / below**2


def power(a, beta=0.004):
    up = a + beta
    return up**5 - 2 * up**4, 5 * up**4 - 8 * up**3


def wavy(a, beta=0.01, l=39):  # noqa: E741 (as in the paper)
    if a <= 1 - beta:
        value, slope = 1 - a, -1.0
    elif a >= 1 + beta:
        value, slope = a - 1, 1.0
    else:
        value, slope = (a - 1) ** 2 / (2 * beta) + beta / 2, (a - 1) / beta
    inner = l * math.pi / 2 * a
    more = 2 * (1 - beta) / (l * math.pi) * math.sin(inner)
    return value + more, slope + (1 - beta) * math.cos(inner)


def yanai(one, two):
    def gamma(beta):
        return math.sqrt(1 + beta**2) - beta

    def function(a):
        p, q = math.hypot(1 - a, two), math.hypot(a, one)
        value = gamma(one) * p + gamma(two) * q
        return value, gamma(one) * (a - 1) / p + gamma(two) * a / q

    return function


# More and Thuente, ACM Trans. Math. Softw. 20 (1994), section 5: functions (5.1) to (5.4) and
# their mu and eta.
FUNCTIONS = [
    (rational, 0.001, 0.1),
    (power, 0.1, 0.1 + 1e-9),
    (wavy, 0.1, 0.1 + 1e-9),
    (yanai(0.001, 0.001), 0.001, 0.001 + 1e-9),
    (yanai(0.01, 0.001), 0.001, 0.001 + 1e-9),
    (yanai(0.001, 0.01), 0.001, 0.001 + 1e-9),
]


class Counted:
    """A function as trials, and how often it was evaluated."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, a):
        self.calls += 1
        return Trial(a, *self.function(a))


@pytest.mark.parametrize("first", [1e-3, 1e-1, 10.0, 1e3])
@pytest.mark.parametrize(("function", "mu", "eta"), FUNCTIONS)
def test_more_and_thuente(function, mu, eta, first):
    start, seen = Trial(0.0, *function(0.0)), Counted(function)
    found = LineSearch(mu, eta).search(seen, start, first)
    value, slope = function(found.alpha)
    assert (found.value, found.slope) == (value, slope)
    assert value <= start.value + mu * found.alpha * start.slope
    assert abs(slope) <= eta * abs(start.slope)
    assert seen.calls <= 20


@pytest.mark.parametrize("first", [1e-4, 0.3, 1.0, 100.0])
def test_a_small_curvature_finds_the_minimum_of_a_parabola(first):
    def parabola(a):
        return (a - 0.7) ** 2, 2 * (a - 0.7)

    found = LineSearch(curvature=1e-3).search(Counted(parabola), Trial(0.0, *parabola(0.0)), first)
    assert found.alpha == pytest.approx(0.7, abs=1e-3 * 0.7)


def test_where_values_are_rounding_slopes_decide():
    """Near the minimum of 1 + (1e-10 (a - 1))^2 all values are 1; slopes are not 0."""

    def flat(a):
        return 1.0 + (1e-10 * (a - 1.0)) ** 2, 2e-20 * (a - 1.0)

    start = Trial(0.0, *flat(0.0))
    assert flat(0.0)[0] == flat(30.0)[0] == 1.0
    for first in (1.0, 1e-2, 30.0):
        found = LineSearch(curvature=0.1).search(Counted(flat), start, first)
        assert abs(found.alpha - 1.0) <= 0.1


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("edge", [0.9, 1e-3, 1e-6])
def test_trials_that_are_not_finite_are_not_taken(bad, edge):
    def barrier(a):
        return (-a, -1.0) if a < edge else (bad, bad)

    seen = Counted(barrier)
    found = LineSearch().search(seen, Trial(0.0, *barrier(0.0)), 1.0)
    assert 0 < found.alpha < edge


@pytest.mark.parametrize("edge", [2.0, 40.0])
def test_a_barrier_is_not_run_into_twice(edge):
    def barrier(a):
        return (-math.sqrt(1 + a), -0.5 / math.sqrt(1 + a)) if a < edge else (math.nan, math.nan)

    found = LineSearch(curvature=0.5).search(Counted(barrier), Trial(0.0, *barrier(0.0)), 1.0)
    assert 0 < found.alpha < edge and found.value < -1.0


def test_nothing_is_found_where_nothing_is_lower():
    def uphill(a):
        return 1.0 + a, -1.0  # a slope that lies

    seen = Counted(uphill)
    assert LineSearch().search(seen, Trial(0.0, 1.0, -1.0), 1.0) is None
    assert seen.calls == 25
    seen = Counted(lambda a: (math.nan, math.nan))
    assert LineSearch(evaluations=7).search(seen, Trial(0.0, 1.0, -1.0), 1.0) is None
    assert seen.calls == 7


def test_the_lowest_is_taken_where_evaluations_end():
    start = Trial(0.0, *wavy(0.0))
    found = LineSearch(0.1, 0.2, evaluations=1).search(Counted(wavy), start, 0.1)
    assert found is None or found.value < start.value
    falls = LineSearch(1e-4, 1e-3, evaluations=2).search(Counted(rational), Trial(0, 0, -0.5), 0.1)
    assert falls.value == pytest.approx(rational(falls.alpha)[0]) and falls.value < 0


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"decrease": 0.0}, "decrease"),
        ({"decrease": 0.9}, "decrease` and `curvature"),
        ({"curvature": 1.0}, "decrease` and `curvature"),
        ({"curvature": "x"}, "curvature"),
        ({"flat": -1.0}, "flat"),
        ({"evaluations": 0}, "evaluations"),
        ({"evaluations": 2.5}, "evaluations"),
    ],
)
def test_rules_that_make_no_sense(options, name):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        LineSearch(**options)
