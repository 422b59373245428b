"""`least_squares` beside scipy, on awkward problems, with bad input, interrupted."""

import itertools
import math

import numpy as np
import pytest
import scipy.optimize
import torch

from solvers.gauss_newton import DAMPINGS, Status, TargetRatio, least_squares
from tests.pairs import pairwise

TIGHT = {"ftol": 1e-15, "xtol": 1e-13, "gtol": 1e-14}
T = torch.linspace(0.0, 3.0, 30, dtype=torch.float64)


def decay(x):
    return x[0] * torch.exp(-x[1] * T) + x[2]


def data(outliers=False):
    y = decay(torch.tensor([2.0, 1.3, 0.4], dtype=torch.float64))
    y = y + 0.05 * torch.randn(30, dtype=torch.float64)
    if outliers:
        y[5] += 3.0
        y[20] -= 2.0
    return y


def rosenbrock(x):
    return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
@pytest.mark.parametrize("direction", ["primal", "matrix_free"])
def test_agrees_with_scipy(loss, direction):
    y = data(outliers=True)
    ours = least_squares(
        lambda x: decay(x) - y,
        [1.0, 1.0, 0.0],
        loss=loss,
        f_scale=0.1,
        solver=direction,
        **TIGHT,
    )
    theirs = scipy.optimize.least_squares(
        lambda x: (decay(torch.from_numpy(x)) - y).numpy(),
        [1.0, 1.0, 0.0],
        "3-point",
        loss=loss,
        f_scale=0.1,
        **TIGHT,
    )
    assert ours.success
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-12)
    np.testing.assert_allclose(ours.x.numpy(), theirs.x, rtol=1e-6, atol=1e-7)
    assert ours.residual.tolist() == (decay(ours.x) - y).tolist()


@pytest.mark.parametrize("loss", ["cauchy", "arctan"])
def test_a_row_whose_square_overflows_is_an_outlier_like_others(loss):
    t = T.float()
    y = 2 * t + 1
    y[7] = 9.97e36  # how files say that a number is missing
    fit = least_squares(lambda x: x[0] * t + x[1] - y, torch.zeros(2), loss=loss, f_scale=0.1)
    assert fit.success and fit.x.tolist() == pytest.approx([2.0, 1.0], abs=1e-4)


@pytest.mark.parametrize(
    ("rule", "solver", "geodesic"),
    pairwise(itertools.product(DAMPINGS, ["primal", "dual", "matrix_free"], [False, True])),
)
def test_all_rules_and_solvers_find_the_same_minimum(rule, solver, geodesic):
    y = data()
    fit = least_squares(
        lambda x: decay(x) - y, [1.0, 1.0, 0.0], damping=rule, solver=solver, geodesic=geodesic
    )
    assert fit.success
    reference = least_squares(lambda x: decay(x) - y, [2.0, 1.0, 0.5], **TIGHT)
    np.testing.assert_allclose(fit.x.numpy(), reference.x.numpy(), rtol=1e-4)
    assert fit.cost == pytest.approx(reference.cost, rel=1e-8)
    assert [row["cost"] for row in fit.history] == sorted(
        (row["cost"] for row in fit.history), reverse=True
    )


@pytest.mark.parametrize("rule", DAMPINGS)
def test_rosenbrock_to_rounding(rule):
    fit = least_squares(rosenbrock, [-1.2, 1.0], damping=rule)
    assert fit.success and fit.cost < 1e-20
    np.testing.assert_allclose(fit.x.numpy(), [1.0, 1.0], rtol=1e-9)


def test_gauss_newton_solves_a_linear_problem_in_one_step():
    matrix = torch.randn(8, 3, dtype=torch.float64)
    right = torch.randn(8, dtype=torch.float64)
    fit = least_squares(lambda x: matrix @ x - right, [0.0] * 3, method="gauss_newton")
    expected = torch.linalg.lstsq(matrix, right).solution
    torch.testing.assert_close(fit.x, expected, rtol=1e-12, atol=1e-12)
    assert fit.njev == 2 and fit.history[0]["damping"] == 0.0
    assert fit.status is Status.GTOL


@pytest.mark.parametrize("solver", ["auto", "primal", "matrix_free"])
def test_fewer_rows_than_parameters_ends_at_the_nearest_solution(solver):
    matrix = torch.randn(3, 6, dtype=torch.float64)
    right = torch.randn(3, dtype=torch.float64)
    fit = least_squares(
        lambda x: matrix @ x - right,
        [0.0] * 6,
        x_scale=1.0,
        method="gauss_newton",
        solver=solver,
        **TIGHT,
    )
    torch.testing.assert_close(fit.x, torch.linalg.pinv(matrix) @ right, rtol=1e-9, atol=1e-9)
    damped = least_squares(lambda x: matrix @ x - right, [0.0] * 6, x_scale=1.0, **TIGHT)
    torch.testing.assert_close(damped.x, fit.x, rtol=1e-6, atol=1e-6)


