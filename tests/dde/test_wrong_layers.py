"""Callback and Gauss-Newton name layers whose third derivatives torch gets wrong."""

import warnings

import deepxde as dde
import numpy as np
import pytest
import torch
from torch import nn

import pinn_ext
from pinn_ext.dde.model.residual_rows import ModelRows
from pinn_ext.networks.normalization import wrong_layers

TORCH_IS_WRONG = wrong_layers(nn.LayerNorm(2)) != []
needs_wrong_torch = pytest.mark.skipif(not TORCH_IS_WRONG, reason="this torch has them right")


class Network(dde.nn.NN):
    """Two linear layers and what stands between them."""

    def __init__(self, *between, width=4):
        super().__init__()
        self.regularizer = None
        self.first, self.last = nn.Linear(1, width), nn.Linear(width, 1)
        self.between = nn.ModuleList(between)
        self.function = lambda hidden: hidden

    def forward(self, x):
        hidden = torch.tanh(self.first(x))
        for layer in self.between:
            hidden = layer(hidden)
        return self.last(self.function(hidden))


def bent(x, y):
    return dde.grad.hessian(y, x) + torch.sin(x)


def model_of(net, pde=bent):
    line = dde.geometry.Interval(0, 1)
    walls = dde.icbc.DirichletBC(line, lambda x: 0 * x, lambda _, on: on)
    model = dde.Model(dde.data.PDE(line, pde, [walls], 30, 2), net)
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def by_callback(model):
    callback = pinn_ext.AdaptiveWeights("fixed", verbose=0)
    model.train(iterations=2, callbacks=[callback], verbose=0)


def by_gauss_newton(model):
    pinn_ext.train_gauss_newton(model, 1, verbose=0)


def by_both(model):
    callback = pinn_ext.AdaptiveWeights("fixed", verbose=0)
    pinn_ext.train_gauss_newton(model, 1, callbacks=[callback], verbose=0)


DOORS = pytest.mark.parametrize("train", [by_callback, by_gauss_newton, by_both])


def said(train, model):
    """Return what a training has said of third derivatives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(model)
    return [str(w.message) for w in caught if "third derivatives" in str(w.message)]


@needs_wrong_torch
@DOORS
@pytest.mark.parametrize(
    ("layer", "kind", "cure"),
    [
        (nn.LayerNorm, "LayerNorm", "pinn_ext.LayerNorm"),
        (nn.BatchNorm1d, "BatchNorm1d", "pinn_ext.BatchNorm"),
    ],
)
def test_path_and_cure_are_named_once(train, layer, kind, cure):
    model = model_of(Network(nn.Tanh(), layer(4)))
    (text,) = said(train, model)
    assert f"in the layers between.1 ({kind})" in text and f"take {cure} instead" in text
    assert said(train, model) == []
    assert said(by_callback, model_of(model.net)) == []


@needs_wrong_torch
@DOORS
def test_a_function_in_the_place_of_a_layer_is_seen_in_the_graph(train):
    net = Network()
    net.function = lambda hidden: nn.functional.layer_norm(hidden, [4])
    (text,) = said(train, model_of(net))
    assert "of normalisations that the losses are made of" in text
    assert "take pinn_ext.LayerNorm instead" in text


@DOORS
@pytest.mark.parametrize(
    "make",
    [
        lambda: pinn_ext.LayerNorm(4),
        lambda: pinn_ext.BatchNorm(4),
        lambda: nn.GroupNorm(1, 4),
        lambda: nn.RMSNorm(4),
    ],
    ids=["layer", "batch", "group", "root"],
)
def test_layers_that_are_right_are_taken_without_a_word(train, make):
    assert said(train, model_of(Network(make()))) == []


def test_data_alone_takes_no_derivatives():
    x = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
    model = dde.Model(dde.data.DataSet(x, x, x, x), Network(nn.LayerNorm(4)))
    model.compile("adam", lr=1e-3, verbose=0)
    assert said(by_callback, model) == []


@pytest.mark.parametrize("make", [pinn_ext.LayerNorm, pinn_ext.BatchNorm])
def test_gauss_newton_has_the_whole_jacobian(make):
    """Rows that share a batch's mean depend on all points, weights of a layer on no linear one."""
    dde.config.set_default_float("float64")
    model = model_of(Network(make(4)))
    model.train_state.set_data_train(*model.data.train_next_batch())
    rows = ModelRows(model)
    start = rows.get()
    _, jacobian = rows.linearize(start)
    step = 1e-5
    for column in range(0, rows.num_parameters, 5):
        moved = torch.zeros_like(start)
        moved[column] = step
        slope = (rows.residual(start + moved) - rows.residual(start - moved)) / (2 * step)
        assert torch.allclose(jacobian[:, column], slope, rtol=1e-5, atol=1e-7)
