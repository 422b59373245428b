"""Every strategy against a slow transcription of its formula, whole histories at once."""

import math

import numpy as np
import pytest

from pinn_ext import AdaptiveLossWeights, strategies

EPS = 1e-8


def slow_fixed(history, start, alpha, beta):
    """Return the initial weights at every epoch."""
    return [list(start) for _ in history]


def slow_equal_init(history, start, alpha, beta):
    """Return w_i = c / (L_i + eps), c = mean(w_initial) / mean(1 / (L_j + eps)), of epoch 1."""
    k = len(start)
    c = (sum(start) / k) / (sum(1 / (loss + EPS) for loss in history[0]) / k)
    return [[c / (loss + EPS) for loss in history[0]] for _ in history]


def slow_average(history, i, t, alpha):
    """Return m_i at epoch t + 1, summed out: the first loss and the weighted later ones."""
    total = alpha**t * history[0][i]
    for s in range(1, t + 1):
        total += (1 - alpha) * alpha ** (t - s) * history[s][i]
    return total


def slow_blend(history, start, alpha, beta, first):
    """Return w_i <- b w_i + (1 - b) / (m_i + eps), summed out, from epoch index `first` on."""
    answer = []
    for t in range(len(history)):
        row = []
        for i, weight in enumerate(start):
            total = beta ** (t - first + 1) * weight
            for s in range(first, t + 1):
                target = 1 / (slow_average(history, i, s, alpha) + EPS)
                total += (1 - beta) * beta ** (t - s) * target
            row.append(total)
        answer.append(row)
    return answer


def slow_ema(history, start, alpha, beta):
    """Return the blend of the inverse averages into the initial weights."""
    return slow_blend(history, start, alpha, beta, first=0)


def slow_equal_init_ema(history, start, alpha, beta):
    """Return equal_init at epoch 1, and the same blend from epoch 2 on."""
    equal = slow_equal_init(history, start, alpha, beta)[0]
    return [equal, *slow_blend(history, equal, alpha, beta, first=1)[1:]]


# One line joins a new strategy.
SLOW = {
    "fixed": slow_fixed,
    "equal_init": slow_equal_init,
    "equal_init_ema": slow_equal_init_ema,
    "ema": slow_ema,
}


def random_history(seed, epochs, terms):
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(-4, 2, terms)
    return (size * np.exp(0.5 * rng.standard_normal((epochs, terms)))).tolist()


def test_every_strategy_has_a_transcription():
    assert sorted(SLOW) == strategies.names()


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("seed", range(5))
def test_formula(name, seed):
    terms = 1 + seed
    rng = np.random.default_rng(100 + seed)
    alpha, beta = rng.uniform(0, 0.99, 2)
    start = (10.0 ** rng.uniform(-1, 2, terms)).tolist()
    history = random_history(seed, 25, terms)
    names = [f"term_{i}" for i in range(terms)]
    manager = AdaptiveLossWeights(
        names,
        dict(zip(names, start, strict=True)),
        name,
        ema_alpha=alpha,
        weight_beta=beta,
        min_weight=1e-12,
        max_weight=1e12,
    )
    expected = SLOW[name](history, start, alpha, beta)
    for t, losses in enumerate(history):
        got = manager.update(t + 1, dict(zip(names, losses, strict=True)))
        assert list(got.values()) == pytest.approx(expected[t], rel=1e-12), t


@pytest.mark.parametrize("name", ["ema", "equal_init_ema"])
def test_skipped_epochs_leave_no_trace(name):
    """With update_frequency n, the formula sees epochs 1, n, 2n, … and no other."""
    history = random_history(7, 12, 3)
    names = ["a", "b", "c"]
    manager = AdaptiveLossWeights(
        names, dict.fromkeys(names, 1.0), name, update_frequency=4, max_weight=1e12
    )
    for t, losses in enumerate(history):
        got = manager.update(t + 1, dict(zip(names, losses, strict=True)))
    seen = [history[t] for t in (0, 3, 7, 11)]
    expected = SLOW[name](seen, [1.0] * 3, 0.9, 0.9)[-1]
    assert list(got.values()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("max_ratio", [1.0, 9.0, 100.0])
@pytest.mark.parametrize("name", ["equal_init", "equal_init_ema", "ema"])
def test_cap_and_total_against_a_transcription(name, max_ratio):
    """Targets, ratio cap, scale to the same weighted sum, blend: step by step with numpy."""
    history = np.array(random_history(3, 15, 4))
    names = list("abcd")
    manager = AdaptiveLossWeights(
        names, dict.fromkeys(names, 2.0), name, normalization="total", max_ratio=max_ratio,
        min_weight=1e-12, max_weight=1e12,
    )  # fmt: skip
    weights, average = np.full(4, 2.0), history[0]
    for t, losses in enumerate(history):
        got = manager.update(t + 1, dict(zip(names, losses.tolist(), strict=True)))
        average = losses if t == 0 else 0.9 * average + 0.1 * losses
        if t == 0 or name != "equal_init":
            target = 1 / (average + EPS)
            centre = math.prod(target) ** (1 / 4)
            root = math.sqrt(max_ratio)
            target = np.clip(target, centre / root, centre * root)
            target *= (weights @ losses) / (target @ losses)
            replaces = t == 0 and name != "ema"
            weights = target if replaces else 0.9 * weights + 0.1 * target
        assert list(got.values()) == pytest.approx(weights.tolist(), rel=1e-12), t