def test_more_parameters_than_rows_of_a_nonlinear_problem():
    fit = least_squares(lambda x: torch.stack([x.prod() - 6.0, x.sum() - 6.0]), [1.0, 2.0, 2.0])
    assert fit.success and fit.cost < 1e-20


@pytest.mark.parametrize("method", ["lm", "gauss_newton"])
@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
def test_rank_deficient_and_unused_parameters(method, solver):
    # x[0] and x[1] count only by their sum, x[3] not at all.
    def residual(x):
        return torch.stack([x[0] + x[1] - 2.0, 3.0 * (x[2] - 1.0), x[2] * (x[0] + x[1]) - 2.0])

    fit = least_squares(residual, [0.5, 0.5, 3.0, 7.0], method=method, solver=solver)
    assert fit.success and fit.cost < 1e-18
    np.testing.assert_allclose(fit.x.numpy(), [1.0, 1.0, 1.0, 7.0], atol=1e-8)


def test_zero_residual_at_the_start():
    fit = least_squares(lambda x: x - 1.0, [1.0, 1.0])
    assert fit.status is Status.ZERO_RESIDUAL and fit.success and not fit.history
    assert fit.x.tolist() == [1.0, 1.0] and fit.optimality == 0.0


@pytest.mark.parametrize("limit", [{"max_nfev": 0}, {"max_nfev": 1}, {"max_iterations": 0}])
def test_no_iterations_return_the_start(limit):
    fit = least_squares(rosenbrock, [-1.2, 1.0], **limit)
    assert fit.x.tolist() == [-1.2, 1.0]
    assert fit.status in (Status.MAX_NFEV, Status.MAX_ITERATIONS) and not fit.success
    assert fit.optimality > 0


def test_limits_hold():
    assert len(least_squares(rosenbrock, [-1.2, 1.0], max_iterations=3).history) == 3
    fit = least_squares(rosenbrock, [-1.2, 1.0], max_nfev=6)
    assert fit.nfev == 6
    assert fit.status is Status.MAX_NFEV and fit.nfev <= 7


def test_counts_are_those_of_the_calls():
    calls = []

    def residual(x):
        calls.append(None)
        return rosenbrock(x)

    jacobians = []

    def jac(x):
        jacobians.append(None)
        return torch.func.jacfwd(rosenbrock)(x)

    fit = least_squares(residual, [-1.2, 1.0], jac)
    assert (fit.nfev, fit.njev) == (len(calls), len(jacobians))


def test_nan_at_the_start_is_refused_with_the_number_of_rows():
    def residual(x):
        return torch.stack([x[0].log(), x[1].log(), x[0] * 1.0])

    with pytest.raises(ValueError, match=r"finite at the start, got NaN or infinity in 2 of 3"):
        least_squares(residual, [-1.0, -1.0])
    with pytest.raises(ValueError, match="finite sum of squares"):
        least_squares(lambda x: 1e200 * x, [1.0])
    with pytest.raises(ValueError, match=r"Jacobian must be finite.* in 2 of 2 columns"):
        least_squares(lambda x: torch.stack([x[0].sqrt() + 1.0, x[1] - 2.0]), [0.0, 1.0])


@pytest.mark.parametrize("rule", DAMPINGS)
def test_nan_at_a_trial_is_stepped_around(rule):
    seen = []

    def residual(x):
        value = torch.stack([10.0 * (x[0].log() + 3.0), x[0] - 1.0])
        seen.append(bool(value.isfinite().all()))
        return value

    fit = least_squares(residual, [2.0], damping=rule, geodesic=False)
    assert fit.success and not all(seen)
    assert fit.x.item() == pytest.approx(0.0508, abs=1e-2)


def test_a_jacobian_that_is_not_finite_is_retreated_from():
    # The derivative of the square root is infinite at 0, where a bold step ends.
    def residual(x):
        return torch.stack([x[0].abs().sqrt() + 0.1, x[0] + 1.0])

    fit = least_squares(residual, [1.0], lambda x: torch.stack([0.5 / x.sqrt(), torch.ones(1)]))
    assert fit.status in (Status.NONFINITE, Status.STALLED, Status.PRECISION, Status.XTOL)
    assert math.isfinite(fit.cost)


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
def test_finite_differences_for_numpy(jac):
    def residual(x):
        a, b = x.numpy()
        return np.array([10 * (b - a**2), 1 - a])

    fit = least_squares(residual, [-1.2, 1.0], jac)
    assert fit.success
    np.testing.assert_allclose(fit.x.numpy(), [1.0, 1.0], rtol=1e-7)
    with pytest.raises(ValueError, match="pass jac='2-point'"):
        least_squares(residual, [-1.2, 1.0])


