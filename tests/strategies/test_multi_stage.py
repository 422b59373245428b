"""Stages of strategies: when they end, what is said of it, and which lists are refused."""

import dataclasses
import re
from typing import ClassVar

import pytest

from pinn_ext import AdaptiveLossWeights, strategies
from pinn_ext.strategies import Statistics

LOSSES = {"a": 1.0, "b": 4.0}


def managed(*stages, **settings):
    names = list(LOSSES)
    options = {"stages": list(stages)}
    start = dict.fromkeys(names, 1.0)
    settings = {"normalization": "none", "field_scales": {"a": 1.0, "b": 2.0}} | settings
    return AdaptiveLossWeights(names, start, "multi_stage", options=options, **settings)


def stage_of(manager):
    return manager.state_dict()["state"]["stage"]


def test_a_new_stage_begins_from_the_weights_in_force_and_is_noted():
    manager = managed({"strategy": "equal_init", "until_epoch": 2}, {"strategy": "fixed"})
    for epoch in (1, 2):
        manager.update(epoch, LOSSES)
    assert manager.events == []
    kept = manager.update(3, LOSSES)
    assert kept == pytest.approx({"a": 1.0, "b": 0.25})
    # Its strategy answers nothing at all, and is noted all the same.
    assert [(e.epoch, e.what, e.why) for e in manager.events] == [
        (3, "note", "stage 2 of 2, fixed, begins")
    ]


def test_a_stage_lasts_for_one_update_at_least():
    manager = managed(
        {"strategy": "equal_init", "until_fraction": 0.1},
        {"strategy": "fixed", "until_fraction": 0.2},
        {"strategy": "ema"},
    )
    found = []
    for epoch in (1, 2, 3):
        manager.update(epoch, LOSSES, progress=epoch / 3)
        found.append(stage_of(manager))
    assert found == [0, 1, 2]


def test_until_the_losses_have_fallen():
    manager = managed({"strategy": "fixed", "until_drop": 10.0}, {"strategy": "equal_init"})
    manager.update(1, {"a": 1.0, "b": 0.0})
    manager.update(2, {"a": 0.11, "b": 5.0})  # b began at 0: it cannot fall
    assert stage_of(manager) == 0
    manager.update(3, {"a": 0.1, "b": 5.0})
    assert stage_of(manager) == 1


def test_until_the_optimiser_is_compiled_anew():
    manager = managed({"strategy": "fixed", "until_switch": True}, {"strategy": "equal_init"})
    manager.update(1, LOSSES, switches=1)
    manager.update(2, LOSSES, switches=1)
    assert stage_of(manager) == 0
    manager.update(3, LOSSES, switches=2)
    assert stage_of(manager) == 1


