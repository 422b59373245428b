"""`success` means a minimum: not a plateau, not a valley that falls for ever, not rounding."""

import pytest
import torch

from solvers.gauss_newton import DAMPINGS, Status, least_squares
from tests.solvers.gauss_newton.nist_problems import PROBLEMS

T = torch.linspace(1.0, 10.0, 25, dtype=torch.float64)


def noise(rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, generator=generator, dtype=torch.float64)


# ---- certified regressions, all defaults --------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name != "Lanczos1"])
@pytest.mark.parametrize("start", [1, 2])
def test_defaults_reach_six_digits_of_the_sum_of_squares(name, start):
    problem = PROBLEMS[name]
    fit = least_squares(problem.residual, problem.starts[start - 1])
    assert fit.success, fit.message
    assert 2 * fit.cost == pytest.approx(problem.sum_of_squares, rel=1e-6, abs=0)


@pytest.mark.parametrize("start", [1, 2])
def test_a_sum_of_squares_that_rounding_has_taken_digits_from_is_named(start):
    """Residuals of 8e-14 beside observations of 2.5: their own rounding leaves two digits."""
    problem = PROBLEMS["Lanczos1"]
    fit = least_squares(problem.residual, problem.starts[start - 1])
    assert fit.status is Status.ROUNDED and not fit.success
    torch.testing.assert_close(fit.x, problem.certified, rtol=1e-9, atol=0)
    assert 2 * fit.cost == pytest.approx(problem.sum_of_squares, rel=0.1)


@pytest.mark.parametrize("name", PROBLEMS)
def test_exact_data_are_a_success(name):
    """There a sum of squares has no digits at all, and needs none."""
    problem = PROBLEMS[name]
    data = problem.model(problem.certified, problem.x)
    fit = least_squares(lambda b: problem.model(b, problem.x) - data, problem.starts[1])
    assert fit.success, fit.message
    assert 2 * fit.cost <= 1e-18 * float(data @ data)


@pytest.mark.parametrize("name", ["BoxBOD", "MGH10", "MGH17"])
@pytest.mark.parametrize("seed", range(3))
def test_hard_starts_may_lie_elsewhere(name, seed):
    """What they reach hangs neither on the very start nor on its last bits."""
    problem = PROBLEMS[name]
    start = problem.starts[0]
    fit = least_squares(problem.residual, start * (1 + 1e-2 * noise(len(start), seed)))
    assert fit.success, fit.message
    assert 2 * fit.cost == pytest.approx(problem.sum_of_squares, rel=1e-6)


# ---- plateaus and valleys -----------------------------------------------------------------------


def decay(x):
    """Rates beyond 100 end before the first observation."""
    return x[0] * torch.exp(-x[1] * T) + x[2] - (2 * torch.exp(-0.3 * T) + 0.5 + 0.01 * noise(25))


@pytest.mark.parametrize("rate", [80.0, 300.0, 1e4])
@pytest.mark.parametrize("method", ["lm", "gauss_newton"])
def test_a_plateau_is_no_minimum(rate, method):
    """At a rate of 1e4 the derivative by it is 0 exactly: only values elsewhere tell."""
    best = least_squares(decay, [1.0, 0.2, 0.0]).cost
    fit = least_squares(decay, [1.0, rate, 0.0], method=method)
    assert not fit.success or fit.cost == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("rule", DAMPINGS)
def test_no_rule_calls_a_plateau_a_success(rule):
    problem = PROBLEMS["BoxBOD"]
    fit = least_squares(problem.residual, [100.0, 100.0], damping=rule, max_nfev=60)
    assert not fit.success or 2 * fit.cost == pytest.approx(problem.sum_of_squares, rel=1e-4)


@pytest.mark.parametrize("most", [111, 120, 150, 200, 300])
def test_few_evaluations_make_no_success_of_a_valley(most):
    """Two rates that become one, amplitudes that grow against each other: MGH17's first end."""
    problem = PROBLEMS["MGH17"]
    fit = least_squares(problem.residual, problem.starts[0], max_nfev=most)
    assert not fit.success
    assert fit.nfev <= most + 1  # a step that is bent takes two


def test_all_ways_are_counted():
    calls, seen = [], []
    problem = PROBLEMS["BoxBOD"]

    def residual(x):
        if not x.requires_grad:
            calls.append(None)
        return problem.residual(x)

    jacobian = torch.func.jacrev(problem.residual)
    fit = least_squares(residual, problem.starts[0], jacobian, callback=seen.append)
    assert fit.nfev >= len(calls) - 2 and len(fit.history) == len(seen)
    assert [row["iteration"] for row in fit.history] == list(range(1, len(seen) + 1))
    assert sum(a["cost"] < b["cost"] for a, b in zip(fit.history, fit.history[1:], strict=False))


