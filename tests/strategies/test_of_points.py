"""Strategies of point weights against slow transcriptions of their papers, and their properties."""

import copy
import json
import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveLossWeights, strategies
from pinn_ext.point_weights.joint_update import moved_together
from pinn_ext.point_weights.table import PointTable
from pinn_ext.strategies import PointBlock, PointStrategy

STEPS, N, M = 30, 40, 3
POINTS = [n for n in strategies.names() if isinstance(strategies.create(n), PointStrategy)]
EXTREME = (0.0, 5e-324, 1e-160, 1.0, 1e150)


def recorded(seed, steps=STEPS, n=N, m=M):
    """Return absolute residuals `[T, n, m]` that shrink unevenly, and times `[n]` in [0, 2]."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(-3, 1, (1, n, m)) * np.exp(-0.1 * np.arange(steps))[:, None, None]
    return np.abs(size * rng.standard_normal((steps, n, m))), rng.uniform(0, 2, n)


def block(condition=False, dtype=torch.float64):
    return PointBlock(torch.zeros(1, dtype=dtype), condition, span=(0.0, 2.0))


def play(strategy, residuals, times, start):
    """Return the factors `[T, n, m]` that each step is weighed by, and the last state."""
    state, used = start, []
    clock = torch.tensor(times)
    for row in torch.tensor(residuals):
        later = strategy.update(row, state, clock)
        own = strategy.factors(later if strategy.updates_first else state, clock)
        used.append(own.expand_as(row).numpy())
        state = later
    return np.array(used), state


# ---- slow transcriptions -------------------------------------------------------------------------


def slow_rba(residuals, gamma, eta, second_mode):
    """Authors' notebook: rsum = gamma rsum + eta |r| / max |r|, then mean((rsum r)^2)."""
    answer = np.zeros_like(residuals)
    steps, n, m = residuals.shape
    for j in range(m):
        for i in range(n):
            for t in range(steps):
                for s in range(t + 1):  # summed out
                    rate = 1.0 if second_mode and s == 0 else eta
                    share = residuals[s, i, j] / max(residuals[s, :, j])
                    answer[t, i, j] += gamma ** (t - s) * rate * share
    return answer


def slow_sa(residuals, start, rate, beta1, beta2):
    """AC.py: Keras' Adam, uphill; the step t is weighed by what lambda was before it."""
    answer = np.zeros_like(residuals)
    steps, n, m = residuals.shape
    for i in range(n):
        for j in range(m):
            value, first, second = start[i, j], 0.0, 0.0
            for t in range(steps):
                answer[t, i, j] = value
                uphill = 2 * value * residuals[t, i, j] ** 2 / n  # d mean((lambda r)^2) / d lambda
                first = beta1 * first + (1 - beta1) * uphill
                second = beta2 * second + (1 - beta2) * uphill**2
                lr = rate * math.sqrt(1 - beta2 ** (t + 1)) / (1 - beta1 ** (t + 1))
                value += lr * first / (math.sqrt(second) + 1e-7)
    return answer


def slow_brdr(blocks, decay, kept, floor):
    """Chen et al. 2024: weights of points [T, n, m] of some blocks, averages summed out."""
    steps, count = len(blocks[0]), sum(block[0].size for block in blocks)
    weights = [np.ones_like(block) for block in blocks]
    references = []
    for t in range(steps):
        rates = []
        for block in blocks:
            average = sum((1 - decay) * decay ** (t - s) * block[s] ** 4 for s in range(t + 1)) / (
                1 - decay ** (t + 1)
            )
            rates.append(block[t] ** 2 / (np.sqrt(average) + floor))
        mean = sum(math.fsum(rate.ravel()) for rate in rates) / count
        references.append([rate / mean for rate in rates])
        for b, weight in enumerate(weights):
            weight[t] = kept ** (t + 1)
            for s in range(t + 1):
                weight[t] += (1 - kept) * kept ** (t - s) * references[s][b]
    return weights


