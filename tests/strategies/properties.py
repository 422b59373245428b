"""Properties that weighting strategies share, as assertions that run over any of them.

A history is `[T][k]` of terms `(loss, gradient [12], ntk, scale, condition)`.
"""

import copy
import itertools
import json
import math
import random
import warnings

import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveLossWeights
from pinn_ext.adaptive_weights import NORMALIZATIONS
from tests.strategies.recordings import statistics, sums_over

BAD_LOSSES = (math.nan, math.inf, -math.inf, -1.0)
EXTREME_LOSSES = (0.0, 5e-324, 1e-300, 1e-8, 1.0, 1e300)
OPTIONS = list(itertools.product(NORMALIZATIONS, (None, 100.0)))


def seen(history):
    """Yield the statistics of each update of a history, from weights of one."""
    for t, terms in enumerate(history):
        yield statistics(terms, update=t + 1)


def plain(found):
    """Return statistics without the tensor, to compare them."""
    return found._replace(gradients=found.gradients and found.gradients.squares)


def proposals(strategy, history):
    """Return what the strategy answers to a history, from equal weights."""
    state = strategy.init([1.0] * len(history[0]))
    answers = []
    for found in seen(history):
        proposal, state = strategy.update(found, state)
        answers.append(proposal)
    return answers


def assert_pure(strategy, history):
    """Same statistic and state, same answer; neither is written to."""
    start = [1.0] * len(history[0])
    state = strategy.init(start)
    assert start == [1.0] * len(history[0])
    assert strategy.init(start) == state
    for found in seen(history):
        before = copy.deepcopy((plain(found), state))
        first = strategy.update(found, state)
        assert (plain(found), state) == before
        assert strategy.update(found, state) == first
        state = first[1]


def assert_state_is_plain(strategy, history):
    """The state survives JSON at any moment: the answers after it are the same, bit for bit."""
    state = strategy.init([1.0] * len(history[0]))
    for found in seen(history):
        restored = json.loads(json.dumps(state, allow_nan=False))
        assert restored == state
        expected = strategy.update(found, state)
        assert strategy.update(found, restored) == expected
        state = expected[1]


def assert_targets_are_legal(strategy, history):
    """Targets are finite, not negative and not all zero, one a term."""
    for proposal in proposals(strategy, history):
        if proposal is not None:
            assert len(proposal.targets) == len(history[0])
            assert all(0 <= target < math.inf for target in proposal.targets)
            assert any(proposal.targets)
            assert math.isfinite(proposal.penalty)


def assert_permutation_equivariant(strategy, history, order):
    """Terms in another order get the same targets, in that order."""
    shuffled = [[terms[i] for i in order] for terms in history]
    pairs = zip(proposals(strategy, history), proposals(strategy, shuffled), strict=True)
    for own, moved in pairs:
        assert (own is None) == (moved is None)
        if own is not None:
            wanted = [own.targets[i] for i in order]
            assert moved.targets == pytest.approx(wanted, rel=1e-9, abs=1e-300)
            assert moved.blend == own.blend


def assert_equal_terms_get_equal_targets(strategy, values, terms):
    """Terms that cannot be told apart are not told apart."""
    for proposal in proposals(strategy, [[value] * terms for value in values]):
        if proposal is not None:
            assert proposal.targets == pytest.approx([proposal.targets[0]] * terms, rel=1e-12)


def assert_scale_invariant(strategy, history, factor):
    """All losses times a factor: the targets keep their ratios."""
    scaled = [
        [(factor * loss, factor * np.asarray(g), *rest) for loss, g, *rest in terms]
        for terms in history
    ]
    pairs = zip(proposals(strategy, history), proposals(strategy, scaled), strict=True)
    for own, other in pairs:
        if own is not None:
            shares = [target / sum(own.targets) for target in own.targets]
            assert other is not None
            total = sum(other.targets)
            assert [t / total for t in other.targets] == pytest.approx(shares, rel=1e-6)


def assert_equalizes_as_declared(strategy, terms):
    """A strategy that says so replaces the weights at once by those that equalise the losses."""
    proposal = proposals(strategy, [terms])[0]
    if strategy.equalizes:
        assert not proposal.blend
        pairs = zip(proposal.targets, terms, strict=True)
        shares = [target * (term[0] + strategy.eps) for target, term in pairs]
        assert shares == pytest.approx([shares[0]] * len(terms), rel=1e-12)


def random_number(rng):
    """Return a number of any size, now and then an extreme or an illegal one."""
    draw = rng.random()
    if draw < 0.01:
        return rng.choice(BAD_LOSSES)
    if draw < 0.06:
        return rng.choice(EXTREME_LOSSES)
    return 10.0 ** rng.uniform(-300, 300)


def assert_weights_stay_legal(name, normalization, max_ratio, updates, seed=0, options=None):
    """Whatever comes, every weight is finite and inside the clamps after every call."""
    rng = random.Random(seed)
    names = ["a", "b", "c", "off"]
    manager = AdaptiveLossWeights(
        names,
        {"a": 1.0, "b": 10.0, "c": 100.0, "off": 0.0},
        name,
        options=options,
        normalization=normalization,
        max_ratio=max_ratio,
        field_scales={"a": 1e-3, "b": 1.0, "c": 1e3, "off": 1.0},
        conditions=["b"],
    )
    start = fresh_state(manager)
    fixed = sums_over(np.random.default_rng(seed).standard_normal((3, 12)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for epoch in range(1, updates + 1):
            more = {}
            if "gradients" in manager.needs or "gradient_vectors" in manager.needs:
                more["gradients"] = _stretched(fixed, rng)
            if "ntk" in manager.needs:
                more["ntk"] = [random_number(rng) for _ in range(3)]
            losses = {key: random_number(rng) for key in names}
            weights = manager.update(epoch, losses, progress=epoch / updates, **more)
            assert weights.pop("off") == 0.0
            low, high = manager.limits.min_weight, manager.limits.max_weight
            assert all(low <= weight <= high for weight in weights.values()), (epoch, weights)
            if epoch % 1000 == 0:  # extreme losses pin the weights, a new manager is free again
                json.dumps(manager.state_dict(), allow_nan=False)
                manager.load_state_dict({**start, "epoch": epoch})
                manager.events.clear()


def _stretched(gradients, rng):
    """Return gradients of any length, whose squares may overflow."""
    lengths = [abs(random_number(rng)) for _ in gradients.totals]

    def times(rows, power=1):
        return [
            [length**power * value if length < 1e150 else math.inf for value in row]
            for length, row in zip(lengths, rows, strict=True)
        ]

    return type(gradients)(
        times(gradients.totals),
        times(gradients.absolute),
        times(gradients.squares, 2),
        times(gradients.largest),
        gradients.sizes,
        gradients.matrices,
        gradients.vectors * torch.tensor(lengths, dtype=torch.float64)[:, None],
    )


def fresh_state(manager):
    """Return the state of a manager before its first update."""
    return copy.deepcopy(manager.state_dict())
