"""The manager's state: saved and restored bit for bit, small, shared with nobody."""

import copy
import itertools
import json
import random

import numpy as np
import pytest

from pinn_ext import AdaptiveLossWeights
from pinn_ext.adaptive_weights import NORMALIZATIONS
from tests.adaptive_weights.two_terms import FOUR, NAMES, feed, manager
from tests.pairs import pairwise
from tests.stored import stored


def through_json(state):
    return json.loads(json.dumps(state, allow_nan=False))


@pytest.mark.parametrize(
    ("name", "normalization", "store", "at"),
    pairwise(
        itertools.product(FOUR, NORMALIZATIONS, [copy.deepcopy, through_json, stored], [0, 1, 8])
    ),
)
def test_a_restored_manager_goes_on_bit_for_bit(name, normalization, store, at):
    def build(start=1.0):
        return manager(
            name, (start, 3.0), normalization=normalization, max_ratio=100.0, update_frequency=2
        )

    rng = random.Random(at)
    history = [[10 ** rng.uniform(-6, 3) for _ in NAMES] for _ in range(20)]
    straight = build()
    for epoch in range(at):
        feed(straight, epoch + 1, *history[epoch])
    restored = build(start=7.0)  # the saved weights count, not those it was built with
    restored.load_state_dict(store(straight.state_dict()))
    for epoch in range(at, 20):
        losses = history[epoch]
        assert feed(restored, epoch + 1, *losses) == feed(straight, epoch + 1, *losses)
    assert restored.state_dict() == straight.state_dict()


def test_numbers_of_numpy_do_not_enter_the_state():
    weights = AdaptiveLossWeights(
        NAMES, {"a": np.float64(1), "b": np.float32(1)}, "ema", np.float64(0.5), np.int64(2),
        np.float64(1e-8), np.float64(1e-4), np.float32(1e4), weight_beta=np.float64(0.5),
    )  # fmt: skip
    for epoch in range(1, 5):
        weights.update(np.int64(epoch), {"a": np.float64(0.1), "b": np.float32(2.0)})
    state = weights.state_dict()
    assert through_json(state) == state
    assert stored(state) == state

    def kinds(value):
        if isinstance(value, dict):
            value = list(value.values())
        return set().union(*map(kinds, value)) if isinstance(value, list) else {type(value)}

    assert kinds(state) <= {int, float, str, bool}


@pytest.mark.parametrize("name", FOUR)
def test_state_takes_less_than_a_kilobyte_a_term(name):
    names = [f"RK4_loss{i}" for i in range(8)]
    weights = manager(name, [1.0] * 8, names)
    for epoch in range(1, 200):
        feed(weights, epoch, *[1 / (i + epoch) for i in range(8)])
    assert len(json.dumps(weights.state_dict())) < 1024 * len(names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": "ema"}, "must have strategy 'equal_init', got 'ema'"),
        ({"loss_names": ["a", "c"]}, r"must have loss_names \['a', 'b'\], got \['a', 'c'\]"),
        ({"weights": [1.0]}, r"must have 2 weights, got \[1\.0\]"),
        ({"initial_weights": [1.0] * 3}, "must have 2 initial_weights"),
        ({"more": 1}, r"The saved state must name exactly .*unknown \['more'\]"),
        ({"epoch": ...}, r"The saved state must name exactly .*missing \['epoch'\]"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(change, message):
    weights = manager()
    feed(weights, 1, 1.0, 2.0)
    before = weights.state_dict()
    state = {key: value for key, value in {**before, **change}.items() if value is not ...}
    with pytest.raises(ValueError, match=message):
        weights.load_state_dict(state)
    assert weights.state_dict() == before


@pytest.mark.parametrize("name", FOUR)
def test_looking_changes_nothing(name):
    watched, alone = manager(name), manager(name)
    rng = random.Random(1)
    for epoch in range(1, 30):
        losses = [10 ** rng.uniform(-3, 3) for _ in NAMES]
        assert feed(watched, epoch, *losses) == feed(alone, epoch, *losses)
        for _ in range(epoch % 4):
            watched.get_weights()["a"] = -1.0
            assert watched.get_weight("a") == alone.get_weight("a")
            state = watched.state_dict()
            state["weights"][0] = -1.0
            state["state"]["average"] = [0.0, 0.0]
            state["loss_names"].append("c")
    assert watched.state_dict() == alone.state_dict()


def test_what_the_caller_keeps_is_not_shared():
    names, start = ["a", "b"], {"a": 1.0, "b": 1.0}
    weights = AdaptiveLossWeights(names, start, "ema")
    names.append("c")
    start["a"] = 5.0
    new = weights.update(1, {"a": 1.0, "b": 1.0})
    new["a"] = -1.0
    assert weights.get_weight("a") == pytest.approx(1.0)
    saved = weights.state_dict()
    other = manager("ema")
    other.load_state_dict(saved)
    feed(other, 2, 5.0, 7.0)
    assert saved == weights.state_dict()
