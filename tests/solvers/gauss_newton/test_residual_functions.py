"""What a residual may return, and finite differences from starts that say nothing of a size."""

import math

import pytest
import torch

from solvers.gauss_newton import least_squares
from solvers.gauss_newton.residual_functions import DifferenceProblem

GOAL = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)


# ---- tuples and lists ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [tuple, list])
@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
def test_numbers_and_vectors_are_put_together(kind, solver):
    fit = least_squares(
        lambda x: kind([x[0] - 0.5, x[1:] - GOAL[1:], 1.0]), [0.0, 0.0, 0.0], solver=solver
    )
    assert fit.success
    assert fit.residual.shape == (4,) and fit.residual[3] == 1.0
    torch.testing.assert_close(fit.x, GOAL, rtol=1e-7, atol=1e-7)


def test_a_function_for_the_jacobian_may_return_its_rows():
    fit = least_squares(
        lambda x: (x[0] - 2 * x[1], x[1] - 3.0),
        [0.0, 0.0],
        lambda x: (torch.tensor([1.0, -2.0]), torch.tensor([0.0, 1.0])),
    )
    assert fit.success and fit.x.tolist() == pytest.approx([6.0, 3.0])


def test_a_part_that_is_no_vector_is_named():
    with pytest.raises(ValueError, match=r"got a tuple with a part of shape \[1, 2\]"):
        least_squares(lambda x: (x[0], x[None]), [1.0, 2.0])


# ---- finite differences -------------------------------------------------------------------------


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
@pytest.mark.parametrize("start", [0.0, 1e-9, -1e-30, 5e-324])
def test_a_start_near_zero_moves(jac, start):
    fit = least_squares(lambda x: x - GOAL, [start, 1e-12, 1.0], jac)
    assert fit.success
    torch.testing.assert_close(fit.x, GOAL, rtol=1e-7, atol=0)


@pytest.mark.parametrize("central", [False, True])
def test_a_difference_grows_only_where_no_row_shows_it(central):
    widths = []

    def residual(x):
        widths.append(float((x - start).abs().max()))
        return torch.exp(x / 1e-9) - 7.0

    start = torch.tensor([1e-9], dtype=torch.float64)
    _, jacobian = DifferenceProblem(residual, start, central).linearize(start)
    assert float(jacobian) == pytest.approx(math.e * 1e9, rel=1e-6)
    assert max(widths) < 1e-13


def test_a_parameter_without_effect_is_tried_wider_once():
    calls = []

    def residual(x):
        calls.append(x)
        return x[:1] - 1.0

    start = torch.tensor([2.0, 1e-9], dtype=torch.float64)
    problem = DifferenceProblem(residual, start, central=False)
    assert problem.linearize(start)[1].tolist() == [[1.0, 0.0]]
    calls.clear()
    problem.linearize(start)
    assert len(calls) == 2


def test_no_scale_is_that_of_the_jacobian_as_in_scipy():
    def residual(x):
        return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    given, default = (least_squares(residual, [-1.2, 1.0], **k) for k in ({"x_scale": None}, {}))
    assert torch.equal(given.x, default.x) and given.nfev == default.nfev
