"""Steps one by one: states, other rows, derivatives, futile steps, robust rows."""

import itertools
import math

import numpy as np
import pytest
import torch

from solvers.gauss_newton import (
    DAMPINGS,
    Nielsen,
    Status,
    Stepper,
    least_squares,
)
from solvers.gauss_newton.autodiff import Derivatives
from solvers.gauss_newton.residual_functions import FunctionProblem
from tests.pairs import pairwise
from tests.solvers.gauss_newton.rows import F64, Rows, random, rosenbrock


@pytest.mark.parametrize("chunk", [None, 1, 3, 100])
@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_chunks_of_rows_make_the_whole(chunk, shape):
    matrix = random(*shape)
    x = random(shape[1])
    derivatives = Derivatives(lambda x: torch.sin(matrix @ x) * x[0], *shape, chunk)
    expected = torch.func.jacrev(lambda x: torch.sin(matrix @ x) * x[0])(x)
    for way in ("_forward", "_reverse", "_batched", "_one_by_one"):
        torch.testing.assert_close(getattr(derivatives, way)(x), expected)
    torch.testing.assert_close(derivatives.jacobian(x), expected)
    v, w = random(shape[1]), random(shape[0])
    for forward, backward in (derivatives.products(x), derivatives._graph_products(x)):
        torch.testing.assert_close(forward(v), expected @ v)
        torch.testing.assert_close(backward(w), expected.T @ w)


def test_a_chunk_is_a_part(monkeypatch):
    from solvers.gauss_newton import autodiff

    monkeypatch.setattr(autodiff, "_CHUNK", 20)
    matrix = random(9, 4)
    derivatives = Derivatives(lambda x: matrix @ x, 9, 4)
    assert derivatives._parts(4, 9) == [(0, 2), (2, 4)]
    torch.testing.assert_close(derivatives.jacobian(random(4)), matrix)


@pytest.mark.parametrize("solver", ["primal", "matrix_free"])
def test_residuals_with_derivatives_of_their_own(solver):
    # As in a PINN that takes its derivatives by autograd: torch.func refuses such functions.
    t = torch.linspace(0, 1, 20, dtype=F64)

    def residual(x):
        with torch.enable_grad():
            at = t.clone().requires_grad_()
            u = torch.exp(-x[0] * at) * x[1]
            (slope,) = torch.autograd.grad(u.sum(), at, create_graph=True)
        return torch.cat([slope + 2.0 * u, (u[0] - 3.0)[None]])

    fit = least_squares(residual, [1.0, 1.0], solver=solver)
    assert fit.success
    np.testing.assert_allclose(fit.x.numpy(), [2.0, 3.0], rtol=1e-6)


def problem_of_many_steps():
    matrix = random(40, 8)
    return lambda x: torch.tanh(matrix @ x) + 0.3 * torch.sin(matrix @ x) ** 2 - 0.2


@pytest.mark.parametrize(
    ("rule", "solver", "geodesic"),
    pairwise(itertools.product(DAMPINGS, ["primal", "dual", "matrix_free"], [False, True])),
)
def test_a_saved_state_goes_on_to_the_same_bits(rule, solver, geodesic):
    function, start = problem_of_many_steps(), random(8)
    options = {"damping": rule, "solver": solver, "geodesic": geodesic}
    whole = Stepper(Rows(function, start), start, **options)
    costs = [whole.step().cost for _ in range(6)]
    first = Stepper(Rows(function, start), start, **options)
    for _ in range(3):
        first.step()
    saved = first.state_dict()
    first.step()  # what was saved is a copy
    second = Stepper(Rows(function, start), torch.zeros_like(start), **options)
    second.load_state_dict(saved)
    assert [second.step().cost for _ in range(3)] == costs[3:]
    assert torch.equal(second.x, whole.x)
    assert (second.nfev, second.njev) == (whole.nfev, whole.njev)


def test_a_state_can_be_stored_as_weights_only(tmp_path):
    start = random(8)
    stepper = Stepper(Rows(problem_of_many_steps(), start), start, damping="target")
    stepper.step()
    torch.save(stepper.state_dict(), tmp_path / "state.pt")
    stepper.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    with pytest.raises(ValueError, match="`state` must hold the memory of Nielsen, got damping"):
        Stepper(stepper.problem, start).load_state_dict(stepper.state_dict())
    other = Stepper(Rows(rosenbrock, start[:2]), start[:2], damping="target")
    with pytest.raises(ValueError, match="`state` must hold 2 parameters, got 8"):
        other.load_state_dict(stepper.state_dict())


