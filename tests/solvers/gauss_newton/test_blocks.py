"""Minimising with rows in blocks: the same minima, states, bends, bounds, robust losses."""

import itertools

import pytest
import torch

from solvers.gauss_newton import DAMPINGS, Nielsen, Stepper, least_squares
from solvers.gauss_newton.problem import BlockProblem
from solvers.gauss_newton.residual_functions import BlocksProblem
from tests.pairs import pairwise
from tests.solvers.gauss_newton.rows import F64, Rows, random

BLOCKWISE = ["accumulated", "sketched"]
TIMES = torch.linspace(0, 4, 400, dtype=F64)
DATA = 2 * torch.exp(-0.7 * TIMES) + 0.1 + 0.05 * torch.sin(40 * TIMES)


def decay(x, block=None):
    """Residuals of a fit: all of them, or those of one of four blocks of different size."""
    part = slice(None) if block is None else [slice(0, 30), slice(30, 200), slice(200, 399),
                                              slice(399, 400)][block]  # fmt: skip
    return x[0] * torch.exp(-x[1] * TIMES[part]) + x[2] - DATA[part]


def in_blocks(function, x, count=4):
    """Return a problem whose rows come in blocks of a function's rows."""
    total = len(function(x))
    ends = [total * k // count for k in range(count + 1)]
    return BlocksProblem(lambda x, k: function(x)[ends[k] : ends[k + 1]], x, count)


def many_steps():
    matrix = random(160, 8)
    return lambda x: torch.tanh(matrix @ x) + 0.3 * torch.sin(matrix @ x) ** 2 - 0.2


def test_blocks_make_the_whole():
    x = random(3)
    problem = BlocksProblem(decay, x, 4)
    assert isinstance(problem, BlockProblem) and problem.num_rows == 400
    whole = problem.linearize(x)[1]
    out = torch.zeros_like(whole)
    for numbers, block in problem.blocks(x):
        out[numbers] = block
    torch.testing.assert_close(out, whole)
    torch.testing.assert_close(problem.residual(x), decay(x))
    w = random(400)
    torch.testing.assert_close(problem.pull(x, w), whole.T @ w)


@pytest.mark.parametrize("options", [{}, {"solver": "accumulated"}, {"solver": "sketched"},
                                     {"sketch": 5}, {"sketch": "auto"}])  # fmt: skip
@pytest.mark.parametrize("loss", ["linear", "huber"])
def test_the_same_minimum(options, loss):
    more = {"loss": loss, "f_scale": 0.03}
    wanted = least_squares(decay, [1.0, 1.0, 0.0], **more)
    found = least_squares(decay, [1.0, 1.0, 0.0], blocks=4, **more, **options)
    assert found.success and found.cost == pytest.approx(wanted.cost, rel=1e-6)
    torch.testing.assert_close(found.x, wanted.x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", BLOCKWISE)
def test_bounds_hold(solver):
    bounds = ([0.0, 0.0, 0.12], [5.0, 5.0, 1.0])
    wanted = least_squares(decay, [1.0, 1.0, 0.5], bounds=bounds)
    found = least_squares(decay, [1.0, 1.0, 0.5], bounds=bounds, blocks=4, solver=solver)
    assert found.success and found.x[2] == 0.12 == wanted.x[2]
    assert found.cost == pytest.approx(wanted.cost, rel=1e-6)


def test_residuals_near_the_end_of_the_type():
    tiny = 1e-170
    found = least_squares(lambda x, k: tiny * decay(x, k), [1.0, 1.0, 0.0], blocks=4,
                          solver="accumulated")  # fmt: skip
    wanted = least_squares(decay, [1.0, 1.0, 0.0])
    torch.testing.assert_close(found.x, wanted.x, rtol=1e-6, atol=1e-8)


def test_the_exact_sum_steps_as_the_whole_jacobian_does():
    function, start = many_steps(), random(8)
    plain = [
        Stepper(make(function, start), start, solver=solver, geodesic=False)
        for make, solver in ((Rows, "primal"), (in_blocks, "accumulated"))
    ]
    for _ in range(8):
        one, other = (stepper.step() for stepper in plain)
        assert other.cost == pytest.approx(one.cost, rel=1e-9) and other.trials == one.trials


def test_the_second_derivative_is_that_of_the_residual():
    start = torch.tensor([1.0], dtype=F64)
    problem = BlocksProblem(lambda x, k: x**2 - 1.21, start, 1)
    stepper = Stepper(problem, start, damping=Nielsen(1e-12), solver="accumulated")
    stepper.step()
    # v = 0.105, r_vv = 2 v^2, a = -r_vv / 2; x = 1 + v + a / 2.
    assert stepper.x.item() == pytest.approx(1.0 + 0.105 - 0.105**2 / 2, rel=1e-9)


def test_a_sketch_promises_by_its_own_curvature_and_is_fresh_at_each_step():
    function, start = many_steps(), random(8)
    stepper = Stepper(in_blocks(function, start), start, sketch=32, geodesic=False)
    assert stepper.solver == "sketched" and stepper.sizes().sketch == 32
    first = stepper.linearize()
    assert stepper.linearize() is first
    step = first.solve(1e-3).step
    second_order = float(first._direction.forward(step).square().sum())
    attempt = first.attempt(stepper._evaluate, 1e-3, 1.0, False)
    slope = float(first.gradient @ step)
    assert attempt.predicted == pytest.approx(-slope - 0.5 * second_order, rel=1e-12)
    matrix = first._direction._matrix.clone()
    again = Stepper(in_blocks(function, start), start, sketch=32, geodesic=False)
    assert torch.equal(again.linearize()._direction._matrix, matrix)
    again.step()
    again.replace(in_blocks(function, start))
    again._point = stepper._point  # the same place, one step later
    assert not torch.equal(again.linearize()._direction._matrix, matrix)


@pytest.mark.parametrize(
    ("rule", "solver", "geodesic"),
    pairwise(itertools.product(DAMPINGS, BLOCKWISE, [False, True])),
)
def test_a_saved_state_goes_on_to_the_same_bits(rule, solver, geodesic):
    function, start = many_steps(), random(8)
    options = {"damping": rule, "solver": solver, "geodesic": geodesic}
    whole = Stepper(in_blocks(function, start), start, **options)
    costs = [whole.step().cost for _ in range(6)]
    first = Stepper(in_blocks(function, start), start, **options)
    for _ in range(3):
        first.step()
    first.linearize()  # a sketch that was drawn already is drawn again
    second = Stepper(in_blocks(function, start), torch.zeros_like(start), **options)
    second.load_state_dict(first.state_dict())
    assert [second.step().cost for _ in range(3)] == costs[3:]
    assert torch.equal(second.x, whole.x)
    assert ("moves" in first.state_dict()) == (solver == "sketched")


@pytest.mark.parametrize("solver", BLOCKWISE)
def test_a_jacobian_that_is_not_finite(solver):
    def residual(x, block):
        return torch.sqrt((x[0] - 1).abs()).expand(9) + block + x.sum()

    with pytest.raises(ValueError, match="The Jacobian must be finite"):
        least_squares(residual, [1.0, 2.0], blocks=2, solver=solver)


@pytest.mark.parametrize("solver", BLOCKWISE)
def test_a_trial_that_is_not_finite_is_not_taken(solver):
    def residual(x, block):
        return torch.log(x[0] - 1.0).expand(8) + block

    fit = least_squares(residual, [9.0], blocks=2, solver=solver)
    assert fit.x.isfinite().all() and fit.x[0] == pytest.approx(1 + 2.718281828**-0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"blocks": 0}, "`blocks` must be None or a whole number of at least 1, got 0"),
        ({"blocks": 2.5}, "`blocks` must be None or a whole number"),
        ({"blocks": True}, "`blocks` must be None or a whole number"),
        ({"blocks": 4, "jac": "2-point"}, "`blocks` must be None for jac='2-point', got 4"),
        ({"blocks": 4, "sketch": 2}, "at least as many as the 3 parameters, got 2"),
        ({"blocks": 4, "sketch": 12.5}, "`sketch` must be None, 'auto' or a whole number"),
        ({"blocks": 4, "sketch": 12, "solver": "dual"}, "`sketch` must be None for solver='dual'"),
        ({"blocks": 4, "sketch": "auto", "solver": "matrix_free"}, "for solver='matrix_free'"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        least_squares(decay, [1.0, 1.0, 0.0], **options)


@pytest.mark.parametrize("options", [{"sketch": 12}, {"solver": "accumulated"}])
def test_a_residual_without_blocks(options):
    with pytest.raises(ValueError, match="where rows do not come in blocks, got"):
        least_squares(decay, [1.0, 1.0, 0.0], **options)


def test_a_block_that_changes_its_length():
    lengths = iter(range(8, 100))
    with pytest.raises(ValueError, match=r"must keep .* rows"):
        least_squares(lambda x, k: x.repeat(next(lengths)), [1.0], blocks=2)
