"""Trainings that are cut short: values that are not finite, Ctrl-C, errors of callbacks."""

import deepxde as dde
import numpy as np
import torch

from tests.dde.gauss_newton.small_models import LINE, equation, error, poisson, train


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
