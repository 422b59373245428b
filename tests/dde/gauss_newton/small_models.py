"""Small models for Gauss-Newton: a Poisson equation, a decay whose rate is sought."""

import copy

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext

LINE = dde.geometry.Interval(0, 1)


def equation(x, y):
    return -dde.grad.hessian(y, x) - np.pi**2 * torch.sin(np.pi * x)


def poisson(pde=equation, points=60, net=None, data=None, **options):
    """Return a compiled model of -u'' = pi^2 sin(pi x) with several rows a parameter (19)."""
    walls = dde.icbc.DirichletBC(LINE, lambda x: 0 * x[:, :1], lambda _, on: on)
    data = data or dde.data.PDE(LINE, pde, [walls], points, 2, num_test=20)
    model = dde.Model(data, net or dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, **options)
    return model


def train(model, iterations=10, *callbacks, verbose=0, **options):
    options.setdefault("display_every", 10**6)
    return pinn_ext.train_gauss_newton(
        model, iterations, callbacks=list(callbacks), verbose=verbose, **options
    )


def error(model, exact=lambda x: np.sin(np.pi * x), inputs=1):
    x = np.random.default_rng(0).random((200, inputs))
    return dde.metrics.l2_relative_error(exact(x), model.predict(x))


def total(model):
    """Return DeepXDE's own weighted loss of the present parameters."""
    state = model.train_state
    losses = model._outputs_losses(True, state.X_train, state.y_train, state.train_aux_vars)[1]
    return float(np.sum(losses))


def watch(problem, function):
    """Return a callback that calls a function of the model's iteration at each epoch's end."""
    return problem.At("on_epoch_end", function)


class Hooks(dde.callbacks.Callback):
    """Notes every call."""

    def __init__(self):
        super().__init__()
        self.calls = []
        for hook in ("train_begin", "epoch_begin", "batch_begin", "batch_end", "epoch_end",
                     "train_end"):  # fmt: skip
            setattr(self, f"on_{hook}", lambda hook=hook: self.calls.append(hook))

    def init(self):
        self.calls = ["init"]


def decay_model(points=40, net=None):
    """Return u' = -k u, u(0) = 1 with ten exact values for k = 1.7, and the variable k."""
    k = dde.Variable(0.5)
    x = np.linspace(0, 1, 10)[:, None]
    data = dde.data.PDE(
        LINE,
        lambda x, y: dde.grad.jacobian(y, x) + k * y,
        [dde.icbc.PointSetBC(x, np.exp(-1.7 * x))],
        points,
        2,
    )
    model = dde.Model(data, net or dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, external_trainable_variables=[k])
    return model, k


def assert_refused(train, make, message):
    """Assert that a model is refused and left alone.

    Args:
        train: of these tests, by a loop of ours.
        make: returns the model.
        message: that it is refused with.
    """
    model, adaptive, hooks = make(), pinn_ext.AdaptiveWeights(), Hooks()
    before = copy.deepcopy(model.net.state_dict())
    flags = [parameter.requires_grad for parameter in model.net.parameters()]
    with pytest.raises((ValueError, RuntimeError), match=message):
        train(model, 5, adaptive, hooks)
    assert all(torch.equal(value, before[key]) for key, value in model.net.state_dict().items())
    assert [parameter.requires_grad for parameter in model.net.parameters()] == flags
    assert model.losshistory is None or model.losshistory.steps == []
    assert hooks.calls == [] and "losses_train" not in vars(model.data)