def slow_causal(residuals, times, epsilons, chunks, threshold):
    """Wang et al., Algorithm 1, with the smallest weight over the equations as in jaxpi."""
    answer, stage = np.zeros_like(residuals), 0
    edges = [2.0 * k / chunks for k in range(chunks + 1)]
    members = [
        [i for i, t in enumerate(times) if edges[k] <= t < edges[k + 1]] for k in range(chunks)
    ]
    for t in range(len(residuals)):
        smallest = math.inf
        for k in range(chunks):
            weight = math.inf
            for j in range(residuals.shape[2]):
                total = 0.0
                for before in members[:k]:
                    if before:
                        total += sum(residuals[t, i, j] ** 2 for i in before) / len(before)
                weight = min(weight, math.exp(-epsilons[stage] * total))
            smallest = min(smallest, weight)
            answer[t, members[k], :] = math.sqrt(weight)
        if smallest > threshold:
            stage = min(stage + 1, len(epsilons) - 1)
    return answer, stage


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options", [{}, {"gamma": 0.5, "eta": 0.3}, {"start": "residual"}], ids=str
)
def test_rba(options, seed):
    strategy = strategies.create("rba", options)
    residuals, times = recorded(seed)
    got, _ = play(strategy, residuals, times, strategy.init(N, M, block()))
    expected = slow_rba(residuals, strategy.gamma, strategy.eta, strategy.start == "residual")
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("condition", [False, True])
@pytest.mark.parametrize("options", [{}, {"rate": 0.1, "beta1": 0.9, "beta2": 0.99}], ids=str)
def test_sa_pinn(options, condition):
    strategy = strategies.create("sa_pinn", options)
    residuals, times = recorded(3)
    start = strategy.init(N, M, block(condition))
    first = start["lambdas"].numpy().copy()
    top = 100.0 if condition else 1.0
    assert 0 <= first.min() < 0.1 * top and 0.9 * top < first.max() < top
    got, _ = play(strategy, residuals, times, start)
    slow = slow_sa(residuals, first, strategy.rate, strategy.beta1, strategy.beta2)
    np.testing.assert_allclose(got, slow, rtol=1e-12)


BRDR = [{}, {"decay": 0.9, "kept": 0.8}, {"decay": 0.5, "kept": 0.0, "floor": 1e-3}]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", BRDR, ids=str)
def test_brdr_of_one_block(options, seed):
    strategy = strategies.create("brdr", options)
    residuals, times = recorded(seed)
    got, state = play(strategy, residuals, times, strategy.init(N, M, block()))
    (weights,) = slow_brdr([residuals], strategy.decay, strategy.kept, strategy.floor)
    np.testing.assert_allclose(got, np.sqrt(weights), rtol=1e-12)
    assert state["lambdas"].mean().item() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("options", BRDR, ids=str)
def test_brdr_of_two_blocks_has_one_mean(options):
    """Blocks of other numbers of points and terms: the mean is that of all their points."""
    strategy = strategies.create("brdr", options)
    rows = [recorded(1, n=30, m=2)[0], 7.0 * recorded(2, n=5, m=1)[0][::-1]]
    tables = [PointTable(strategy, [0, 1], False, True), PointTable(strategy, [2], True, True)]
    expected = slow_brdr(rows, strategy.decay, strategy.kept, strategy.floor)
    apart = 0.0
    for t in range(STEPS):
        present = [torch.tensor(row[t]) for row in rows]
        for table, own in zip(tables, present, strict=True):
            table.load_keys(own, None, None, None)
        later = moved_together(tables, present)
        moves = zip(tables, present, later, expected, strict=True)
        weights = []
        for table, own, state, wanted in moves:
            factors = table.factors(own, True, None, state).numpy()
            np.testing.assert_allclose(factors, np.sqrt(wanted[t]), rtol=1e-12)
            weights.append(factors.ravel() ** 2)
        assert np.concatenate(weights).mean() == pytest.approx(1.0, rel=1e-12)
        apart = max(apart, abs(weights[1].mean() - 1.0))
    assert apart > 0.01  # weight has gone from block to block


