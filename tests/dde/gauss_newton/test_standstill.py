"""A training without a tolerance ends where its loss stands at rounding, on any processor."""

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.dde.gauss_newton.loop import GaussNewtonTraining

LINE = dde.geometry.Interval(0, 1)
EPS = np.finfo(float).eps


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


def equation(x, y):
    return -dde.grad.hessian(y, x) - np.pi**2 * torch.sin(np.pi * x)


def two_neurons(perturbation):
    """Return Poisson's equation on a network that is too small for it.

    Its training reaches a plateau: one neuron is saturated, and the loss falls by some 1e-14 of
    itself a step. Whether it ever leaves again hangs on the last bits.

    Args:
        perturbation: seed of changes in the last bit of the first weights; 0 for none.
    """
    dde.config.set_random_seed(0)
    walls = dde.icbc.DirichletBC(LINE, lambda x: 0 * x[:, :1], lambda _, on: on)
    data = dde.data.PDE(LINE, equation, [walls], 100, 2, num_test=20)
    model = dde.Model(data, dde.nn.FNN([1, 2, 1], "tanh", "Glorot normal"))
    if perturbation:
        generator = torch.Generator().manual_seed(perturbation)
        for weights in model.net.parameters():
            bits = torch.randint(-1, 2, weights.shape, generator=generator)
            weights.data *= 1 + EPS * bits
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def train(model, iterations=500, **options):
    options.setdefault("display_every", 10**6)
    return pinn_ext.train_gauss_newton(model, iterations, **options)


@pytest.mark.parametrize("perturbation", range(6))
def test_it_ends_whatever_the_last_bits_are(perturbation, capsys):
    model = two_neurons(perturbation)
    train(model, verbose=0)
    first = model.train_state.step
    train(model, tolerance=0.0)
    assert "no step lowers the loss any more" in capsys.readouterr().out
    assert model.train_state.step < first + 200


def test_the_tolerance_is_told_where_both_hold(capsys):
    model = two_neurons(0)
    train(model, tolerance=0.0, damping="nielsen", verbose=0)
    capsys.readouterr()
    train(model, damping="nielsen")
    assert "the loss fell by less than 0.0001 of itself in each of 5" in capsys.readouterr().out


def test_the_count_goes_on_after_a_checkpoint():
    options = {
        "tolerance": 0.0, "damping": "bold", "geodesic": True, "solver": "auto",
        "weights": "keep", "resample_every": 0, "memory_limit_gb": None, "verbose": 0,
    }  # fmt: skip
    model = two_neurons(0)
    whole = GaussNewtonTraining(model, **options)
    whole.run(500)
    assert whole.converged and whole.done < 500

    model = two_neurons(0)
    first = GaussNewtonTraining(model, **options)
    first.run(whole.done - 2)
    assert not first.converged and first.state_dict()["stepper"]["standstill"]
    second = GaussNewtonTraining(model, **options)
    second.load_state_dict(first.state_dict())
    second.run(500)
    assert (second.done, second.message) == (whole.done, whole.message)
