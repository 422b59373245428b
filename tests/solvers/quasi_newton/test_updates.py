"""The updates against slow transcriptions, their limits, and the array that holds them."""

import itertools

import numpy as np
import pytest
import scipy.optimize
import torch

from solvers.quasi_newton import METHODS, QuasiNewton
from solvers.quasi_newton.inverse_hessian import InverseHessian
from solvers.quasi_newton.updates import self_scaled_broyden
from tests.solvers.quasi_newton.functions import (
    F64,
    direct_update,
    ill_conditioned,
    rosenbrock,
    slow_update,
    valley,
)


def steps(function, x0, count, **options):
    """Yield the stepper before and after each step, with what the step was."""
    stepper = QuasiNewton(function, x0, **options)
    for _ in range(count):
        before = stepper.x.clone(), stepper.gradient.clone()
        step = stepper.step()
        assert step.accepted
        yield stepper, before, step


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("problem", [(rosenbrock, valley(6)), ill_conditioned(7)])
def test_twenty_updates_are_those_of_the_paper(method, problem):
    """Twenty: what waits goes into the array twice, and some still wait."""
    H = None
    for stepper, (x, gradient), step in steps(*problem, 20, method=method):
        s = (stepper.x - x).numpy()
        y = (stepper.gradient - gradient).numpy()
        if H is None:
            # Started from the scale of the first pair, as the step was along the gradient.
            H = np.eye(len(s)) * (s @ y) / (y @ y)
            first = -(s @ s) / (s @ gradient.numpy()) / H[0, 0]
            H = slow_update(method, H, s, y, gradient.numpy(), first)
        else:
            H = slow_update(method, H, s, y, gradient.numpy(), step.alpha)
        own = stepper.inverse_hessian.dense().numpy()
        assert np.allclose(own, H, rtol=1e-7, atol=1e-9 * np.abs(H).max())
        assert np.allclose(own, own.T, rtol=0, atol=1e-15 * np.abs(own).max())
        H = own  # the comparison is of single updates, not of how rounding grows


@pytest.mark.parametrize("method", METHODS)
def test_direction_and_secant(method):
    for stepper, (x, gradient), _ in steps(*ill_conditioned(9), 30, method=method):
        s, y = stepper.x - x, stepper.gradient - gradient
        learnt = stepper.inverse_hessian.times(y)
        assert torch.allclose(learnt, s, rtol=1e-7, atol=1e-9 * s.abs().max())
        # The direction comes out of the product of the step before, without a second one.
        own, fresh = stepper._direction, -stepper.inverse_hessian.times(stepper.gradient)
        assert torch.allclose(own, fresh, rtol=1e-6, atol=1e-8 * fresh.abs().max())


