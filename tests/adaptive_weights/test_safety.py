"""Set point, warm-up, freezing, roll-back, events, and answers that cannot be used."""

import copy
import json
import math
import random
import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from pinn_ext import AdaptiveLossWeights, strategies
from pinn_ext.strategies import Proposal, Strategy

NAMES = ["a", "b"]
EXACT = {"eps": 1e-100, "ema_alpha": 0.5, "weight_beta": 0.5}


def manager(strategy="ema", start=(1.0, 1.0), names=NAMES, **options):
    options = {**EXACT, **options}
    return AdaptiveLossWeights(names, dict(zip(names, start, strict=True)), strategy, **options)


def feed(weights, epoch, *losses, **statistics):
    named = dict(zip(weights.loss_names, losses, strict=True))
    return list(weights.update(epoch, named, **statistics).values())


def happened(weights):
    return [(event.epoch, event.term, event.what, event.why) for event in weights.events]


@pytest.fixture
def scripted(monkeypatch):
    """Register a strategy that gives the answers of a list, one an update."""

    def register(answers, reads=("losses",)):
        @dataclass(frozen=True)
        class Scripted(Strategy):
            name: ClassVar[str] = "scripted"
            needs: ClassVar[frozenset[str]] = frozenset(reads)

            def init(self, initial_weights):
                return {"calls": 0}

            def update(self, statistics, state):
                answer = answers[state["calls"]]
                if isinstance(answer, Exception):
                    raise answer
                if answer is not None and not isinstance(answer, Proposal):
                    answer = Proposal(answer, blend=False)
                return answer, {"calls": state["calls"] + 1}

        monkeypatch.setitem(strategies._REGISTRY, "scripted", Scripted)

    return register


# ---- set point ----------------------------------------------------------------------------------


@pytest.mark.parametrize("normalization", ["initial", "mean", "none", "total"])
def test_weighted_losses_end_in_the_users_ratios(normalization):
    weights = manager("equal_init", (1.0, 20.0), prior=True, normalization=normalization)
    losses = [0.03, 7.0]
    new = feed(weights, 1, *losses)
    assert new[1] * losses[1] / (new[0] * losses[0]) == pytest.approx(20.0, rel=1e-12)


def test_a_set_point_is_outside_of_the_cap():
    weights = manager("equal_init", (1.0, 1000.0), prior=True, max_ratio=4.0)
    new = feed(weights, 1, 1.0, 1e-6)
    assert new[1] / new[0] == pytest.approx(4000.0, rel=1e-12)


def test_equal_losses_under_a_set_point_keep_the_users_weights():
    weights = manager("ema", (1.0, 20.0), prior=True, normalization="total")
    for epoch in range(1, 20):
        assert feed(weights, epoch, 0.3, 0.3) == pytest.approx([1.0, 20.0], rel=1e-12)
    forgetful = manager("ema", (1.0, 20.0), normalization="total")
    for epoch in range(1, 20):
        new = feed(forgetful, epoch, 0.3, 0.3)
    assert new[1] / new[0] == pytest.approx(1.0, rel=1e-3)


# ---- warm-up and freezing -----------------------------------------------------------------------


@pytest.mark.parametrize("first", [1, 7])
def test_warm_up_hides_the_first_epochs(first):
    warmed, plain = manager(warm_up=3, update_frequency=4), manager(update_frequency=4)
    for epoch in range(first, first + 3):
        assert not warmed.acts_at(epoch)
        assert feed(warmed, epoch, 10.0**epoch, 1.0) == [1.0, 1.0]
    for epoch in range(first + 3, first + 12):  # the next is the strategy's epoch 1
        assert warmed.acts_at(epoch) == plain.acts_at(epoch)
        assert feed(warmed, epoch, 1.0, 5.0 + epoch) == feed(plain, epoch, 1.0, 5.0 + epoch)
    assert not warmed.events


