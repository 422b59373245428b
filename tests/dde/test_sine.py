"""Sine networks in DeepXDE scripts: `pinn_ext.networks.Sine` in an FNN, and DeepXDE's own "sin"."""

import deepxde as dde
import pytest
import torch

import pinn_ext
from pinn_ext.networks import Sine, init_sine
from tests.dde.model.test_residual_rows import assert_rows_are_the_model, square_model


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


def sine_net(sizes, w0=2.0):
    return init_sine(dde.nn.FNN(sizes, Sine(w0), "Glorot normal"), w0, seed=1)


@pytest.mark.parametrize("kind", ["module", "sin"])
def test_rows_take_one_pass_a_term(kind):
    sizes = [2, 6, 5, 2]
    net = sine_net(sizes) if kind == "module" else dde.nn.FNN(sizes, "sin", "Glorot normal")
    rows = assert_rows_are_the_model(square_model(net=net))
    assert rows.fallback is None


def test_the_module_is_the_function_of_its_factor(problem):
    net = sine_net([1, 5, 1], 1.0)
    plain = dde.nn.FNN([1, 5, 1], "sin", "Glorot normal")
    plain.load_state_dict(net.state_dict())
    x = torch.rand(4, 1)
    assert torch.equal(net(x), plain(x))


def test_it_is_trained_by_adam_and_by_gauss_newton(problem):
    model = problem.poisson(net=sine_net([1, 12, 12, 1]))
    problem.train(model, iterations=20)
    assert sum(model.train_state.loss_train) < sum(model.losshistory.loss_train[0])
    before = sum(model.train_state.loss_train)
    with pytest.warns(RuntimeWarning, match="residual rows"):
        pinn_ext.train_gauss_newton(model, 10, verbose=0)
    assert sum(model.train_state.loss_train) < 1e-3 * before
