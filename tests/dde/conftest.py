"""Small DeepXDE problems, and DeepXDE's global settings put back after each test."""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def clean_deepxde():
    torch.set_num_threads(1)
    dde.config.set_random_seed(0)
    options, nncg = dict(LBFGS), dict(NNCG)
    yield
    if dde.config.real(np) is not np.float32:
        dde.config.set_default_float("float32")
    dde.config.set_default_autodiff("reverse")
    for table, before in ((LBFGS, options), (NNCG, nncg)):
        table.clear()
        table.update(before)


LBFGS = dde.optimizers.config.LBFGS_options
NNCG = dde.optimizers.config.NNCG_options


def poisson(x, y):
    return -dde.grad.hessian(y, x) - np.pi**2 * torch.sin(np.pi * x)


class Problem:
    """Builders of tiny models: each attribute of a model can be replaced."""

    @staticmethod
    def net(inputs=1, outputs=1, width=6, regularizer=None):
        net = dde.nn.FNN([inputs, width, outputs], "tanh", "Glorot normal")
        net.regularizer = regularizer
        return net

    @staticmethod
    def poisson_data(pde=poisson, **options):
        line = dde.geometry.Interval(0, 1)
        walls = dde.icbc.DirichletBC(line, lambda x: 0 * x[:, :1], lambda _, on: on)
        return dde.data.PDE(line, pde, options.pop("bcs", [walls]), 12, 2, **options)

    @classmethod
    def observed_data(cls):
        """Return data with observations at 20 points, served 6 at a time."""
        x = np.linspace(0, 1, 20)[:, None]
        observed = dde.icbc.PointSetBC(x, np.sin(np.pi * x), batch_size=6)
        line = dde.geometry.Interval(0, 1)
        walls = dde.icbc.DirichletBC(line, lambda x: 0 * x[:, :1], lambda _, on: on)
        return cls.poisson_data(bcs=[walls, observed])

    @staticmethod
    def heat_data():
        line = dde.geometry.GeometryXTime(
            dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1)
        )

        def heat(x, y):
            return dde.grad.jacobian(y, x, 0, 1) - 0.1 * dde.grad.hessian(y, x, i=0, j=0)

        walls = dde.icbc.DirichletBC(line, lambda x: 0 * x[:, :1], lambda _, on: on)
        start = dde.icbc.IC(line, lambda x: np.sin(np.pi * x[:, :1]), lambda _, on: on)
        return dde.data.TimePDE(
            line, heat, [walls, start], num_domain=12, num_boundary=4, num_initial=4
        )

    @classmethod
    def poisson(cls, optimizer="adam", lr=1e-2, pde=poisson, net=None, **options):
        model = dde.Model(cls.poisson_data(pde), net or cls.net())
        model.compile(optimizer, lr=lr, verbose=0, **options)
        return model

    @classmethod
    def heat(cls, optimizer="adam", lr=1e-2, **options):
        model = dde.Model(cls.heat_data(), cls.net(2))
        model.compile(optimizer, lr=lr, verbose=0, **options)
        return model

    @classmethod
    def fit(cls, **options):
        x = np.linspace(0, 1, 8, dtype=dde.config.real(np))[:, None]
        data = dde.data.DataSet(x, x**2, x, x**2)
        model = dde.Model(data, cls.net())
        model.compile("adam", lr=1e-2, verbose=0, **options)
        return model

    @staticmethod
    def train(model, *callbacks, iterations=10, **options):
        options.setdefault("display_every", 10**6)
        model.train(iterations=iterations, callbacks=list(callbacks), verbose=0, **options)
        return model

    @staticmethod
    def vector(model):
        """Return all parameters and external variables as one detached vector."""
        tensors = [*model.net.parameters(), *model.external_trainable_variables]
        return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])

    @staticmethod
    def state(model):
        """Return a copy of all tensors of the optimiser's state."""
        entries = model.opt.state.values()
        return [
            value.clone()
            for entry in entries
            for value in entry.values()
            if isinstance(value, torch.Tensor)
        ]

    class At(dde.callbacks.Callback):
        """Calls a function with the number of the step at a hook."""

        def __init__(self, hook, function):
            super().__init__()
            self.steps = 0
            setattr(self, hook, self._call)
            self._function = function

        def _call(self):
            self.steps += 1
            self._function(self.steps)


@pytest.fixture
def problem():
    return Problem