def test_the_two_forms_of_the_class_agree():
    """Phi of the inverse follows from theta of the Hessian: `(1 - theta) / (1 + a theta)`."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        n = 6
        root = generator.standard_normal((n, n))
        B = root @ root.T + np.eye(n)
        H, s = np.linalg.inv(B), generator.standard_normal(n)
        y = B @ s + 0.3 * generator.standard_normal(n)
        if s @ y <= 0.1:
            continue
        h, b = y @ H @ y / (s @ y), s @ B @ s / (s @ y)
        phi, tau = self_scaled_broyden(h, b, n)
        a = b * h - 1.0
        theta = (1.0 - phi) / (1.0 + a * phi)
        wanted = direct_update(B, s, y, theta, tau)
        own = InverseHessian(n, torch.device("cpu"))
        own.load_state_dict({
            "factor": 1.0, "array": torch.tensor(H), "rows": torch.empty(0, n), "signs": [],
        })  # fmt: skip
        own.update(torch.tensor(s), torch.tensor(H @ y), s @ y, y @ H @ y, phi, tau)
        assert np.allclose(own.dense().numpy() @ wanted, np.eye(n), atol=1e-9)


@pytest.mark.parametrize("h", [1e-3, 0.5, 1.0, 1.5, 30.0])
@pytest.mark.parametrize("n", [1, 2, 10_000])
def test_factors_go_to_their_limit_where_the_step_is_along_z(h, n):
    limit = self_scaled_broyden(h, 1.0 / h, n)
    below = self_scaled_broyden(h, (1.0 - 1e-13) / h, n)  # by rounding, a is negative there
    near = [self_scaled_broyden(h, (1.0 + a) / h, n) for a in (1e-11, 1e-13)]
    assert 0 < limit.tau <= 1.0 and limit.phi >= 0.0
    if h == 1.0:  # the bound -1/sqrt(a) is met there: the limit is slow
        assert near[1].phi == pytest.approx(limit.phi, rel=1e-4)
        return
    for other in (below, *near):
        assert other.phi == pytest.approx(limit.phi, rel=1e-4)
        assert other.tau == pytest.approx(limit.tau, rel=1e-4)


def test_the_matrix_stays_positive_over_the_whole_range_of_factors():
    for h, more, n in itertools.product((1e-6, 0.1, 1.0, 7.0, 1e6), (0.0, 1e-9, 0.3, 1e4), (2, 99)):
        phi, tau = self_scaled_broyden(h, (1.0 + more) / h, n)
        assert tau > 0.0 and np.isfinite(phi)
        # Positive as long as phi is above the degenerate value 1/(1 - b h) = -1/a.
        assert phi > (-1.0 / more if more else -np.inf)


def test_bfgs_learns_what_scipy_learns():
    """scipy's own steps are shown to ours: the matrix and each next direction are the same."""
    points = [valley(6).numpy()]

    def function(x):
        value, gradient = rosenbrock(torch.tensor(x))
        return value.item(), gradient.numpy()

    found = scipy.optimize.minimize(
        function, points[0], jac=True, method="BFGS", callback=lambda x: points.append(x.copy()),
        options={"maxiter": 25},
    )  # fmt: skip
    assert len(points) == 26
    own = InverseHessian(6, torch.device("cpu"))
    for one, other in itertools.pairwise(points):
        old, new = (torch.tensor(function(point)[1]) for point in (one, other))
        s, y = torch.tensor(other - one), new - old
        along = -own.times(old)
        cosine = along.dot(s) / (along.norm() * s.norm())
        assert cosine.item() == pytest.approx(1.0, abs=1e-9), "scipy's step is along ours"
        z = own.times(y)
        own.update(s, z, s.dot(y).item(), z.dot(y).item(), 1.0, 1.0)
    assert np.allclose(own.dense().numpy(), found.hess_inv, rtol=1e-6, atol=1e-9)


def test_one_product_in_an_iteration(monkeypatch):
    """The array is read once: the next direction follows from the product of the update."""
    calls = []
    times = InverseHessian.times
    monkeypatch.setattr(InverseHessian, "times", lambda self, v: calls.append(1) or times(self, v))
    stepper = QuasiNewton(rosenbrock, valley(10))
    for _ in range(4):  # the first takes more, as it sets the scale
        stepper.step()
    calls.clear()
    for _ in range(20):
        stepper.step()
    assert len(calls) == 20


def test_a_factor_without_bounds_is_taken_in():
    own = InverseHessian(3, torch.device("cpu"))
    generator = torch.Generator("cpu").manual_seed(0)
    wanted = torch.eye(3, dtype=F64)
    for _ in range(30):  # the matrix grows to 1e270
        s = torch.randn(3, dtype=F64, generator=generator)
        own.update(s, s, 1.0, 1.0, 1.0, 1e-9)
        wanted = 1e9 * wanted + (1 - 1e9) * torch.outer(s, s)  # of BFGS with z = s, s'y = 1
    assert own.factor < 1e180
    assert torch.allclose(own.dense(), wanted, rtol=1e-6, atol=0)
