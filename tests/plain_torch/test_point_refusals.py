"""What an aggregator refuses when its strategy weighs points, and when it does not."""

import pytest
import torch

from pinn_ext import AdaptiveLossWeights, LossAggregator
from tests.plain_torch.plain_values import plain

NAMES = ["pde", "bc"]


def residuals(n=4):
    return {"pde": torch.linspace(1, 2, n), "bc": torch.ones(2)}


@pytest.mark.parametrize(
    ("losses", "sentence"),
    [
        (
            {"pde": torch.tensor(1.0)},
            r"`losses\['pde'\]` must be its residuals \[N\] for strategy 'rba', which weighs "
            "points, got one number",
        ),
        ({"bc": torch.tensor(1.0)}, r"`losses\['bc'\]` must be its residuals .* got one number"),
        ({"pde": 0.5}, r"`losses\['pde'\]` must be its residuals .* got a float"),
        ({"pde": torch.ones(0)}, r"`losses\['pde'\]` must be .* got the empty shape \[0\]"),
        ({"x": torch.ones(3)}, r"`losses` must name exactly .* unknown \['x'\]"),
        (
            {"pde": torch.ones(5)},
            r"`losses\['pde'\]` must have the same points in each call \(4\) unless `keys` "
            "tell them apart, got 5",
        ),
    ],
)
def test_bad_residuals_are_refused_and_change_nothing(losses, sentence):
    refused(LossAggregator("rba", NAMES), {**residuals(), **losses}, sentence)
    with pytest.raises(ValueError, match="`losses` must map each name to a tensor, got a list"):
        LossAggregator("rba", NAMES)([torch.ones(3)], 0)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"keys": torch.arange(4)}, "`keys` must map names to tensors, got a Tensor"),
        ({"keys": {"pd": torch.arange(4)}}, "`keys` must be one of bc, pde, got 'pd'"),
        (
            {"keys": {"pde": torch.arange(3)}},
            r"`keys\['pde'\]` must be whole numbers \[4\] or .*\[3\]",
        ),
        (
            {"keys": {"pde": torch.ones(4)}},
            r"coordinates \[4, d\] of its points, got \[4\] of float32",
        ),
        ({"keys": {"pde": torch.ones(4, 1, dtype=torch.int64)}}, r"got \[4, 1\] of int64"),
        ({"keys": {"pde": torch.ones(4, dtype=torch.bool)}}, r"got \[4\] of bool"),
        ({"keys": {"pde": [0, 1, 2, 3]}}, "got a list"),
        (
            {"keys": {"pde": torch.arange(4)}},
            r"`keys\['pde'\]` must be given in each call or in none, got some after calls without",
        ),
    ],
)
def test_bad_keys_are_refused_and_change_nothing(given, sentence):
    refused(LossAggregator("rba", NAMES), residuals(), sentence, **given)


def test_keys_must_not_be_left_out_later():
    aggregator = LossAggregator("rba", NAMES)
    aggregator(residuals(), 0, keys={"pde": torch.arange(4)})
    with pytest.raises(ValueError, match=r"`keys\['pde'\]` .* got none after calls with them"):
        aggregator(residuals(), 1)


@pytest.mark.parametrize("strategy", ["brdr", "rba", "sa_pinn"])
def test_a_batch_that_changes_without_keys_is_refused(strategy):
    aggregator = LossAggregator(strategy, NAMES)
    aggregator(residuals(), 0)
    sentence = r"^`losses\['pde'\]` must have the same points in each call \(4\) unless `keys` tell"
    with pytest.raises(ValueError, match=sentence):
        aggregator({**residuals(), "pde": torch.ones(3)}, 1)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {},
            r"`times` must hold the time of each point of 'pde' for strategy 'causal', got none: "
            r"aggregator\(\.\.\., times=\{'pde': t\}\)",
        ),
        (
            {"times": {"pde": torch.ones(3)}},
            r"`times\['pde'\]` must be the times \[4\] .*got \[3\]",
        ),
        ({"times": {"pde": 0.5}}, r"`times\['pde'\]` must be the times \[4\] .*got a float"),
        ({"times": torch.ones(4)}, "`times` must map names to tensors, got a Tensor"),
    ],
)
def test_bad_times_are_refused_and_change_nothing(given, sentence):
    aggregator = LossAggregator("causal", NAMES, conditions=["bc"], time_span=(0, 1))
    first = {"times": {"pde": torch.linspace(0, 1, 4)}}
    refused(aggregator, residuals(), sentence, first, **given)


def refused(aggregator, losses, sentence, first=None, **given):
    """Check that a call after a good one is refused and leaves all as it was."""
    aggregator(residuals(), 0, **first or {})
    before = plain(aggregator.get_extra_state())
    with pytest.raises(ValueError, match=sentence):
        aggregator(losses, 1, **given)
    assert plain(aggregator.get_extra_state()) == before


def test_a_step_that_falls_is_refused():
    aggregator = LossAggregator("rba", NAMES)
    aggregator(residuals(), 3)
    with pytest.raises(ValueError, match="`step` must not fall from call to call, got 2 after 3"):
        aggregator(residuals(), 2)


@pytest.mark.parametrize(
    ("strategy", "options", "sentence"),
    [
        ("causal", {}, "`time_span` must be the first and last time .*'causal', got None"),
        ("causal", {"time_span": 1.0}, "`time_span` must be a first and a last time, got 1.0"),
        ("causal", {"time_span": (1, 1)}, r"`time_span\[1\]` must be a finite number > 1, got 1"),
        ("rba", {"time_span": ("a", 1)}, r"`time_span\[0\]` must be a finite number, got 'a'"),
        ("rba", {"points_return": 1}, "`points_return` must be true or false, got 1"),
        ("rba", {"conditions": ["wall"]}, "`conditions` must be one of bc, pde, got 'wall'"),
        (
            "rba",
            {"conditions": NAMES},
            r"`conditions` must leave a term to strategy 'rba', which .* got \['pde', 'bc'\]",
        ),
        ("rba", {"options": {"gamma": 2}}, r"`options.gamma` must be a finite number in \[0, 1\)"),
    ],
)
def test_bad_arguments_are_refused(strategy, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        LossAggregator(strategy, NAMES, **options)


def test_strategies_of_terms_refuse_what_belongs_to_points():
    aggregator = LossAggregator("ema", NAMES)
    with pytest.raises(ValueError, match=r"`losses\['pde'\]` must be a tensor of one number"):
        aggregator(residuals(), 0)
    losses = dict.fromkeys(NAMES, torch.tensor(1.0))
    for what in ("keys", "times"):
        with pytest.raises(ValueError, match=f"`{what}` must be left out for strategy 'ema'"):
            aggregator(losses, 0, **{what: {"pde": torch.arange(3)}})


def test_the_class_of_terms_names_the_two_that_weigh_points():
    with pytest.raises(
        ValueError,
        match=r"got 'rba', which weighs points: use the callback pinn_ext\.AdaptiveWeights or "
        r"pinn_ext\.LossAggregator",
    ):
        AdaptiveLossWeights(["a"], {"a": 1.0}, "rba")
    with pytest.raises(ValueError, match=r"use the callback pinn_ext\.AdaptiveWeights\.$"):
        AdaptiveLossWeights(["a"], {"a": 1.0}, "auto")
