"""Every registered strategy against the properties in `tests/strategies/properties.py`.

What strategies share, `pinn_ext.strategies.base`, is tested by them.
"""

import itertools
import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinn_ext import strategies
from pinn_ext.adaptive_weights import NORMALIZATIONS
from tests.pairs import pairwise
from tests.strategies import properties
from tests.strategies.recordings import record, term_strategies

ROOT = Path(__file__).resolve().parents[2]
ALL = term_strategies()
SETTINGS = [
    {},
    {"ema_alpha": 0.0, "eps": 1e-100},
    {"ema_alpha": 0.99, "eps": 1e-2},
]
number = st.one_of(
    st.floats(min_value=0.0, max_value=1e300), st.sampled_from(properties.EXTREME_LOSSES)
)
entry = st.floats(-1e100, 1e100)


def term(loss=number):
    """Draw a term: loss, gradient, trace, scale of its field, whether it is a condition."""
    gradient = st.lists(entry, min_size=12, max_size=12)
    return st.tuples(loss, gradient, number, st.floats(1e-6, 1e6), st.booleans())


@st.composite
def histories(draw, loss=number):
    """Draw 1 to 4 updates of 1 to 5 terms, losses never all zero."""
    terms = draw(st.integers(1, 5))
    row = st.lists(term(loss), min_size=terms, max_size=terms)
    row = row.filter(lambda drawn: any(one[0] for one in drawn))
    history = draw(st.lists(row, min_size=1, max_size=4))
    facts = [one[3:] for one in history[0]]  # these do not change while training
    return [
        [(*one[:3], *fact) for one, fact in zip(terms, facts, strict=True)] for terms in history
    ]


every = pytest.mark.parametrize("name", ALL)
options = st.sampled_from(SETTINGS)


@every
@given(options=options, history=histories())
def test_pure_plain_and_legal(name, options, history):
    strategy = strategies.create(name, **options)
    properties.assert_pure(strategy, history)
    properties.assert_state_is_plain(strategy, history)
    properties.assert_targets_are_legal(strategy, history)


@every
@given(options=options, data=st.data(), history=histories())
def test_permutation(name, options, data, history):
    strategy = strategies.create(name, **options)
    if not strategy.permutation_equivariant:
        pytest.skip("declared not to be permutation-equivariant")
    order = data.draw(st.permutations(range(len(history[0]))))
    properties.assert_permutation_equivariant(strategy, history, order)


@every
@given(values=st.lists(term(number.filter(bool)), min_size=1, max_size=5), terms=st.integers(1, 6))
def test_equal_terms(name, values, terms):
    strategy = strategies.create(name)
    if not strategy.equal_treatment:
        pytest.skip("declared to treat equal terms differently")
    properties.assert_equal_terms_get_equal_targets(strategy, values, terms)


@every
def test_scale_behaviour(name):
    strategy = strategies.create(name, eps=1e-100)
    if not strategy.scale_invariant:
        pytest.skip("declared to depend on the scale of the losses")
    for seed, factor in itertools.product(range(3), [1e-3, 2.0, 1e4]):
        recording = record(seed, 6, 4)
        history = [
            list(zip(*epoch, recording.scales, recording.conditions, strict=True))
            for epoch in recording.epochs
        ]
        properties.assert_scale_invariant(strategy, history, factor)


@every
@given(terms=st.lists(term(st.floats(1e-200, 1e200)), min_size=1, max_size=6))
def test_equalizes(name, terms):
    properties.assert_equalizes_as_declared(strategies.create(name), terms)


@pytest.mark.parametrize(
    ("name", "normalization", "max_ratio"),
    pairwise(itertools.product(ALL, NORMALIZATIONS, (None, 100.0))),
)
def test_weights_stay_legal(name, normalization, max_ratio):
    properties.assert_weights_stay_legal(name, normalization, max_ratio, updates=1_300)


@pytest.mark.slow
@every
def test_weights_stay_legal_for_a_million_updates(name):
    few = "inner_steps" in strategies.option_names(name)  # the default takes ten times as long
    options = {"inner_steps": 3} if few else None
    for seed, limits in enumerate(properties.OPTIONS, start=1):
        properties.assert_weights_stay_legal(
            name, *limits, updates=130_000, seed=seed, options=options
        )


def test_every_strategy_has_its_command_line():
    for name in set(strategies.names()) - {"fixed"}:  # that is training=default
        recipe = (ROOT / "configs" / "training" / f"adaptive_{name}.yaml").read_text("utf-8")
        assert f"    strategy: {name}\n" in recipe


@every
def test_declarations(name):
    strategy = strategies.create(name)
    assert strategy.name == name
    assert strategy.needs <= set(strategies.STATISTICS)
    assert strategy.moves in ("terms", "")
    assert isinstance(strategy.equalizes, bool)
    with pytest.raises((FrozenInstanceError, AttributeError)):
        strategy.eps = 1.0


def test_settings_reach_only_the_strategies_that_have_them():
    assert strategies.create("ema", ema_alpha=0.5, eps=1e-3).ema_alpha == 0.5
    assert strategies.create("equal_init", ema_alpha=0.5, eps=1e-3).eps == 1e-3
    assert strategies.create("fixed", ema_alpha=0.5) == strategies.create("fixed")


def test_unknown_name_lists_the_names_and_the_nearest():
    with pytest.raises(
        ValueError, match=rf"{', '.join(strategies.names())}, got 'fixd'.*mean 'fixed'"
    ):
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

    history = [
        [(loss, [loss] * 12, loss, 1.0, False) for loss in losses] for losses in ([1, 2], [3, 4])
    ]
    for broken in (
        lambda: properties.assert_pure(Forgetful(), history),
        lambda: properties.assert_targets_are_legal(Forgetful(), history),
        lambda: properties.assert_permutation_equivariant(Forgetful(), history, [1, 0]),
        lambda: properties.assert_equal_terms_get_equal_targets(Forgetful(), history[0][:1], 2),
        lambda: properties.assert_scale_invariant(Forgetful(), history, 2.0),
    ):
        with pytest.raises(AssertionError):
            broken()
