"""Units of residuals and parameters do not matter, also where squares leave the float type."""

import itertools
import math

import pytest
import torch

from solvers.gauss_newton import least_squares
from tests.pairs import pairwise


def valley(x):
    return torch.stack([x[0] - 1, 10 * (x[1] - x[0] ** 2)])


@pytest.mark.parametrize(
    ("unit", "loss", "solver"),
    pairwise(
        itertools.product(
            [1e-300, 1e-200, 1e-160, 1e-120, 1e100],
            ["linear", "cauchy"],
            ["primal", "matrix_free"],
        )
    ),
)
def test_the_unit_of_the_residual_does_not_matter(unit, loss, solver):
    options = {"loss": loss, "f_scale": unit, "solver": solver, "ftol": 1e-14, "gtol": 1e-12}
    fit = least_squares(lambda x: unit * valley(x), [-1.2, 1.0], **options)
    assert fit.success and fit.x.tolist() == pytest.approx([1.0, 1.0], rel=1e-5)
    assert torch.equal(fit.residual, unit * valley(fit.x))
    assert math.isfinite(fit.cost)


@pytest.mark.parametrize(
    ("unit", "start", "x_scale"),
    pairwise(
        itertools.product(
            [1e-300, 1e-160, 1e160, 1e300], [[-1.2, 1.0], [0.0, 0.0]], ["jac", "unit"]
        )
    ),
)
def test_the_unit_of_the_parameters_does_not_matter(unit, start, x_scale):
    seen = []
    fit = least_squares(
        lambda x: valley(x / unit),
        [unit * each for each in start],
        x_scale=unit if x_scale == "unit" else "jac",
        callback=lambda solution: seen.append(solution.x / unit),
    )
    assert fit.success and (fit.x / unit).tolist() == pytest.approx([1.0, 1.0], rel=1e-5)
    assert all(0 < float(x.abs().max()) < 100 for x in seen)


def test_units_of_float32():
    fit = least_squares(lambda x: 1e-30 * valley(x), torch.tensor([-1.2, 1.0]))
    assert fit.success and fit.x.tolist() == pytest.approx([1.0, 1.0], rel=1e-3)
