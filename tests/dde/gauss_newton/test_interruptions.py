"""Trainings that are cut short: values that are not finite, Ctrl-C, errors of callbacks."""

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from tests.dde.gauss_newton.small_models import LINE, Hooks, equation, error, poisson, total, train


def test_a_trial_that_is_not_finite_is_rejected():
    """log u = -x, from u = 5: the first steps make u negative, where there is no logarithm."""
    negative = []

    def logarithm(x, y):
        negative.append(bool((y < 0).any()))
        return torch.log(y) + x

    net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
    net.linears[-1].bias.data.fill_(5.0)
    model = poisson(data=dde.data.PDE(LINE, logarithm, [], 60, 2), net=net)
    train(model, 60)
    assert any(negative) and not negative[0]
    assert error(model, lambda x: np.exp(-x)) < 1e-5


def test_test_points_without_a_finite_loss_stop_as_in_deepxde(capsys):
    model = poisson(lambda x, y: equation(x, y) + 0 * torch.sqrt(1.5 - x))
    model.data.test = lambda: (np.array([[0.0], [1.0], [2.0]]), None, None)
    train(model, 10, verbose=1)
    assert model.train_state.step == 1
    assert "the loss on the test points is NaN" in capsys.readouterr().out


class Interrupts:
    """An equation that is interrupted from the keyboard at its n-th evaluation."""

    def __init__(self, at):
        self.left = at

    def __call__(self, x, y):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return equation(x, y)


@pytest.mark.parametrize("at", range(10, 30))
def test_ctrl_c_keeps_the_last_accepted_step(problem, at, capsys):
    pde = Interrupts(at)
    model, hooks = poisson(pde), Hooks()
    accepted = [problem.vector(model)]
    keep = problem.At("on_batch_end", lambda _: accepted.append(problem.vector(model)))
    history, state = train(model, 30, hooks, keep, verbose=1, display_every=2)
    assert pde.left <= 0, "it was interrupted"
    assert "interrupted; the last accepted step is kept." in capsys.readouterr().out
    if state.step == len(accepted) - 1:  # else interrupted in the test after a step that counts
        assert torch.equal(problem.vector(model), accepted[-1])
    assert hooks.calls[-1] == "train_end" and history.steps[0] == 0
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    problem.train(model, iterations=2)
    train(model, 30)
    assert error(model) < 3e-2


def test_ctrl_c_in_a_callback(problem):
    def interrupt(iteration):
        if iteration == 4:
            raise KeyboardInterrupt

    model, adaptive = poisson(), pinn_ext.AdaptiveWeights(verbose=0)
    train(model, 10, adaptive, problem.At("on_batch_begin", interrupt))
    assert model.train_state.step == 3 and "losses_train" not in vars(model.data)


def test_an_error_of_a_callback_leaves_the_model_usable(problem):
    def fail(iteration):
        if iteration == 3:
            raise RuntimeError("mine")

    model, adaptive = poisson(), pinn_ext.AdaptiveWeights("ema", period=2, verbose=0)
    with pytest.raises(RuntimeError, match="mine"):
        train(model, 10, adaptive, problem.At("on_batch_end", fail))
    assert model.train_state.step == 3 and total(model) < sum(model.losshistory.loss_train[0])
    train(model, 5, adaptive)
    problem.train(model, adaptive, iterations=4)
    assert model.train_state.step == 12 and "losses_train" not in vars(model.data)


def test_an_error_of_the_equation_is_the_users_own(problem):
    calls = []

    def pde(x, y):
        calls.append(1)
        if len(calls) == 12:
            raise RuntimeError("mine")
        return equation(x, y)

    model = poisson(pde)
    with pytest.raises(RuntimeError, match="mine"):
        train(model, 10)
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    train(model, 20)
    assert error(model) < 3e-2