def test_finite_differences_fit_the_size_of_each_parameter():
    scale = torch.tensor([1e-9, 1.0, 1e9], dtype=torch.float64)
    fit = least_squares(
        lambda x: torch.exp(x / scale) - torch.tensor([2.0, 3.0, 4.0]).double(),
        0.5 * scale,
        "2-point",
    )
    np.testing.assert_allclose((fit.x / scale).numpy(), np.log([2.0, 3.0, 4.0]), rtol=1e-7)


def test_a_function_for_the_jacobian_may_return_an_array():
    fit = least_squares(
        rosenbrock, np.array([-1.2, 1.0]), lambda x: np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])
    )
    assert fit.success and fit.cost < 1e-20
    with pytest.raises(ValueError, match=r"`jac` must return shape \[2, 2\], got \[2\]"):
        least_squares(rosenbrock, [-1.2, 1.0], lambda x: x)


def test_callback_sees_each_step_and_can_stop():
    seen = []
    fit = least_squares(rosenbrock, [-1.2, 1.0], callback=seen.append)
    assert [each.cost for each in seen] == [row["cost"] for row in fit.history]
    assert {each.status for each in seen} == {Status.RUNNING}

    def stop(solution):
        if len(solution.history) == 3:
            raise StopIteration

    fit = least_squares(rosenbrock, [-1.2, 1.0], callback=stop)
    assert fit.status is Status.CALLBACK and len(fit.history) == 3 and not fit.success
    fit = least_squares(rosenbrock, [-1.2, 1.0], callback=lambda solution: True)
    assert fit.status is Status.CALLBACK and len(fit.history) == 1


@pytest.mark.parametrize("call", [4, 5, 9])
def test_ctrl_c_keeps_the_last_accepted_step(call):
    costs, calls = [], []

    def residual(x):
        calls.append(x)
        if len(calls) == call:
            raise KeyboardInterrupt
        return rosenbrock(x)

    fit = least_squares(
        residual, [-1.2, 1.0], lambda x: torch.func.jacfwd(rosenbrock)(x),
        callback=lambda solution: costs.append(solution.cost),
    )  # fmt: skip
    assert fit.status is Status.INTERRUPTED and "keyboard" in fit.message
    assert fit.cost == ([float(rosenbrock(calls[0]).square().sum()) / 2] + costs)[-1]
    assert fit.cost == pytest.approx(float(rosenbrock(fit.x).square().sum()) / 2, rel=1e-15)


def test_float32_reaches_its_own_floor_and_says_so():
    y = data().float()
    t = T.float()
    fit = least_squares(
        lambda x: x[0] * torch.exp(-x[1] * t) + x[2] - y,
        torch.tensor([1.0, 1.0, 0.0]),
        ftol=1e-14,
        xtol=1e-14,
        gtol=1e-14,
    )
    assert fit.success and fit.x.dtype == torch.float32
    assert "float32" in fit.message and fit.message.count("float32") == 1
    exact = least_squares(lambda x: decay(x) - y.double(), [1.0, 1.0, 0.0], **TIGHT)
    np.testing.assert_allclose(fit.x.numpy(), exact.x.numpy(), rtol=2e-3)
    assert fit.cost == pytest.approx(exact.cost, rel=1e-6)
    assert "float32" not in exact.message


def test_start_may_be_many_things_and_is_not_touched():
    start = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    fit = least_squares(rosenbrock, start)
    assert start.tolist() == [-1.2, 1.0] and start.grad is None
    assert not fit.x.requires_grad and not fit.residual.requires_grad
    for other in ([-1.2, 1.0], (-1.2, 1.0), np.array([-1.2, 1.0])):
        assert torch.equal(least_squares(rosenbrock, other).x, fit.x)
    assert least_squares(lambda x: x - 2, 1).x.tolist() == pytest.approx([2.0])
    assert least_squares(lambda x: x[0] - 2, [1]).x.dtype == torch.float64


def test_the_residual_may_write_to_its_argument():
    def residual(x):
        value = rosenbrock(x)
        with torch.no_grad():
            if not torch._C._functorch.is_functorch_wrapped_tensor(x) and not x.requires_grad:
                x.zero_()
        return value

    assert least_squares(residual, [-1.2, 1.0]).cost < 1e-20


def test_nothing_global_changes_and_the_same_bits_come_twice():
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    y = data()
    torch.random.set_rng_state(state)
    first, second = (
        least_squares(lambda x: decay(x) - y, [1.0, 1.0, 0.0], solver="matrix_free")
        for _ in range(2)
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.x, second.x) and first.cost == second.cost
    assert torch.is_grad_enabled()


