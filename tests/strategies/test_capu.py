"""Conditions as constraints: what `capu` does on a problem whose minimisers are known."""

import re

import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveLossWeights, AdaptiveWeights, LossAggregator, schema, strategies
from pinn_ext.adaptive_weights.settings import FOR_TRAINING
from pinn_ext.strategies import Statistics

NAMES = ["square", "start"]
REFUSED = "Strategy 'capu' must have a condition or data among its loss terms.*got only equations"


@pytest.mark.parametrize("normalization", ["none", "total"])
def test_multipliers_rise_and_the_condition_falls_at_every_update_of_them(normalization):
    """Minimise x^2 under C = (x - 1)^2 = 0: under the weight w the minimiser is w / (1 + w)."""
    settings = {"normalization": normalization, "max_ratio": 100.0, "max_weight": 1e4}
    weights = AdaptiveLossWeights(
        NAMES, dict.fromkeys(NAMES, 1.0), "capu", conditions=["start"], **settings
    )
    multiplier, raised = 1.0, []
    for epoch in range(1, 1001):
        ratio = weights.get_weight("start") / weights.get_weight("square")
        x = ratio / (1 + ratio)
        weights.update(epoch, {"square": x**2, "start": (x - 1) ** 2})
        found = weights.state_dict()["state"]["multipliers"]
        assert found[0] == 1.0 and found[1] >= multiplier
        if found[1] > multiplier:
            multiplier = found[1]
            raised.append((multiplier, (x - 1) ** 2))
    assert len(raised) > 990  # all but the first few, in which the augmented loss falls
    lam, c = np.array(raised).T
    assert (np.diff(lam) > 0).all() and (np.diff(c) < 0).all()
    assert c[-1] < 0.02 * c[0] and lam[-1] > 10.0


def test_penalties_rise_to_a_million_and_nothing_clamps_them():
    names = ["pde", "walls", "start"]
    weights = AdaptiveLossWeights(
        names,
        dict.fromkeys(names, 1.0),
        "capu",
        conditions=names[1:],
        normalization="none",
        max_ratio=100.0,
        options={"steps": 1},
    )
    for epoch in range(1, 30):  # the augmented loss stands still
        found = weights.update(epoch, {"pde": 1.0, "walls": 0.0, "start": 1e-9})
    penalties = weights.state_dict()["state"]["penalties"]
    assert penalties[:2] == [1.0, pytest.approx(1e6)]
    # The root of v + 1e-16, after 29 steps from v = 0.
    assert penalties[2] == pytest.approx(0.01 / np.hypot(1e-8, 1e-9 * np.sqrt(0.01)), rel=0.01)
    assert found["pde"] == 1.0 and found["walls"] == 1.0  # mu C is nothing where C is nothing
    found = weights.update(30, {"pde": 1.0, "walls": 0.5, "start": 0.0})
    assert found["walls"] > 1e5


def test_a_falling_augmented_loss_raises_nothing():
    strategy = strategies.create("capu")
    state = strategy.init([1.0, 1.0])
    for t in range(20):
        losses = [0.9**t, 0.9**t]
        proposal, state = strategy.update(Statistics(losses, conditions=[False, True]), state)
        assert state["multipliers"] == state["penalties"] == [1.0, 1.0]
        assert proposal.targets == [1.0, pytest.approx(1.0 + 0.9**t)]


@pytest.mark.parametrize("conditions", [[], ["start"]])
def test_without_conditions_it_is_refused_in_a_sentence(conditions):
    initial = {"square": 1.0, "start": 0.0}  # a term of weight 0 is none
    with pytest.raises(ValueError, match=REFUSED + r" \(square\)\.$"):
        AdaptiveLossWeights(NAMES, initial, "capu", conditions=conditions)
    with pytest.raises(ValueError, match=REFUSED):
        LossAggregator("capu", NAMES)
    stages = {"stages": [{"strategy": "fixed", "until_epoch": 3}, {"strategy": "capu"}]}
    with pytest.raises(ValueError, match=r"^Strategy .multi_stage. must have a condition"):
        AdaptiveLossWeights(["a"], {"a": 1.0}, "multi_stage", options=stages)


@pytest.mark.parametrize(
    "adaptive",
    [
        {"strategy": "capu"},
        {"strategy": "auto", "options": {"candidates": ["capu"]}},
    ],
    ids=str,
)
def test_the_program_wants_soft_conditions(adaptive):
    own = {"training": {"epochs": 20, "loss": {"adaptive": {"enabled": True, **adaptive}}}}
    name = adaptive["strategy"]
    message = f"`problem.conditions` must be soft for training.loss.adaptive.strategy={name}, which"
    with pytest.raises(ValueError, match=re.escape(message) + ".* got 'hard'"):
        schema.validate(schema.from_dict(own))
    schema.validate(schema.from_dict({**own, "problem": {"conditions": "soft"}}))


def test_the_aggregator_trains_by_it():
    """The same problem by Adam: x comes nearer to 1 than with equal weights, where it is 1/2."""
    x = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
    aggregator = LossAggregator(
        "capu", NAMES, conditions=["start"], period=10, options={"steps": 10}
    )
    optimizer = torch.optim.Adam([x], lr=0.01)
    for step in range(1500):
        optimizer.zero_grad()
        aggregator({"square": x**2, "start": (x - 1) ** 2}, step).backward()
        optimizer.step()
    assert 0.8 < x.item() < 1.0
    assert not FOR_TRAINING.with_strategy("capu").method.limited


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 0}, "`options.eta` must be a finite number > 0"),
        ({"omega": 1.5}, r"`options.omega` must be a finite number in \(0, 1\], got 1.5"),
        ({"zeta": 1}, r"`options.zeta` must be a finite number in \[0, 1\), got 1"),
        ({"steps": 0}, "`options.steps` must be a whole number >= 1, got 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        strategies.create("capu", options)
    with pytest.raises(ValueError, match=message):
        AdaptiveWeights("capu", options=options)