def test_brdr_is_bounded_whatever_comes():
    """Rates by those of a residual that was 0 so far, weights by the number of points."""
    strategy = strategies.create("brdr", {"decay": 0.99, "kept": 0.0})
    rows = np.full((300, 6, 2), 1e-3)
    rows[200, 2, 1] = 1e30
    got, state = play(strategy, rows, np.zeros(6), strategy.init(6, 2, block()))
    assert (got**2).max() <= 12.0
    assert got[199] == pytest.approx(np.ones((6, 2)), rel=1e-9)
    begun, totals = strategy.begin(torch.tensor(1e9 * rows[200]), state)
    assert begun["rates"].max() <= (1 - 0.99) ** -0.5
    assert begun["rates"].max() > 0.9 * (1 - 0.99) ** -0.5 and totals[1] == 12
    still = strategy.update(torch.zeros(6, 2, dtype=torch.float64), state)
    assert torch.equal(still["lambdas"], state["lambdas"])


def test_sa_pinn_climbs_along_the_gradient_of_autograd():
    strategy = strategies.create("sa_pinn", {"ascent": "gradient", "rate": 0.7})
    residuals, times = recorded(4)
    start = strategy.init(N, M, block())
    got, _ = play(strategy, residuals, times, start)
    lambdas = start["lambdas"].clone()
    for t, row in enumerate(torch.tensor(residuals)):
        np.testing.assert_allclose(got[t], lambdas.detach().numpy(), rtol=1e-12)
        lambdas = lambdas.detach().requires_grad_()
        sum((lambdas[:, j] * row[:, j]).square().mean() for j in range(M)).backward()
        lambdas = lambdas.detach() + 0.7 * lambdas.grad


@pytest.mark.parametrize("options", [{}, {"epsilons": [1e-4, 1e-2, 1], "chunks": 5}], ids=str)
def test_causal(options):
    strategy = strategies.create("causal", options)
    residuals, times = recorded(5)
    got, state = play(strategy, residuals, times, strategy.init(N, M, block()))
    settings = (strategy.epsilons, strategy.chunks, strategy.threshold)
    expected, stage = slow_causal(residuals, times, *settings)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert state["stage"] == stage
    if options:
        assert stage > 0  # the schedule has been in use


def test_causal_keeps_the_loss_of_a_chunk_that_a_batch_leaves_out():
    strategy = strategies.create("causal", {"chunks": 4, "epsilons": [1.0]})
    early, late = torch.tensor([0.1, 0.6], dtype=float), torch.tensor([1.2, 1.9], dtype=float)
    one = torch.ones(2, 1, dtype=float)
    state = strategy.update(one, strategy.init(2, 1, block()), early)
    later = strategy.update(0.5 * one, state, late)
    assert later["losses"] == [[1.0], [1.0], [0.25], [0.25]]
    assert later["weights"] == pytest.approx([1.0, math.exp(-1), math.exp(-2), math.exp(-2.25)])


# ---- shared properties ---------------------------------------------------------------------------

every = pytest.mark.parametrize("name", POINTS)


@every
def test_pure_and_plain(name):
    """Same input, same answer; nothing is written to; the state can be saved and indexed."""
    strategy = strategies.create(name)
    residuals, times = recorded(6)
    clock, row = torch.tensor(times), torch.tensor(residuals[0])
    state = play(strategy, residuals, times, strategy.init(N, M, block()))[1]
    before = copy.deepcopy((state, row))
    first, again = (strategy.update(row, state, clock) for _ in range(2))
    factors = strategy.factors(first, clock)
    for key, value in first.items():
        if isinstance(value, torch.Tensor):
            assert len(value) == N and torch.equal(value, again[key])
            assert torch.equal(state[key], before[0][key]) and not value.requires_grad
        else:
            assert value == again[key] and state[key] == before[0][key]
            assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert torch.equal(row, before[1])
    assert (factors >= 0).all() and factors.isfinite().all()


