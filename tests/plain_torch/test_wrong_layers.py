"""The aggregator names layers whose third derivatives torch gets wrong."""

import warnings

import pytest
import torch
from torch import nn

import pinn_ext
from pinn_ext.networks.normalization import wrong_layers

needs_wrong_torch = pytest.mark.skipif(
    not wrong_layers(nn.LayerNorm(2)), reason="this torch has them right"
)


def network(layer):
    return nn.Sequential(nn.Linear(1, 4), nn.Tanh(), layer, nn.Linear(4, 1))


def residuals(net):
    """Return those of `u'' = 1`, u(0) = 0, at six points."""
    x = torch.linspace(0, 1, 6)[:, None].requires_grad_()
    u = net(x)
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
    return {"ode": (bend - 1)[:, 0], "start": u[:1, 0]}


def said(net, strategy, steps=3, **options):
    """Return what an aggregator has said of third derivatives in a short training."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        aggregator = pinn_ext.LossAggregator(strategy, ["ode", "start"], **options)
        for step in range(steps):
            own = residuals(net)
            if aggregator.points is None:
                own = {name: rows.square().mean() for name, rows in own.items()}
            aggregator(own, step).backward()
    return [str(w.message) for w in caught if "third derivatives" in str(w.message)]


@needs_wrong_torch
@pytest.mark.parametrize("strategy", ["ema", "lr_annealing", "rba"])
def test_with_the_network_the_layer_is_named_once(strategy):
    net = network(nn.LayerNorm(4))
    options = {"conditions": ["start"]}
    (text,) = said(net, strategy, parameters=net, **options)
    assert "in the layers 2 (LayerNorm)" in text and "take pinn_ext.LayerNorm instead" in text


@needs_wrong_torch
@pytest.mark.parametrize("strategy", ["ema", "lr_annealing", "rba"])
@pytest.mark.parametrize(
    ("layer", "cure"),
    [(nn.LayerNorm(4), "pinn_ext.LayerNorm"), (nn.BatchNorm1d(4), "pinn_ext.BatchNorm")],
    ids=["layer", "batch"],
)
def test_without_it_the_graph_is_looked_at(strategy, layer, cure):
    net = network(layer)
    options = {"parameters": list(net.parameters()), "conditions": ["start"]}
    (text,) = said(net, strategy, **options)
    assert "of normalisations that the losses are made of" in text and cure in text


@pytest.mark.parametrize("layer", [pinn_ext.LayerNorm, pinn_ext.BatchNorm, nn.RMSNorm])
@pytest.mark.parametrize("whole", [False, True])
def test_layers_that_are_right_are_taken_without_a_word(layer, whole):
    net = network(layer(4))
    assert said(net, "ema", parameters=net if whole else None) == []


def test_values_alone_say_nothing_of_the_graph():
    """In evaluation mode nothing is looked at; the first counted step is."""
    net = network(nn.LayerNorm(4))
    aggregator = pinn_ext.LossAggregator("ema", ["ode"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aggregator.eval()
        aggregator({"ode": residuals(net)["ode"].square().mean()}, 0)
        with torch.no_grad():
            aggregator.train()({"ode": torch.tensor(1.0)}, 0)
        aggregator({"ode": torch.tensor(1.0)}, 0)
    if wrong_layers(net):
        with pytest.warns(RuntimeWarning, match="third derivatives"):
            aggregator({"ode": residuals(net)["ode"].square().mean()}, 1)