def test_a_strategy_counts_its_own_updates_and_keeps_its_own_blend(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Counting(strategies.Strategy):
        name: ClassVar[str] = "counting"
        blend_beta: ClassVar[float] = 0.5

        def init(self, initial_weights):
            return {}

        def update(self, statistics, state):
            targets = [float(statistics.update)] * 2
            return strategies.Proposal(targets, blend=True), state

    monkeypatch.setitem(strategies._REGISTRY, "counting", Counting)
    stages = {"strategy": "fixed", "until_epoch": 4}, {"strategy": "counting"}
    manager = managed(*stages)
    for epoch in range(1, 7):
        weights = manager.update(epoch, LOSSES)
    assert weights == pytest.approx({"a": 1.5, "b": 1.5})  # 1 -> (1 + 1) / 2 -> (1 + 2) / 2
    manager = managed(*stages, weight_beta=0.0)  # the user's word goes first
    for epoch in range(1, 7):
        weights = manager.update(epoch, LOSSES)
    assert weights == {"a": 2.0, "b": 2.0}


def test_it_needs_what_its_stages_need():
    def made(*names):
        stages = [{"strategy": name, "until_epoch": i + 1} for i, name in enumerate(names[:-1])]
        return strategies.create("multi_stage", {"stages": [*stages, {"strategy": names[-1]}]})

    assert made("fixed").needs == frozenset() and made("fixed").moves == ""
    assert made("fixed", "field_scale").needs == {"field_scales"}
    assert made("field_scale", "ema").needs == {"field_scales", "losses"}
    assert made("equal_init", "ema").equalizes and not made("ema", "equal_init").equalizes
    assert made("fixed") == made("fixed") != made("ema")


def test_the_middle_of_a_stage_survives_saving():
    def new():
        return managed(
            {"strategy": "equal_init", "until_epoch": 2},
            {"strategy": "ema", "until_drop": 3.0},
            {"strategy": "equal_init"},
        )

    whole, broken = new(), new()
    for epoch in range(1, 9):
        losses = {"a": 1.0 / epoch, "b": 4.0 / epoch**2}
        weights = whole.update(epoch, losses)
        fresh = new()
        fresh.load_state_dict(broken.state_dict())
        broken = fresh
        assert broken.update(epoch, losses) == weights
    assert stage_of(whole) == 2


EMA = {"strategy": "ema"}
REFUSED = [
    ([], "`options.stages` must be a list of at least one stage, got []."),
    ("ema", "`options.stages` must be a list of at least one stage, got 'ema'."),
    (["ema"], "`options.stages[0]` must be a mapping with a strategy, got 'ema'."),
    ([{"strategy": "emma"}], "`options.stages[0].strategy` must be one of "),
    ([{"strategy": "multi_stage"}], "`options.stages[0].strategy` must be one of "),
    (
        [{"strategy": "ema", "until": 3}, EMA],
        "`options.stages[0]` must be one of options, strategy, until_drop, until_epoch,",
    ),
    (
        [{"strategy": "ema", "options": {"condition_factor": 1.0}}],
        "`options.stages[0].options` of ema must be empty, as it has none, got",
    ),
    (
        [{"strategy": "field_scale", "options": {"condition_factor": 0.0}}],
        "`options.stages[0].options.condition_factor` must be a finite number > 0, got 0.0.",
    ),
    (
        [EMA, EMA],
        "`options.stages[0]` must have one end, one of until_epoch, until_fraction, until_drop, "
        "until_switch, as another stage follows it, got none.",
    ),
    (
        [{**EMA, "until_epoch": 3, "until_drop": 2.0}, EMA],
        "`options.stages[0]` must have one end, one of until_epoch, until_fraction, until_drop, "
        "until_switch, as another stage follows it, got until_epoch and until_drop.",
    ),
    (
        [{**EMA, "until_epoch": 3}],
        "`options.stages[0]` must have no end, as nothing follows the last stage, got until_epoch.",
    ),
    (
        [{**EMA, "until_epoch": 5}, {**EMA, "until_epoch": 5}, EMA],
        "`options.stages[1].until_epoch` must be above 5, where an earlier stage ends, got 5.",
    ),
    (
        [{**EMA, "until_fraction": 0.5}, {**EMA, "until_drop": 2}, {**EMA, "until_fraction": 0.1}]
        + [EMA],
        "`options.stages[2].until_fraction` must be above 0.5, where an earlier stage ends, got",
    ),
    (
        [{**EMA, "until_epoch": 1.5}, EMA],
        "`options.stages[0].until_epoch` must be a whole number >= 1, got 1.5.",
    ),
    (
        [{**EMA, "until_fraction": 1.0}, EMA],
        "`options.stages[0].until_fraction` must be a finite number in (0, 1), got 1.0.",
    ),
    (
        [{**EMA, "until_drop": 1}, EMA],
        "`options.stages[0].until_drop` must be a finite number > 1, got 1.",
    ),
    ([{**EMA, "until_switch": False}, EMA], "`options.stages[0].until_switch` must be true, got"),
]


@pytest.mark.parametrize(("stages", "message"), REFUSED, ids=str)
def test_refused(stages, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        strategies.create("multi_stage", {"stages": stages})


def test_parts_of_a_training_of_unknown_length():
    method = strategies.create("multi_stage")
    with pytest.raises(ValueError, match=r"^`progress` must be given .* got None\.$"):
        method.update(Statistics([1.0, 2.0]), method.init([1.0, 1.0]))
