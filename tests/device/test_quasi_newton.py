"""Quasi-Newton on a device: in DeepXDE, and `minimize` by itself."""

import deepxde as dde
import pytest
import torch

import pinn_ext
from solvers.quasi_newton import METHODS, minimize
from tests.dde.gauss_newton.small_models import poisson
from tests.dde.quasi_newton.trainings import train
from tests.device import pretend
from tests.solvers.quasi_newton.functions import rosenbrock, valley


@pytest.mark.parametrize("precision", ["own", "float64"])
def test_it_trains_as_on_the_cpu(problem, on_both, clean_deepxde, precision):
    dde.config.set_default_float("float32" if precision == "float64" else "float64")

    def fit():
        model = poisson()
        adaptive = pinn_ext.AdaptiveWeights("ema", period=4, second_phase="blocks", verbose=0)
        train(model, 12, adaptive, resample_every=5, precision=precision)
        assert next(model.net.parameters()).device == torch.get_default_device()
        return problem.vector(model).cpu()

    torch.testing.assert_close(*on_both(fit), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_minima_are_found_where_the_start_lies(device, method):
    here = minimize(rosenbrock, valley(6).to(device), method)
    there = minimize(rosenbrock, valley(6), method)
    assert here.x.device == device and here.status == there.status
    torch.testing.assert_close(here.x.cpu(), there.x, rtol=1e-6, atol=1e-8)


def test_no_room_for_the_matrix_is_an_error_of_memory(device):
    start = valley(400).to(device)
    with pretend.memory_limit(800_000), pytest.raises(MemoryError, match="400 parameters"):
        minimize(rosenbrock, start)