def test_freezing_is_said_once_and_for_good():
    frozen, plain = manager(freeze_after=3), manager()
    for epoch in range(5, 8):
        assert feed(frozen, epoch, 1.0, 0.1 * epoch) == feed(plain, epoch, 1.0, 0.1 * epoch)
    held = frozen.get_weights()
    for epoch in (8, 9, 50):
        assert not frozen.acts_at(epoch)
        feed(frozen, epoch, 1.0, 1e-3)
        assert frozen.get_weights() == held
    assert happened(frozen) == [(8, "", "frozen", "weights stay after 3 epochs")]
    restored = manager(freeze_after=3)
    restored.load_state_dict(frozen.state_dict())
    feed(restored, 51, 1.0, 1e-3)
    assert restored.get_weights() == held and not restored.events


def test_a_frozen_epoch_with_a_bad_loss_still_says_both():
    weights = manager(freeze_after=1)
    feed(weights, 1, 1.0, 2.0)
    with pytest.warns(RuntimeWarning, match="At epoch 2 a loss"):
        feed(weights, 2, math.nan, 2.0)
    assert [event.what for event in weights.events] == ["frozen", "unusable"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warm_up": -1}, "`warm_up` must be a whole number >= 0, got -1"),
        ({"warm_up": 1.5}, "`warm_up` must be a whole number"),
        ({"freeze_after": 0}, "`freeze_after` must be a whole number >= 1, got 0"),
        ({"warm_up": 5, "freeze_after": 5}, "`freeze_after` must be a whole number >= 6, got 5"),
        ({"conditions": ["c"]}, "`conditions` must be one of a, b, got 'c'"),
        ({"conditions": "a"}, "`conditions` must be a list of names, got 'a'"),
        ({"field_scales": {"a": 1.0}}, r"`field_scales` must name exactly .*missing \['b'\]"),
        ({"field_scales": [1.0, 1.0]}, "`field_scales` must map each name to a number"),
        ({"field_scales": {"a": 0.0, "b": 1.0}}, r"`field_scales\['a'\]` must be .* > 0, got 0"),
        ({"strategy": "field_scale"}, "`field_scales` must be given for strategy 'field_scale'"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        manager(**options)


# ---- roll-back ----------------------------------------------------------------------------------


def test_roll_back_undoes_the_last_update_once():
    weights = manager()
    assert not weights.roll_back("nothing yet") and not weights.events
    first = feed(weights, 1, 1.0, 0.2)
    feed(weights, 2, 1.0, 0.01)
    assert weights.roll_back("the gradient broke")
    assert list(weights.get_weights().values()) == first
    assert not weights.roll_back("again") and weights.updates == 2
    assert happened(weights) == [(2, "", "rolled_back", "the gradient broke")]


def test_weights_under_which_an_epoch_went_well_are_not_rolled_back():
    weights = manager(update_frequency=10)
    new = feed(weights, 1, 1.0, 0.2)
    feed(weights, 2, 1.0, 0.2)  # no update, but finite losses
    assert not weights.roll_back("late") and list(weights.get_weights().values()) == new
    weights = manager(update_frequency=10)
    feed(weights, 1, 1.0, 0.2)
    with pytest.warns(RuntimeWarning):
        feed(weights, 2, math.nan, 0.2)  # bad losses are no proof
    assert weights.roll_back("soon") and list(weights.get_weights().values()) == [1.0, 1.0]
    weights = manager()
    feed(weights, 1, 1.0, 0.2)
    weights.confirm()
    assert not weights.roll_back("confirmed")


# ---- events -------------------------------------------------------------------------------------


def test_limits_entered_and_left(scripted):
    scripted([[1.0, 1e9], [1.0, 1e9], [1.0, 2.0], [1.0, 1e-9], [0.5, 1e9], [1.0, 1.0]])
    weights = manager("scripted", normalization="none")
    for epoch in range(1, 7):
        feed(weights, epoch, 1.0, 1.0)
    assert happened(weights) == [
        (1, "b", "limit", "held by max_weight"),
        (3, "b", "limit", "free again from max_weight"),
        (4, "b", "limit", "held by min_weight"),
        (5, "b", "limit", "held by max_weight"),  # from one to the other: said as entered
        (6, "b", "limit", "free again from max_weight"),
    ]


def test_a_note_of_the_strategy_and_its_penalty_are_kept(scripted):
    scripted([Proposal([1.0, 2.0], False, penalty=-3.5, note="stage 2 begins"), [1.0, 2.0]])
    weights = manager("scripted")
    feed(weights, 4, 1.0, 1.0)
    assert weights.penalty == -3.5
    assert happened(weights) == [(4, "", "note", "stage 2 begins")]
    feed(weights, 5, 1.0, 1.0)
    assert weights.penalty == 0.0 and len(weights.events) == 1


# ---- answers that cannot be used ----------------------------------------------------------------

UNUSABLE = {
    "nan": ([1.0, math.nan], "answers no finite weights"),
    "inf": ([1.0, math.inf], "answers no finite weights"),
    "negative": ([1.0, -1e-9], "answers no finite weights"),
    "zero": ([0.0, 0.0], "answers no finite weights"),
    "short": ([1.0], "answers 1 weights for 2 terms or groups"),
    "long": ([1.0, 2.0, 3.0], "answers 3 weights for 2 terms or groups"),
    "none": ([], "answers 0 weights for 2 terms or groups"),
    "error": (ZeroDivisionError("division by zero"), r"cannot answer \(division by zero\)"),
    "overflow": (OverflowError("too large"), r"cannot answer \(too large\)"),
    "penalty": (Proposal([1.0, 1.0], False, math.nan), "answers a penalty that is not finite"),
    "scale": ([1e308, 1e308], "answers weights without a scale"),
}


@pytest.mark.parametrize("fault", UNUSABLE)
@pytest.mark.parametrize("at", [1, 2])
def test_an_unusable_answer_changes_nothing(scripted, fault, at):
    answer, message = UNUSABLE[fault]
    good = [[1.0, 3.0], [2.0, 1.0]]
    scripted([*good[: at - 1], answer])
    weights = manager("scripted", normalization="mean")
    for epoch in range(1, at):
        feed(weights, epoch, 1.0, 2.0)
    before = weights.state_dict()
    with pytest.warns(RuntimeWarning, match=f"At epoch {at} scripted {message}") as record:
        feed(weights, at, 1.0, 2.0)
    assert len(record) == 1 and record[0].filename == __file__
    after = weights.state_dict()
    assert after == {**before, "epoch": at, "begin": 1, "weights_before": after["weights_before"]}
    assert [event.what for event in weights.events] == ["unusable"]
    assert weights.events[0].why.endswith(": weights unchanged")


def test_no_proposal_keeps_the_weights_and_the_state_goes_on(scripted):
    scripted([None, [1.0, 3.0]])
    weights = manager("scripted", normalization="none")
    assert feed(weights, 1, 1.0, 2.0) == [1.0, 1.0] and weights.updates == 0
    assert weights.state_dict()["state"] == {"calls": 1}
    assert feed(weights, 2, 1.0, 2.0) == [1.0, 3.0]


def test_numbers_of_numpy_in_an_answer_do_not_enter_the_state(scripted):
    scripted([Proposal(np.array([1.0, 3.0]), False, np.float64(2.0))])
    weights = manager("scripted", normalization="none")
    feed(weights, 1, 1.0, 2.0)
    state = weights.state_dict()
    assert {type(w) for w in state["weights"]} == {float} and type(state["penalty"]) is float


@pytest.mark.parametrize("statistic", ["gradients", "gradient_vectors", "ntk"])
def test_a_missing_statistic_is_refused_and_changes_nothing(scripted, statistic):
    scripted([[1.0, 2.0]], reads=("losses", statistic))
    weights = manager("scripted", freeze_after=5)
    before = weights.state_dict()
    with pytest.raises(ValueError, match=f"`update` must be given {statistic} for strategy"):
        feed(weights, 1, 1.0, 2.0)
    assert weights.state_dict() == before
    if statistic == "ntk":
        with pytest.raises(ValueError, match=r"`ntk` must be of the 2 terms or groups .*got 3"):
            feed(weights, 1, 1.0, 2.0, ntk=[1.0, 2.0, 3.0])
        with pytest.warns(RuntimeWarning, match="a gradient is not finite"):
            feed(weights, 1, 1.0, 2.0, ntk=[1.0, math.inf])
        assert weights.state_dict()["state"] == {"calls": 0}


def test_an_epoch_that_nobody_looks_at_needs_no_statistic(scripted):
    scripted([[1.0, 2.0]], reads=("losses", "ntk"))
    weights = manager("scripted", warm_up=1)
    feed(weights, 1, 1.0, 2.0)
    feed(weights, 2, 1.0, 2.0, ntk=[1.0, 1.0])
    assert weights.updates == 1


# ---- state, and looking -------------------------------------------------------------------------

SETTINGS = {
    "groups": {"walls": ["left", "right"]},
    "prior": True,
    "warm_up": 3,
    "freeze_after": 25,
    "max_ratio": 10.0,
    "max_change": 1.3,
    "update_frequency": 2,
    "min_weight": 0.1,
    "max_weight": 8.0,
}
FOUR = ["pde", "left", "right", "ic"]


def full(strategy):
    return manager(strategy, (1.0, 2.0, 0.5, 0.0), FOUR, **SETTINGS)


def history(seed, epochs=30):
    rng = random.Random(seed)
    rows = [[10 ** rng.uniform(-6, 3) for _ in FOUR] for _ in range(epochs)]
    rows[6][1] = math.nan
    return rows


def play(weights, rows, start, look=lambda weights: None):
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for epoch in range(start, len(rows)):
            look(weights)
            seen.append(feed(weights, epoch + 1, *rows[epoch]))
            if epoch == 11:
                weights.roll_back("on purpose")
    return seen


@pytest.mark.parametrize("strategy", ["ema", "equal_init", "equal_init_ema", "fixed"])
@pytest.mark.parametrize("at", [0, 2, 7, 11, 12, 26])
def test_a_restored_manager_goes_on_with_every_setting(strategy, at):
    rows = history(at)
    straight, broken = full(strategy), full(strategy)
    whole = play(straight, rows, 0)
    play(broken, rows[:at], 0)
    restored = full(strategy)
    restored.load_state_dict(json.loads(json.dumps(broken.state_dict(), allow_nan=False)))
    assert play(restored, rows, at) == whole[at:]
    assert restored.state_dict() == straight.state_dict()
    assert [*broken.events, *restored.events] == straight.events


@pytest.mark.parametrize("strategy", ["ema", "equal_init_ema"])
def test_looking_changes_nothing(strategy):
    def look(weights):
        for epoch in (1, 3, 100):
            weights.acts_at(epoch)
        weights.get_weights().clear()
        weights.state_dict()["groups"]["walls"].clear()
        copy.deepcopy(weights.events)
        assert weights.method.name == strategy and weights.needs and len(weights.units) == 2

    watched, alone = full(strategy), full(strategy)
    assert play(watched, history(0), 0, look) == play(alone, history(0), 0)
    assert watched.state_dict() == alone.state_dict() and watched.events == alone.events


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [1.0, math.nan]}, "`The saved weights` must be a finite number"),
        ({"weights_before": [1.0]}, "must have 2 weights_before"),
        ({"penalty": None}, "`The saved penalty` must be a finite number"),
        ({"limits": [""]}, "must be of 2 terms or groups"),
        ({"state": {"other": 1}}, "`saved.state` must be a mapping of average"),
        ({"state": 1}, "`saved.state` must be a mapping of average"),
        ({"updates": -1}, "saved number of updates"),
    ],
)
def test_a_damaged_state_is_refused_as_a_whole(change, message):
    weights = manager()
    feed(weights, 1, 1.0, 2.0)
    before = weights.state_dict()
    with pytest.raises(ValueError, match=message):
        weights.load_state_dict({**before, **change})
    assert weights.state_dict() == before
