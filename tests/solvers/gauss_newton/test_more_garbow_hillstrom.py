"""Least squares on the problems of Moré, Garbow and Hillstrom, from 1 and 10 times their start."""

import functools

import numpy as np
import pytest
import scipy.optimize
import torch

from solvers.gauss_newton import least_squares
from tests.pairs import pairwise
from tests.solvers.gauss_newton.more_garbow_hillstrom_problems import PROBLEMS

torch.set_num_threads(1)

RULES = ["nielsen", "gain_ratio", "target"]

# Beyond reach. Chebyquad has polynomials of degree n in 10 x there: scipy's "lm" and "trf" do not
# arrive in 2000 evaluations, either. For Meyer, MINPACK's own test gives up after 400, scipy's "lm"
# needs 1784, and bold steps end where the model vanishes, and its derivatives with it.
BEYOND = {("chebyquad_8", 10), ("chebyquad_10", 10), ("meyer", 10)}

# Several minima of the table are in reach, and rounding decides between them.
UNDECIDED = {("brown_almost_linear", 10), ("kowalik_osborne", 10), ("trigonometric", 10)}

# The Jacobian is singular at the solution: half of the way there remains at every step.
SINGULAR = {"powell_singular"}

RUNS = [
    (name, factor, rule)
    for name in PROBLEMS
    for factor in (1, 10)
    for rule in RULES
    if (name, factor) not in BEYOND
]


def reached(problem, value):
    """Return the minimum of the table that a sum of squares belongs to, or None."""
    for minimum in problem.minima:
        close = (1e-3 if minimum.far else 1e-5) * minimum.value if minimum.value else 1e-11
        if abs(value - minimum.value) <= close:
            return minimum
    return None


@functools.cache
def best_of_scipy(name, factor):
    problem = PROBLEMS[name]
    jacobian = torch.func.jacrev(problem.residual)
    return min(
        2
        * scipy.optimize.least_squares(
            lambda x: problem.residual(torch.from_numpy(x)).numpy(),
            problem.at(factor).numpy(),
            lambda x: jacobian(torch.from_numpy(x)).numpy(),
            method=method,
            x_scale="jac",
            max_nfev=300,
        ).cost
        for method in ("lm", "trf")
    )


def test_sizes():
    for problem in PROBLEMS.values():
        assert problem.residual(problem.at(1)).shape == (problem.rows,)
        assert len(problem.start) <= problem.rows


@pytest.mark.parametrize(
    "name", [k for k, each in PROBLEMS.items() if any(m.x for m in each.minima)]
)
def test_stays_at_the_published_minima(name):
    problem = PROBLEMS[name]
    for minimum in problem.minima:
        if minimum.x is not None:
            solution = least_squares(problem.residual, minimum.x)
            assert reached(problem, 2 * solution.cost) is minimum
            np.testing.assert_allclose(solution.x, minimum.x, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(("name", "factor", "rule"), pairwise(RUNS))
def test_reaches_a_published_minimum(name, factor, rule):
    problem = PROBLEMS[name]
    solution = least_squares(problem.residual, problem.at(factor), damping=rule, max_nfev=1000)
    value = 2 * solution.cost
    minimum = reached(problem, value)
    assert minimum is not None, f"{value} at {solution.x.tolist()}: {solution.message}"
    if minimum.x is not None:
        np.testing.assert_allclose(solution.x, minimum.x, rtol=1e-3, atol=1e-6)
    if not minimum.far and name not in SINGULAR:
        assert solution.success, solution.message
    if (name, factor) not in UNDECIDED:
        best = best_of_scipy(name, factor)
        assert value <= best * (1 + (1e-3 if minimum.far else 1e-6)) + 1e-11
