"""Gradients are taken over all that is trained, and the last layer is that of each branch."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveWeights

LINE = dde.geometry.Interval(0, 1)


def wall(component, value=1.0):
    return dde.icbc.DirichletBC(
        LINE, lambda x: np.full((len(x), 1), value), lambda _, on: on, component=component
    )


def train(net, pde, strategy="gradient_balance", conditions=(), unknown=None, **settings):
    model = dde.Model(dde.data.PDE(LINE, pde, list(conditions), 12, 2), net)
    externals = [] if unknown is None else [unknown]
    model.compile("adam", lr=1e-3, external_trainable_variables=externals, verbose=0)
    adaptive = AdaptiveWeights(strategy, period=1, verbose=0, diagnostics=True, **settings)
    model.train(iterations=2, callbacks=[adaptive], verbose=0)
    return adaptive


@pytest.mark.parametrize("where", ["all", "last_layer", 0.3])
def test_a_residual_of_an_external_variable_has_its_gradient(where):
    unknown = dde.Variable(2.0)
    net = dde.nn.FNN([1, 4, 1], "tanh", "Glorot normal")

    def pde(x, y):
        return [dde.grad.jacobian(y, x) - unknown * y, 0 * y + unknown - 3.0]

    found = train(net, pde, unknown=unknown, gradients_of=where)
    # The derivative of (c - 3)^2 is 2 (c - 3), at 2 and nowhere else.
    assert found.gradient_history[0]["norms"][1] == pytest.approx(2.0)


@pytest.mark.parametrize("options", [{}, {"estimator": "exact"}])
def test_a_term_without_a_tangent_kernel_keeps_its_weight(options):
    unknown = dde.Variable(2.0)
    net = dde.nn.FNN([1, 4, 1], "tanh", "Glorot normal")

    def pde(x, y):
        return [dde.grad.jacobian(y, x), 0 * y + unknown - 3.0, y - 1]

    adaptive = train(net, pde, "ntk", unknown=unknown, options=options)
    weights = list(adaptive.manager.get_weights().values())
    assert weights[1] == 1.0 and weights[0] != weights[2]


@pytest.mark.parametrize("sizes", [[1, [4, 4], [1, 1]], [1, [4, 4], 2], [1, 4, [4, 4], [1, 1]]])
def test_the_last_layer_is_that_of_each_branch(sizes):
    net = dde.nn.PFNN(sizes, "tanh", "Glorot normal")

    def pde(x, y):
        return [y[:, :1] - 1, y[:, 1:] - 1]

    found = train(net, pde, conditions=[wall(0), wall(1)], gradients_of="last_layer")
    assert min(found.gradient_history[0]["norms"]) > 0.0


@pytest.mark.parametrize("strategy", ["lr_annealing", "gradient_balance", "inverse_dirichlet"])
def test_a_residual_of_an_external_variable_leaves_the_balance_of_the_others(strategy):
    def ratio(beside):
        dde.config.set_random_seed(2)
        torch.manual_seed(2)
        unknown = dde.Variable(2.0)
        net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")

        def pde(x, y):
            equation = 5.0 * (dde.grad.jacobian(y, x) - 1.0)
            return [equation, 0 * y + unknown - 3.0] if beside else equation

        adaptive = train(
            net, pde, strategy, [wall(0)], unknown, weight_beta=0.0, normalization="none"
        )
        weights = list(adaptive.manager.get_weights().values())
        return weights[-1] / weights[0]

    assert 0.4 < ratio(True) / ratio(False) < 2.5