@every
def test_permuted_points_get_permuted_factors(name):
    strategy = strategies.create(name)
    residuals, times = recorded(7)
    order = np.random.default_rng(0).permutation(N)
    start = strategy.init(N, M, block())
    moved = {k: v[order] if isinstance(v, torch.Tensor) else v for k, v in start.items()}
    got, _ = play(strategy, residuals, times, start)
    other, _ = play(strategy, residuals[:, order], times[order], moved)
    assert strategy.permutation_equivariant
    np.testing.assert_allclose(other, got[:, order], rtol=1e-12)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_factors_stay_finite_whatever_comes(name, dtype):
    strategy = strategies.create(name)
    rng = np.random.default_rng(1)
    times, state = torch.tensor(rng.uniform(-1, 3, 6)), strategy.init(6, 2, block(dtype=dtype))
    for step in range(200):
        top = 1e15 if dtype == torch.float32 else 1e150
        row = rng.choice(EXTREME, (6, 2)) if step % 3 else np.zeros((6, 2))
        state = strategy.update(torch.tensor(np.minimum(row, top), dtype=dtype), state, times)
        factors = strategy.factors(state, times)
        assert factors.isfinite().all() and (factors >= 0).all()


@every
def test_newcomers_start_at_the_mean(name):
    strategy = strategies.create(name)
    residuals, times = recorded(8)
    _, state = play(strategy, residuals, times, strategy.init(N, M, block()))
    joined = strategy.newcomers(4, state)
    assert set(joined) == {k for k, v in state.items() if isinstance(v, torch.Tensor)}
    if strategy.keyed:
        mean = state["lambdas"].mean(dim=0).expand(4, M)
        assert torch.equal(joined.pop("lambdas"), mean)
    assert all(len(v) == 4 and not v.any() for v in joined.values())


@every
def test_declarations_and_refusal_by_the_class_of_terms(name):
    strategy = strategies.create(name)
    assert strategy.name == name and strategy.moves == "points" and not strategy.needs
    with pytest.raises((FrozenInstanceError, AttributeError)):
        strategy.name = "other"
    with pytest.raises(ValueError, match=f"`strategy`.*got '{name}', which weighs points"):
        AdaptiveLossWeights(["a"], {"a": 1.0}, name)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rba", {"gamma": 1.0}, r"`options.gamma` must be a finite number in \[0, 1\), got 1"),
        ("rba", {"eta": 0}, "`options.eta` must be a finite number > 0"),
        ("rba", {"start": "one"}, "`options.start` must be one of residual, zero"),
        ("rba", {"conditions": 1}, "`options.conditions` must be true or false, got 1"),
        ("sa_pinn", {"rate": -1}, "`options.rate` must be"),
        ("sa_pinn", {"ascent": "sgd"}, "`options.ascent` must be one of adam, gradient"),
        ("sa_pinn", {"beta1": 1}, "`options.beta1` must be"),
        ("sa_pinn", {"seed": 0.5}, "`options.seed` must be a whole number"),
        ("sa_pinn", {"gamma": 0.9}, r"got 'gamma' \(an option of rba\)"),
        ("brdr", {"decay": 1.0}, r"`options.decay` must be a finite number in \[0, 1\), got 1"),
        ("brdr", {"kept": -0.1}, r"`options.kept` must be a finite number in \[0, 1\), got -0.1"),
        ("brdr", {"floor": 0}, "`options.floor` must be a finite number > 0"),
        ("brdr", {"conditions": "no"}, "`options.conditions` must be true or false"),
        ("brdr", {"steps": 5}, r"got 'steps' \(an option of brdr_terms, capu, gradnorm"),
        ("causal", {"epsilons": [1, 1]}, "`options.epsilons` must be a list of positive numbers"),
        ("causal", {"epsilons": []}, "`options.epsilons` must be a list"),
        ("causal", {"epsilons": 1.0}, "`options.epsilons` must be a list"),
        ("causal", {"epsilons": [0.0, 1]}, "`options.epsilons` must be a finite number > 0"),
        ("causal", {"chunks": 1}, "`options.chunks` must be a whole number >= 2"),
        ("causal", {"threshold": 1}, "`options.threshold` must be"),
    ],
)
def test_bad_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        strategies.create(name, options)
