"""Gauss-Newton on a device: in DeepXDE, and `least_squares` by itself with every direction."""

import deepxde as dde
import pytest
import torch

import pinn_ext
from solvers.gauss_newton import DAMPINGS, least_squares
from tests.dde.gauss_newton.small_models import decay_model, error, poisson, train
from tests.device import pretend


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


@pytest.mark.parametrize(
    ("damping", "solver"), [*((name, "auto") for name in DAMPINGS), ("nielsen", "matrix_free")]
)
def test_it_trains_as_on_the_cpu(problem, on_both, damping, solver):
    def fit():
        model = poisson()
        train(model, 6, damping=damping, solver=solver, resample_every=3)
        assert next(model.net.parameters()).device == torch.get_default_device()
        return problem.vector(model).cpu(), error(model)

    (here, reached), (there, wanted) = on_both(fit)
    torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-6)
    assert reached == pytest.approx(wanted, rel=1e-2)


def test_unknown_coefficients_and_weights_that_balance(on_both):
    def fit():
        made = decay_model()
        train(made[0], 25, weights="balance")
        return float(made[1])

    here, there = on_both(fit)
    assert here == pytest.approx(there, rel=1e-6) == pytest.approx(1.7, rel=1e-3)


def test_after_adam_with_weights_that_moved(problem, on_both):
    def fit():
        model = poisson()
        adaptive = pinn_ext.AdaptiveWeights("ema", period=2, verbose=0)
        problem.train(model, adaptive, iterations=6)
        train(model, 4, adaptive)
        return problem.vector(model).cpu()

    torch.testing.assert_close(*on_both(fit), rtol=1e-5, atol=1e-8)


def chain(x):
    """Return the residuals of a chained Rosenbrock function [2 (n - 1)]."""
    return torch.cat([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])


@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
def test_least_squares_by_each_solver(device, solver):
    start = torch.full((6,), -0.5, dtype=torch.float64)
    there = least_squares(chain, start, solver=solver)
    here = least_squares(chain, start.to(device), solver=solver)
    assert here.x.device == device and here.status == there.status
    torch.testing.assert_close(here.x.cpu(), there.x, rtol=1e-6, atol=1e-8)


def test_least_squares_with_bounds_and_a_robust_loss(device):
    start = torch.full((4,), 0.5, dtype=torch.float64)
    options = {"bounds": (0.0, 0.9), "loss": "soft_l1"}
    here = least_squares(chain, start.to(device), **options)
    there = least_squares(chain, start, **options)
    assert here.x.device == device
    torch.testing.assert_close(here.x.cpu(), there.x, rtol=1e-6, atol=1e-8)


def test_no_room_for_the_jacobian_is_an_error_of_memory(device):
    """It is not taken for a residual that cannot be differentiated in one way or another."""
    start = torch.full((400,), 0.5, dtype=torch.float64, device=device)
    with pretend.memory_limit(200_000), pytest.raises((MemoryError, torch.OutOfMemoryError)):
        least_squares(chain, start, solver="primal")
