"""Numbers that DeepXDE's float type would make infinity, or 0, are refused by their name."""

import deepxde as dde
import pytest
import torch

import pinn_ext
from pinn_ext import AdaptiveWeights
from pinn_ext.networks import FieldNetwork
from pinn_ext.systems import create

BEYOND = pytest.mark.parametrize("value", [1e39, 1e-39])
FLOAT32 = "must be a number that float32 holds"


def train(problem, model, strategy="fixed", **options):
    return problem.train(model, AdaptiveWeights(strategy, verbose=0, **options), iterations=1)


@BEYOND
def test_weights_given_to_compile(problem, value):
    model = problem.poisson(loss_weights=[1.0, value])
    with pytest.raises(ValueError, match=rf"`loss_weights\['dirichlet_1'\]` {FLOAT32}"):
        train(problem, model)
    with pytest.raises(ValueError, match=rf"`loss_weights\['dirichlet_1'\]` {FLOAT32}"):
        pinn_ext.train_gauss_newton(model, 1, verbose=0)
    dde.config.set_default_float("float64")
    train(problem, problem.poisson(loss_weights=[1.0, value]))


@BEYOND
def test_sizes_of_outputs(problem, value):
    with pytest.raises(ValueError, match=f"`scales` {FLOAT32}"):
        pinn_ext.scale_outputs(problem.net(), [value])
    dde.config.set_default_float("float64")
    pinn_ext.scale_outputs(problem.net(), [value])


@BEYOND
def test_scales_of_our_network(value):
    system = create("brusselator")
    with pytest.raises(ValueError, match=f"`scales` {FLOAT32}"):
        FieldNetwork(system, (4,), scales=[1.0, value])
    torch.set_default_dtype(torch.float64)
    FieldNetwork(system, (4,), scales=[1.0, value])


@pytest.mark.parametrize("value", [1e20, 1e-20])
def test_sizes_of_fields_whose_squares_are_beyond(problem, value):
    """A loss is divided by the square."""
    with pytest.raises(ValueError, match="`field_scales` must have a power of 2 that float32 hol"):
        train(problem, problem.poisson(), "field_scale", field_scales=[1.0, value])
    dde.config.set_default_float("float64")
    train(problem, problem.poisson(), "field_scale", field_scales=[1.0, value])


@BEYOND
@pytest.mark.parametrize(
    ("strategy", "name"),
    [("rba", "eta"), ("sa_pinn", "equation_start"), ("brdr", "floor"), ("causal", "epsilons")],
)
def test_options_of_point_weights(problem, strategy, name, value):
    options = {name: [value] if name == "epsilons" else value}
    with pytest.raises(ValueError, match=f"`options.{name}` {FLOAT32}"):
        train(problem, problem.heat(), strategy, options=options)


@pytest.mark.parametrize("rate", [1e31, -1e31, 1e-39])
@pytest.mark.parametrize("name", ["lr", "weight_decay"])
def test_rates_of_the_optimiser(problem, name, rate):
    model = problem.poisson()
    model.opt.param_groups[0][name] = rate
    with pytest.raises(ValueError, match=f"`{name}` must be a"):
        train(problem, model)
    assert "losses_train" not in vars(model.data)
    model.opt.param_groups[0][name] = 0.0
    train(problem, model)


def test_gauss_newton_does_not_look_at_rates_that_it_does_not_use(problem):
    model = problem.poisson(lr=1e-39)
    callback = AdaptiveWeights("fixed", verbose=0)
    with pytest.warns(RuntimeWarning, match="residual rows"):
        pinn_ext.train_gauss_newton(model, 1, callbacks=[callback], verbose=0)
    assert model.train_state.step == 1
