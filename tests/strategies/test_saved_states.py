"""Saved states of strategies: each that was returned is taken, each damaged one refused by name."""

import copy

import pytest
import torch

from pinn_ext import strategies
from pinn_ext.checks import ArgumentError
from pinn_ext.strategies import PointBlock, PointStrategy, Strategy
from tests.strategies.recordings import statistics

TERMS = 3
OPTIONS = {
    "multi_stage": {
        "stages": [
            {"strategy": "ema", "until_epoch": 2},
            {"strategy": "relobralo", "until_epoch": 4},
            {"strategy": "softadapt"},
        ]
    }
}
MADE = {name: strategies.create(name, **OPTIONS.get(name, {})) for name in strategies.names()}
OF_TERMS = [name for name, one in MADE.items() if isinstance(one, Strategy)]
OF_POINTS = [name for name, one in MADE.items() if isinstance(one, PointStrategy)]


def states_of(name):
    """Return the states of a strategy of terms after 0, 1, 2 … updates."""
    strategy, random = MADE[name], torch.Generator().manual_seed(3)
    states = [strategy.init([1.0, 2.0, 0.5])]
    for update in range(7):
        losses = torch.rand(TERMS, generator=random, dtype=torch.float64).tolist()
        gradients = torch.randn(TERMS, 12, generator=random, dtype=torch.float64).tolist()
        pairs = zip(losses, gradients, strict=True)
        rows = [(loss, own, 1.0 + loss, 1.0, False) for loss, own in pairs]
        _, state = strategy.update(statistics(rows, update=update + 1), copy.deepcopy(states[-1]))
        states.append(state)
    return states


def leaves(value, path=()):
    if isinstance(value, (dict, list)) and (value or not path):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def damaged(state, path, bad):
    state = copy.deepcopy(state)
    place = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = bad
    return state


@pytest.mark.parametrize("name", OF_TERMS)
def test_of_terms(name):
    strategy = MADE[name]
    for state in states_of(name):
        strategy.check_state(state, TERMS)
        for path, value in leaves(state):
            for bad in ("x", float("nan"), -1 if type(value) is int else {}, [[1.0]]):
                with pytest.raises(ArgumentError, match="state"):
                    strategy.check_state(damaged(state, path, bad), TERMS)
    if state:
        with pytest.raises(ArgumentError):
            strategy.check_state({}, TERMS)
    for bad in (None, 3, [state], {**state, "more": 1}):
        with pytest.raises(ArgumentError):
            strategy.check_state(bad, TERMS)


def test_a_stage_that_there_is_not():
    state = states_of("multi_stage")[-1]
    with pytest.raises(ArgumentError, match=r"state\.stage"):
        MADE["multi_stage"].check_state({**state, "stage": 3}, TERMS)


@pytest.mark.parametrize("name", OF_POINTS)
def test_of_points(name):
    strategy = MADE[name]
    block = PointBlock(torch.zeros(1), span=(0.0, 2.0))
    state = strategy.init(5, 2, block)
    times = torch.linspace(0, 2, 5)
    for _ in range(3):
        strategy.check_state(state, 5, 2)
        state = strategy.update(torch.rand(5, 2), state, times)
    for key, value in state.items():
        bads = ["x", None, torch.zeros(4, 2), torch.zeros(5, 3), torch.full((5, 2), torch.inf)]
        bads += [torch.zeros(5, 2, dtype=torch.bool)] if isinstance(value, torch.Tensor) else []
        for bad in bads:
            with pytest.raises(ArgumentError, match="state"):
                strategy.check_state({**state, key: bad}, 5, 2)


def test_a_stage_of_causal_that_there_is_not():
    state = MADE["causal"].init(5, 2, PointBlock(torch.zeros(1), span=(0.0, 2.0)))
    with pytest.raises(ArgumentError, match=r"state\.stage"):
        MADE["causal"].check_state({**state, "stage": 99}, 5, 2)


class Own(Strategy):
    """A user's strategy, whose state becomes something else than it began with."""

    name = "own"

    def init(self, initial_weights):
        return {"best": None}

    def update(self, statistics, state):
        return None, {"best": min(statistics.losses)}


def test_states_of_users_strategies_may_become_anything():
    Own().check_state({"best": 0.5}, TERMS)
    with pytest.raises(ArgumentError):
        Own().check_state({"worst": 0.5}, TERMS)