def test_units_do_not_matter():
    # Powers of two, so that rounding is the same too.
    y = data()
    units = torch.tensor([2.0**20, 1.0, 2.0**-15], dtype=torch.float64)
    plain = least_squares(lambda x: decay(x) - y, [1.0, 1.0, 0.5])
    scaled = least_squares(
        lambda x: 2.0**10 * (decay(x / units) - y),
        torch.tensor([1.0, 1.0, 0.5]).double() * units,
    )
    assert plain.nfev == scaled.nfev and plain.status is scaled.status
    torch.testing.assert_close(scaled.x / units, plain.x, rtol=1e-10, atol=0)
    given = least_squares(lambda x: decay(x / units) - y, units, x_scale=units)
    np.testing.assert_allclose((given.x / units).numpy(), plain.x.numpy(), rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "trf"}, r"`method` must be one of lm, gauss_newton, got 'trf'"),
        ({"damping": "strong"}, "`damping` must be a rule or one of bold, gain_ratio, line_search"),
        ({"damping": 0.1}, "`damping` must be a rule"),
        ({"damping": "target", "method": "gauss_newton"}, "`damping` must be None"),
        ({"solver": "qr"}, "`solver` must be one of auto, primal, dual, accumulated, .*, got 'qr'"),
        ({"jac": "cs"}, "`jac` must be a function or one of func, 2-point, 3-point, got 'cs'"),
        ({"loss": "l1"}, "`loss` must be one of arctan, cauchy, huber, linear, soft_l1"),
        ({"f_scale": 0.0}, "`f_scale` must be a positive, finite number, got 0.0"),
        ({"x_scale": "auto"}, "`x_scale` must be 'jac', a positive number or one for each of"),
        ({"x_scale": [1.0, -1.0]}, "`x_scale` must be"),
        ({"x_scale": [1.0, 1.0, 1.0]}, "`x_scale` must be"),
        ({"ftol": -1.0}, "`ftol` must be None or a number of at least 0, got -1.0"),
        ({"xtol": math.nan}, "`xtol` must be"),
        ({"max_nfev": -1}, "`max_nfev` must be None or a whole number of at least 0, got -1"),
        ({"max_iterations": 2.5}, "`max_iterations` must be"),
        ({"diff_step": 0.0, "jac": "2-point"}, "`diff_step` must be a positive, finite number"),
        ({"chunk_rows": 0}, "`chunk_rows` must be None or a whole number of at least 1, got 0"),
        ({"memory_limit_gb": 0.0}, "`memory_limit_gb` must be positive, got 0.0"),
        ({"x0": [math.inf, 1.0]}, "`x0` must be finite, got NaN or infinity in 1 of 2"),
        ({"x0": [[1.0, 1.0]]}, r"`x0` must be a vector of at least one number, got \[1, 2\]"),
        ({"x0": []}, "`x0` must be a vector"),
        ({"x0": torch.ones(2, dtype=torch.float16)}, "`x0` must be float32 or float64"),
        ({"x0": np.array([1j, 1.0])}, "`x0` must be float32 or float64"),
        ({"residual": lambda x: x[None]}, "`residual` must return a vector of at least one row"),
        ({"residual": lambda x: x[:0]}, "`residual` must return a vector of at least one row"),
        ({"residual": lambda x: x.float()}, "`residual` must return torch.float64 on cpu"),
        ({"residual": lambda x: x.detach()}, "`residual` must be made of torch operations"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"residual": rosenbrock, "x0": [-1.2, 1.0], **change}
    with pytest.raises(ValueError, match=message):
        least_squares(**arguments)


def test_rows_must_stay_as_many():
    calls = []

    def residual(x):
        calls.append(None)
        return x if len(calls) == 1 else torch.cat([x, x])

    with pytest.raises(ValueError, match="`residual` must keep 2 rows, got 4"):
        least_squares(residual, [1.0, 2.0], "2-point")


def test_an_error_of_the_residual_is_its_own():
    def residual(x):
        if len(x) and x.requires_grad:
            return x * 1.0
        raise RuntimeError("the measurement failed")

    with pytest.raises(RuntimeError, match="the measurement failed"):
        least_squares(residual, [1.0, 2.0])


def test_target_ratio_checks_itself():
    for change in ({"count": 3}, {"count": 9}, {"early": 0.6}, {"spacing": 1.0}):
        with pytest.raises(ValueError, match="must"):
            TargetRatio(**change)


@pytest.mark.parametrize("most", range(1, 8))
@pytest.mark.parametrize("solver", ["primal", "matrix_free"])
def test_no_more_evaluations_are_made_than_are_allowed(solver, most):
    assert least_squares(rosenbrock, [-1.2, 1.0], solver=solver, max_nfev=most).nfev == most


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_fit_within_an_evaluation(mode):
    with mode():
        fit = least_squares(lambda x: x**2 - 2.0, torch.tensor([1.0, 2.0]))
    assert fit.x.tolist() == pytest.approx([2.0**0.5] * 2) and not fit.x.requires_grad
