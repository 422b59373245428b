"""What an aggregator refuses, and what it warns of."""

import copy
import warnings

import pytest
import torch

from pinn_ext import LossAggregator
from tests.plain_torch.three_terms import NAMES, constants, losses_of, network, train


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("emma", NAMES), "`strategy` must be one of .*did you mean 'ema'"),
        (
            ("auto", NAMES),
            "`strategy` must be one that weighs loss terms, got 'auto', which lets several",
        ),
        (("causal", NAMES), "`time_span` must be the first and last time .*'causal', got None"),
        (("ema", []), "`loss_names` must hold at least one name"),
        (("ema", 3), "`loss_names` must be a list of names, got 3"),
        (("ema", ["a", "a"]), "`loss_names` must be distinct"),
    ],
)
def test_bad_strategies_and_names_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        LossAggregator(*arguments)


@pytest.mark.parametrize(
    ("strategy", "options", "sentence"),
    [
        ("ema", {"period": 0}, "`period` must be a whole number >= 1, got 0"),
        ("ema", {"total_steps": 0.5}, "`total_steps` must be a whole number >= 1, got 0.5"),
        ("ema", {"initial_weights": {"pde": 1.0}}, "`initial_weights` must name exactly"),
        ("ema", {"options": {"beta": 1}}, "`options` of ema must be empty"),
        ("ema", {"gradients_of": "first"}, "`gradients_of` must be one of all, last_layer"),
        ("ema", {"parameters": [1.0]}, "`parameters` must be a module or tensors, got a float"),
        (
            "multi_stage",
            {"field_scales": dict.fromkeys(NAMES, 1.0)},
            "`total_steps` must be given for strategy 'multi_stage' with stages",
        ),
        ("by_norm", {}, "`parameters` must be the network .*'by_norm', which reads gradients"),
        ("by_kernel", {}, "`parameters` must be the network .*'by_kernel', which reads gradients"),
        (
            "ntk",
            {"options": {"estimator": "exact"}, "parameters": [torch.ones(1, requires_grad=True)]},
            "`options` must not ask 'ntk' for an exact tangent kernel outside the callback",
        ),
        ("field_scale", {}, "`field_scales` must be given for strategy 'field_scale'"),
    ],
)
def test_bad_options_are_refused(strategy, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        LossAggregator(strategy, NAMES, **options)


def test_frozen_parameters_are_refused():
    frozen = network().requires_grad_(False)
    with pytest.raises(ValueError, match="must have parameters to train, got only frozen ones"):
        LossAggregator("by_norm", NAMES, parameters=frozen)


@pytest.mark.parametrize(
    ("losses", "step", "sentence"),
    [
        ({"pde": torch.tensor(1.0)}, 4, r"`losses` must name exactly .*missing \['bc', 'ic'\]"),
        ({**constants(1.0, 1.0, 1.0), "x": torch.tensor(1.0)}, 4, r"unknown \['x'\]"),
        ([torch.tensor(1.0)], 4, "`losses` must map each name to a tensor, got a list"),
        ({**constants(1.0, 1.0, 1.0), "ic": 0.5}, 4, r"`losses\['ic'\]` must be a tensor .*float"),
        (
            {**constants(1.0, 1.0, 1.0), "bc": torch.ones(1)},
            4,
            r"`losses\['bc'\]` must be a tensor of one number \(shape \[\]\), got \[1\]",
        ),
        (constants(1.0, 1.0, 1.0), 2, "`step` must not fall from call to call, got 2 after 3"),
        (constants(1.0, 1.0, 1.0), 4.0, "`step` must be a whole number, got 4.0"),
    ],
)
def test_bad_calls_are_refused_and_change_nothing(losses, step, sentence):
    aggregator = LossAggregator("ema", NAMES)
    aggregator(constants(1.0, 2.0, 3.0), 3)
    before = copy.deepcopy(aggregator.get_extra_state())
    with pytest.raises(ValueError, match=sentence):
        aggregator(losses, step)
    assert aggregator.get_extra_state() == before


def test_a_loss_without_a_graph_is_refused_where_gradients_are_read():
    net = network()
    aggregator = LossAggregator("by_norm", NAMES, parameters=net)
    losses = losses_of(net)
    losses["bc"] = losses["bc"].detach()
    with pytest.raises(ValueError, match=r"must depend on the network .*got 'bc' without"):
        aggregator(losses, 0)


def test_warnings_come_only_where_they_should():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = network()
        train(net, LossAggregator("by_norm", NAMES, parameters=net, period=2), range(4))