@pytest.mark.parametrize(
    "limit", [{"max_iterations": 12}, {"callback": lambda s: len(s.history) >= 12}]
)
def test_whoever_asked_for_an_end_gets_it(limit):
    problem = PROBLEMS["BoxBOD"]
    fit = least_squares(problem.residual, problem.starts[0], **limit)
    assert len(fit.history) == 12 and not fit.success


def test_parameters_that_count_only_together_are_a_success():
    """A line through its slope and intercept, each written as a sum: any split is a minimum."""
    y = 3 * T - 1 + noise(25)

    def residual(x):
        return (x[0] + x[1]) * T + x[2] + x[3] - y

    fit = least_squares(residual, [1.0, 2.0, 0.0, 0.0])
    line = torch.stack([T, torch.ones_like(T)], 1)
    rest = line @ torch.linalg.lstsq(line, y[:, None]).solution - y[:, None]
    assert fit.success, fit.message
    assert 2 * fit.cost == pytest.approx(float(rest.square().sum()), rel=1e-10)


def test_a_parameter_that_is_never_used_is_no_plateau():
    fit = least_squares(lambda x: x[0] * T - T.sqrt() + 0 * x[1], [1.0, 5.0])
    assert fit.success and fit.x[1] == 5.0


# ---- what the derivatives at an end do not show --------------------------------------------------


def lifetime(x):
    """Lifetimes below 0.01 end before the first observation, so that they must grow to matter."""
    return x[0] * torch.exp(-T / x[1]) + x[2] - (2 * torch.exp(-T / 3) + 0.5 + 0.01 * noise(25))


def peak(x):
    """Widths below 0.01 lie between the observations."""
    return x[0] * torch.exp(-(((T - x[1]) / x[2]) ** 2)) - 3 * torch.exp(-((T - 4.1) ** 2))


@pytest.mark.parametrize(
    ("residual", "start", "good"),
    [
        *((lifetime, [1.0, tau, 0.0], [1.0, 2.0, 0.0]) for tau in (0.02, 1e-3, 1e-8)),
        *((peak, [1.0, 4.05, width], [2.0, 4.0, 0.8]) for width in (1e-3, 1e-7)),
        *((peak, [1.0, middle, 1.0], [2.0, 4.0, 0.8]) for middle in (60.0, -60.0)),
    ],
)
def test_parameters_that_matter_elsewhere_only(residual, start, good):
    best = least_squares(residual, good)
    fit = least_squares(residual, start)
    assert best.success
    assert not fit.success or fit.cost == pytest.approx(best.cost, rel=1e-4)


def test_the_top_of_a_hill_is_no_minimum_and_the_bottom_is():
    hill = least_squares(lambda x: torch.stack([x[0] ** 2 - 4, x[1] - 1]), [0.0, 0.0])
    assert hill.status is Status.UNDETERMINED
    bottom = least_squares(lambda x: torch.stack([x[0] ** 2 + 4, x[1] - 1]), [0.0, 0.0])
    assert bottom.success and 2 * bottom.cost == 16.0


def test_a_tie_that_is_no_minimum():
    """Two decays of one rate stay alike, if rounding does not part them; apart they fit better."""
    data = 2 * torch.exp(-T) + torch.exp(-T / 5)

    def residual(x):
        fast, slow = x[0] - x[1].square(), x[0] + x[1].square()
        return torch.exp(-fast.abs() * T) + torch.exp(-slow.abs() * T) - data

    fit = least_squares(residual, [0.5, 0.0])
    apart = least_squares(residual, [0.5, 0.5])
    assert apart.cost < fit.cost and not fit.success


def test_a_term_that_is_not_needed_is_no_plateau():
    """Its coefficient ends at 0 to rounding, from a start near 0 and from one far off."""
    even = torch.linspace(-1, 1, 31, dtype=torch.float64)
    data = 1 + even**2 + 0.01 * (noise(31) + noise(31).flip(0))
    for start in (0.0, 1e-12, 1.0):
        fit = least_squares(lambda x: x[0] + x[1] * even**2 + x[2] * even - data, [0.5, 0.5, start])
        assert fit.success and abs(float(fit.x[2])) < 1e-9


def test_a_residual_may_refuse_points_that_are_only_looked_at():
    """Looks at other points are the solver's idea: what the caller raises there is no error."""

    def residual(x):
        if not 0.5 < float(x[1].detach()) < 2e3:
            raise ArithmeticError("the rate is out of range")
        return decay(x)

    fit = least_squares(residual, [1.0, 1e3, 0.0])
    assert fit.status is Status.FTOL and fit.x[1] == 1e3, "no other rate that is legal matters"


def test_an_interruption_while_looking_keeps_the_end():
    looks = []

    def residual(x):
        if looks and float(x[1].detach()) != 1e3:
            raise KeyboardInterrupt
        looks.append(x.detach().clone())
        return decay(x)

    fit = least_squares(residual, [1.0, 1e3, 0.0])
    assert fit.status is Status.INTERRUPTED and fit.x[1] == 1e3
