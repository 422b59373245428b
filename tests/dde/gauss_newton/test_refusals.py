"""What Gauss-Newton refuses before it begins: names, numbers, models, float types."""

import copy

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.dde.gauss_newton.loop import WEIGHTS
from solvers.gauss_newton import DAMPINGS, SOLVERS
from tests.dde.gauss_newton.small_models import Hooks, poisson, train

LEGAL = {
    "damping": DAMPINGS,
    "solver": SOLVERS,
    "weights": WEIGHTS,
}


@pytest.mark.parametrize("name", LEGAL)
@pytest.mark.parametrize("value", ["nielson", None, 3, ["keep"]])
def test_names_that_do_not_exist(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be one of") as caught:
        train(poisson(), 3, **{name: value})
    assert all(legal in str(caught.value) for legal in LEGAL[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", -1),
        ("iterations", 2.0),
        ("iterations", "3"),
        ("iterations", True),
        ("iterations", None),
        ("tolerance", -1e-3),
        ("tolerance", float("nan")),
        ("resample_every", -1),
        ("resample_every", 2.5),
        ("display_every", 0),
        ("memory_limit_gb", 0),
        ("memory_limit_gb", "1"),
    ],
)
def test_numbers_out_of_range(name, value):
    model = poisson()
    with pytest.raises(ValueError, match=f"`{name}` must be a .* number.*, got {value!r}"):
        pinn_ext.train_gauss_newton(model, **{"iterations": 3, "verbose": 0, name: value})
    assert model.losshistory.steps == [] and model.callbacks is None


def operator_model():
    net = dde.nn.DeepONetCartesianProd([3, 5], [1, 5], "tanh", "Glorot normal")
    branch, trunk = np.random.rand(4, 3), np.linspace(0, 1, 6)[:, None]
    sets = (branch, trunk), np.random.rand(4, 6), (branch, trunk), np.random.rand(4, 6)
    model = dde.Model(dde.data.TripleCartesianProd(*sets), net)
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def regularised():
    net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
    net.regularizer = ("l1", 1e-3)
    return poisson(net=net)


def uncompiled():
    return dde.Model(poisson().data, dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))


REFUSED = {
    "not compiled": (uncompiled, "must be compiled"),
    "MAE": (lambda: poisson(loss="MAE"), "must be a mean of squared residuals.*pde_1"),
    "L1": (regularised, "regularisation must be 'l2' or none"),
    "DeepONet": (operator_model, "one array of inputs, got several"),
    "weights": (lambda: poisson(loss_weights=[1.0]), "one number for each of 2 loss terms"),
    "NaN": (
        lambda: poisson(lambda x, y: torch.log(y - y.detach() - 1)),
        r"must be finite to start from, got NaN or infinity in 62 of 62 rows of pde_1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_are_refused_are_left_alone(name):
    make, message = REFUSED[name]
    model, adaptive, hooks = make(), pinn_ext.AdaptiveWeights(), Hooks()
    before = copy.deepcopy(model.net.state_dict())
    with pytest.raises(ValueError, match=message):
        train(model, 5, adaptive, hooks)
    assert all(torch.equal(value, before[key]) for key, value in model.net.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    assert model.losshistory is None or model.losshistory.steps == []
    assert hooks.calls == [] and "losses_train" not in vars(model.data)


def test_mixed_precision_is_refused(monkeypatch):
    model = poisson()
    monkeypatch.setattr(dde.config, "mixed", True)
    with pytest.raises(ValueError, match="got mixed precision"):
        train(model)
