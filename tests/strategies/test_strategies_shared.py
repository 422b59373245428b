"""Every registered strategy against the properties in `tests/properties.py`."""

import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ext import strategies
from tests import properties

ROOT = Path(__file__).resolve().parents[2]
ALL = strategies.names()
SETTINGS = [
    {},
    {"ema_alpha": 0.0, "eps": 1e-100},
    {"ema_alpha": 0.99, "eps": 1e-2},
]
quick = settings(max_examples=40, deadline=None, derandomize=True, database=None)
loss = st.one_of(
    st.floats(min_value=0.0, max_value=1e300), st.sampled_from(properties.EXTREME_LOSSES)
)


@st.composite
def histories(draw):
    """Draw losses `[T][k]` of 1 to 5 terms over 1 to 4 updates, never all zero."""
    terms = draw(st.integers(1, 5))
    row = st.lists(loss, min_size=terms, max_size=terms).filter(any)
    return draw(st.lists(row, min_size=1, max_size=4))


every = pytest.mark.parametrize("name", ALL)
varied = pytest.mark.parametrize("options", SETTINGS, ids=str)


@every
@varied
@quick
@given(history=histories())
def test_pure_plain_and_positive(name, options, history):
    strategy = strategies.create(name, **options)
    properties.assert_pure(strategy, history)
    properties.assert_state_is_plain(strategy, history)
    properties.assert_targets_are_positive(strategy, history)


@every
@varied
@quick
@given(data=st.data(), history=histories())
def test_permutation(name, options, data, history):
    strategy = strategies.create(name, **options)
    if not strategy.permutation_equivariant:
        pytest.skip("declared not to be permutation-equivariant")
    order = data.draw(st.permutations(range(len(history[0]))))
    properties.assert_permutation_equivariant(strategy, history, order)


@every
@quick
@given(values=st.lists(loss.filter(bool), min_size=1, max_size=5), terms=st.integers(1, 6))
def test_equal_losses(name, values, terms):
    properties.assert_equal_losses_give_equal_targets(strategies.create(name), values, terms)


@every
@quick
@given(losses=st.lists(st.floats(1e-200, 1e200), min_size=1, max_size=6))
def test_equalizes(name, losses):
    properties.assert_equalizes_as_declared(strategies.create(name), losses)


@every
@pytest.mark.parametrize(("normalization", "max_ratio"), properties.OPTIONS)
def test_weights_stay_legal(name, normalization, max_ratio):
    properties.assert_weights_stay_legal(name, normalization, max_ratio, updates=10_000)


@pytest.mark.slow
@every
def test_weights_stay_legal_for_a_million_updates(name):
    for seed, options in enumerate(properties.OPTIONS, start=1):
        properties.assert_weights_stay_legal(name, *options, updates=170_000, seed=seed)


@every
def test_every_strategy_has_its_command_line(name):
    if name != "fixed":  # that is training=default
        recipe = (ROOT / "configs" / "training" / f"adaptive_{name}.yaml").read_text("utf-8")
        assert f"    strategy: {name}\n" in recipe


@every
def test_declarations(name):
    strategy = strategies.create(name)
    assert strategy.name == name
    assert strategy.needs <= {"losses"}
    assert isinstance(strategy.equalizes, bool)
    with pytest.raises((FrozenInstanceError, AttributeError)):
        strategy.eps = 1.0


def test_settings_reach_only_the_strategies_that_have_them():
    assert strategies.create("ema", ema_alpha=0.5, eps=1e-3).ema_alpha == 0.5
    assert strategies.create("equal_init", ema_alpha=0.5, eps=1e-3).eps == 1e-3
    assert strategies.create("fixed", ema_alpha=0.5) == strategies.create("fixed")


def test_unknown_name_lists_the_names_and_the_nearest():
    with pytest.raises(ValueError, match=rf"{', '.join(ALL)}, got 'fixd'.*mean 'fixed'"):
        strategies.create("fixd")


def test_the_assertions_can_fail():
    class Forgetful(strategies.Strategy):
        name = "forgetful"

        def init(self, initial_weights):
            return {"calls": 0}

        def update(self, statistics, state):
            state["calls"] += 1
            targets = [math.inf, *statistics.losses[1:]]
            return strategies.Proposal(targets, blend=False), state

    history = [[1.0, 2.0], [3.0, 4.0]]
    for broken in (
        lambda: properties.assert_pure(Forgetful(), history),
        lambda: properties.assert_targets_are_positive(Forgetful(), history),
        lambda: properties.assert_permutation_equivariant(Forgetful(), history, [1, 0]),
        lambda: properties.assert_equal_losses_give_equal_targets(Forgetful(), [1.0], 2),
    ):
        with pytest.raises(AssertionError):
            broken()
