"""Properties that weighting strategies share, as assertions that run over any of them."""

import copy
import json
import math
import random
import warnings

import pytest

from pinn_ext import AdaptiveLossWeights, strategies
from pinn_ext.strategies import Statistics

BAD_LOSSES = (math.nan, math.inf, -math.inf, -1.0)
EXTREME_LOSSES = (0.0, 5e-324, 1e-300, 1e-8, 1.0, 1e300)
OPTIONS = [(n, r) for n in ("initial", "none", "total") for r in (None, 100.0)]


def proposals(strategy, history):
    """Return what the strategy answers to a history `[T][k]` of losses, from equal weights."""
    state = strategy.init([1.0] * len(history[0]))
    answers = []
    for losses in history:
        proposal, state = strategy.update(Statistics(losses), state)
        answers.append(proposal)
    return answers


def assert_pure(strategy, history):
    """Same statistic and state, same answer; neither is written to."""
    start = [1.0] * len(history[0])
    state = strategy.init(start)
    assert start == [1.0] * len(history[0])
    assert strategy.init(start) == state
    for losses in history:
        losses_before, state_before = copy.deepcopy((losses, state))
        first = strategy.update(Statistics(losses), state)
        assert (losses, state) == (losses_before, state_before)
        assert strategy.update(Statistics(losses), state) == first
        state = first[1]


def assert_state_is_plain(strategy, history):
    """The state survives JSON at any moment: the answers after it are the same, bit for bit."""
    state = strategy.init([1.0] * len(history[0]))
    for losses in history:
        restored = json.loads(json.dumps(state, allow_nan=False))
        assert restored == state
        expected = strategy.update(Statistics(losses), state)
        assert strategy.update(Statistics(losses), restored) == expected
        state = expected[1]


def assert_targets_are_positive(strategy, history):
    """Targets are finite and above zero, one a term."""
    for proposal in proposals(strategy, history):
        if proposal is not None:
            assert len(proposal.targets) == len(history[0])
            assert all(0 < target < math.inf for target in proposal.targets)


def assert_permutation_equivariant(strategy, history, order):
    """Terms in another order get the same targets, in that order."""
    shuffled = [[losses[i] for i in order] for losses in history]
    pairs = zip(proposals(strategy, history), proposals(strategy, shuffled), strict=True)
    for plain, moved in pairs:
        assert (plain is None) == (moved is None)
        if plain is not None:
            assert moved.targets == pytest.approx([plain.targets[i] for i in order], rel=1e-12)
            assert moved.blend == plain.blend


def assert_equal_losses_give_equal_targets(strategy, values, terms):
    """Terms that cannot be told apart are not told apart."""
    for proposal in proposals(strategy, [[value] * terms for value in values]):
        if proposal is not None:
            assert len(set(proposal.targets)) == 1


def assert_equalizes_as_declared(strategy, losses):
    """A strategy that says so replaces the weights at once by those that equalise the losses."""
    proposal = proposals(strategy, [losses])[0]
    if strategy.equalizes:
        assert not proposal.blend
        shares = [
            t * (loss + strategy.eps) for t, loss in zip(proposal.targets, losses, strict=True)
        ]
        assert shares == pytest.approx([shares[0]] * len(losses), rel=1e-12)


def random_loss(rng):
    """Return a loss of any size, now and then an extreme or an illegal one."""
    draw = rng.random()
    if draw < 0.01:
        return rng.choice(BAD_LOSSES)
    if draw < 0.06:
        return rng.choice(EXTREME_LOSSES)
    return 10.0 ** rng.uniform(-300, 300)


def assert_weights_stay_legal(name, normalization, max_ratio, updates, seed=0):
    """Whatever losses come, every weight is finite and inside the clamps after every call."""
    rng = random.Random(seed)
    names = ["a", "b", "c", "off"]
    manager = AdaptiveLossWeights(
        names,
        {"a": 1.0, "b": 10.0, "c": 100.0, "off": 0.0},
        name,
        normalization=normalization,
        max_ratio=max_ratio,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for epoch in range(1, updates + 1):
            weights = manager.update(epoch, {key: random_loss(rng) for key in names})
            assert weights.pop("off") == 0.0
            assert all(1e-4 <= weight <= 1e4 for weight in weights.values()), (epoch, weights)
            if epoch % 1000 == 0:  # extreme losses pin the weights, a new manager is free again
                json.dumps(manager.state_dict(), allow_nan=False)
                manager.load_state_dict(fresh_state(manager))


def fresh_state(manager):
    """Return the state of a manager before its first update, at the manager's epoch."""
    strategy = strategies.create(manager.strategy)
    saved = manager.state_dict()
    active = [weight for weight in saved["initial_weights"] if weight > 0]
    return {
        **saved,
        "weights": saved["initial_weights"],
        "updates": 0,
        "state": strategy.init(active),
    }
