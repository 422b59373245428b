"""What Gauss-Newton refuses before it begins: names, numbers, models, float types."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext.dde.gauss_newton.loop import WEIGHTS
from solvers.gauss_newton import DAMPINGS, SOLVERS
from tests.dde.gauss_newton.small_models import assert_refused, poisson, train

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


@pytest.mark.parametrize("value", [-1e-3, float("nan")])
def test_tolerances_out_of_range(value):
    with pytest.raises(ValueError, match=f"`tolerance` must be a .* number.*, got {value!r}"):
        train(poisson(), 3, tolerance=value)


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


REFUSED = {
    "MAE": (lambda: poisson(loss="MAE"), "must be a mean of squared residuals.*pde_1"),
    "L1": (regularised, "regularisation must be 'l2' or none"),
    "DeepONet": (operator_model, "one array of inputs, got several"),
    "NaN": (
        lambda: poisson(lambda x, y: torch.log(y - y.detach() - 1)),
        r"must be finite to start from, got NaN or infinity in 62 of 62 rows of pde_1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_are_refused_are_left_alone(name):
    assert_refused(train, *REFUSED[name])
