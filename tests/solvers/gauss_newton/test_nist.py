"""Least squares against the certified values of NIST's nonlinear regressions, from both starts."""

import itertools
import math

import numpy as np
import pytest
import torch

from solvers.gauss_newton import least_squares
from tests.pairs import pairwise
from tests.solvers.gauss_newton.nist_problems import PROBLEMS

torch.set_num_threads(1)

RULES = ["nielsen", "gain_ratio", "target"]
TIGHT = {"ftol": 1e-15, "xtol": 1e-12, "gtol": 1e-13}

# From these starts the first columns of J say nothing of the way: with the scale of the Jacobian,
# the steps lead where the model vanishes (scipy's "lm" ends there, too, for BoxBOD). The scale of
# the start itself serves.
SCALED = {("BoxBOD", 1), ("MGH10", 1)}

# Certified, but of residuals so small that the observations' own rounding shows in their squares:
# 2e-16 of values of 2.5 beside residuals of 3e-14 (Lanczos1) and of 1e-6 (Lanczos2).
ROUNDED = {"Lanczos1": 1.5, "Lanczos2": 9.0}

RUNS = itertools.product(PROBLEMS, (1, 2), RULES)


def digits(value, certified):
    """Return how many digits agree, at the worst of the entries."""
    error = np.abs(np.asarray(value) / np.asarray(certified) - 1).max()
    return -math.log10(max(error, 1e-16))


def deviations(problem, x):
    """Return the standard deviations of the parameters that a linear model at x gives."""
    jacobian = torch.func.jacrev(problem.residual)(x)
    lengths = jacobian.norm(dim=0)
    triangle = torch.linalg.qr(jacobian / lengths).R
    spread = torch.linalg.inv(triangle).norm(dim=1) / lengths
    residual = problem.residual(x)
    return spread * residual.norm() / math.sqrt(residual.numel() - x.numel())


@pytest.mark.parametrize("name", PROBLEMS)
def test_tables(name):
    # Independent of the solver: at the certified parameters, the Gauss-Newton step is their
    # rounding, and all else follows from the observations.
    problem = PROBLEMS[name]
    residual = problem.residual(problem.certified)
    jacobian = torch.func.jacrev(problem.residual)(problem.certified)
    lengths = jacobian.norm(dim=0)
    step = torch.linalg.lstsq(jacobian / lengths, residual[:, None]).solution[:, 0] / lengths
    assert float((step / problem.certified).abs().max()) < 3e-10
    if name != "Lanczos1":  # whose residuals are rounding even there
        assert digits(float(residual @ residual), problem.sum_of_squares) > ROUNDED.get(name, 9.9)
        assert digits(deviations(problem, problem.certified), problem.deviations) > 8


@pytest.mark.parametrize(("name", "start", "rule"), pairwise(RUNS))
def test_reaches_the_certified_values(name, start, rule):
    problem = PROBLEMS[name]
    first = problem.starts[start - 1]
    scale = first.abs() if (name, start) in SCALED else "jac"
    solution = least_squares(
        problem.residual, first, damping=rule, x_scale=scale, max_nfev=4000, **TIGHT
    )
    assert solution.success or name == "Lanczos1", solution.message
    assert digits(2 * solution.cost, problem.sum_of_squares) > ROUNDED.get(name, 9.8)
    # Where the cost is flat to rounding, at a distance of sqrt(eps), no more can be asked for.
    assert digits(solution.x, problem.certified) > 6
    error = (solution.x - problem.certified).abs() - 1e-10 * problem.certified.abs()
    assert float((error / problem.deviations).max()) < 1e-5