@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
def test_a_common_factor_on_all_rows_changes_nothing(solver):
    function, start = problem_of_many_steps(), random(8)
    plain = Stepper(Rows(function, start), start, solver=solver)
    changed = Stepper(Rows(function, start), start, solver=solver)
    for k in range(6):
        if k == 2:
            changed.replace(Rows(function, start, 2.0**-9))
        if k == 4:
            changed.replace(Rows(function, start, 2.0**7))
        one, other = plain.step(), changed.step()
        assert other.damping == one.damping and other.trials == one.trials
        torch.testing.assert_close(changed.x, plain.x, rtol=1e-12, atol=1e-12)
    assert changed.cost == pytest.approx(plain.cost * 2.0**14, rel=1e-12)


def test_replace_takes_other_rows_and_refuses_nan():
    start = random(8)
    stepper = Stepper(Rows(problem_of_many_steps(), start), start)
    stepper.step()
    damping = stepper.damping
    other = Rows(lambda x: torch.cat([x - 1.0, x[:1] * 2.0]), start)
    stepper.replace(other)
    assert stepper.damping == damping and stepper.residual.shape == (9,)
    for _ in range(20):
        stepper.step()
    assert stepper.cost == pytest.approx(0.4 * 1.0, rel=1e-6)
    with pytest.raises(ValueError, match="in 8 of 8 rows"):
        stepper.replace(Rows(lambda x: x * math.nan, start))


def test_a_jacobian_whose_memory_is_used_again():
    start = random(8)
    inner = FunctionProblem(problem_of_many_steps(), start)
    buffer = torch.empty(40, 8, dtype=F64)

    class Reusing:
        num_rows = 40
        residual = staticmethod(inner.residual)

        def linearize(self, x):
            buffer.copy_(inner.linearize(x)[1])
            return inner.residual(x), buffer

    one, other = Stepper(Reusing(), start), Stepper(inner, start)
    costs = [other.step().cost for _ in range(6)]
    assert [one.step().cost for _ in range(6)] == pytest.approx(costs, rel=1e-12)


def test_geodesic_acceleration_saves_steps_in_a_narrow_valley():
    plain = least_squares(rosenbrock, [-1.2, 1.0], geodesic=False)
    bent = least_squares(rosenbrock, [-1.2, 1.0], geodesic=True)
    assert bent.cost < 1e-20 and bent.njev < 0.7 * plain.njev


def test_the_second_derivative_is_that_of_the_residual():
    # On a parabola the bent step ends where the exact second-order path does.
    start = torch.tensor([1.0], dtype=F64)
    stepper = Stepper(
        Rows(lambda x: x**2 - 1.21, start), start, damping=Nielsen(1e-12), geodesic=True
    )
    stepper.step()
    # v = 0.105, r_vv = 2 v^2, a = -r_vv / 2; x = 1 + v + a / 2.
    assert stepper.x.item() == pytest.approx(1.0 + 0.105 - 0.105**2 / 2, rel=1e-9)


def test_a_step_that_can_bring_nothing_is_futile():
    start = torch.tensor([1.0, 1.0], dtype=F64)
    stepper = Stepper(Rows(lambda x: torch.stack([x[0] ** 2 + 1.0, x[1] - 1.0]), start), start)
    for _ in range(200):
        step = stepper.step()
        if not step.accepted:
            break
    assert step.futile and stepper.cost == pytest.approx(0.5, rel=1e-12)
    # The minimum has a Jacobian of zeros.
    fit = least_squares(lambda x: x**2 + 1.0, [0.0])
    assert fit.status is Status.GTOL and fit.x.item() == 0.0


def test_robust_rows_have_the_gradient_of_the_cost():
    from solvers.gauss_newton.robust_loss import Loss

    residual = torch.linspace(-4, 4, 9, dtype=F64)
    for name in ("linear", "soft_l1", "huber", "cauchy", "arctan"):
        loss = Loss(name, 0.7)
        rows, weights = loss.rows(residual)
        gradient = rows if weights is None else rows * weights
        for i, value in enumerate(residual):
            h = 1e-6
            cost = [loss.cost(residual[i : i + 1] + side * h) for side in (1, -1)]
            assert float(gradient[i]) == pytest.approx((cost[0] - cost[1]) / (2 * h), abs=1e-6)
            assert loss.cost(value[None]) <= 0.5 * float(value) ** 2 + 1e-15
        other = residual + 1e-9
        expected = loss.cost(residual) - loss.cost(other)
        assert loss.reduction(residual, other) == pytest.approx(expected, abs=1e-14)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
def test_on_a_gpu(solver):
    start = torch.tensor([-1.2, 1.0], dtype=F64, device="cuda")
    fit = least_squares(rosenbrock, start, solver=solver)
    assert fit.cost < 1e-20 and fit.x.device.type == "cuda"
