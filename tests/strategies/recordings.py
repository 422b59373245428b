"""Recorded trainings, made up: what strategies see epoch after epoch, and the way to feed it."""

from typing import NamedTuple

import numpy as np
import torch

from pinn_ext import AdaptiveLossWeights, strategies
from pinn_ext.strategies import Gradients, Statistics

SIZES = (6, 2, 3, 1)  # of the tensors of a network with two layers
MATRICES = (True, False, True, False)


class Seen(NamedTuple):
    """One epoch of `k` terms.

    Attributes:
        losses: `[k]`.
        gradients: of each loss by all parameters `[k, 12]`.
        ntk: trace of the neural tangent kernel per point `[k]`.
    """

    losses: np.ndarray
    gradients: np.ndarray
    ntk: np.ndarray


class Recording(NamedTuple):
    """Epochs, and what does not change: sizes of the fields `[k]`, which terms are conditions."""

    epochs: list[Seen]
    scales: np.ndarray
    conditions: np.ndarray

    @property
    def names(self):
        return [f"term_{i}" for i in range(len(self.scales))]

    @property
    def losses(self):
        return np.array([seen.losses for seen in self.epochs])


def record(seed, epochs, terms):
    """Return losses, gradients and traces that wander over several orders of magnitude."""
    rng = np.random.default_rng(seed)

    def wander(spread):
        start = 10.0 ** rng.uniform(-4, 2, terms)
        return start * np.exp(spread * rng.standard_normal((epochs, terms)))

    losses, sizes, traces = wander(0.5), wander(0.5), wander(0.5)
    gradients = rng.standard_normal((epochs, terms, sum(SIZES)))
    rows = [Seen(losses[t], gradients[t] * sizes[t][:, None], traces[t]) for t in range(epochs)]
    scales = 10.0 ** rng.uniform(-2, 2, terms)
    return Recording(rows, scales, rng.random(terms) < 0.5)


def sums_over(gradients):
    """Return the `Gradients` of vectors `[k, 12]`."""
    parts = np.split(np.asarray(gradients, dtype=float), np.cumsum(SIZES)[:-1], axis=1)

    def each(function):
        return [[float(function(part[i])) for part in parts] for i in range(len(gradients))]

    return Gradients(
        each(np.sum),
        each(lambda g: np.sum(np.abs(g))),
        each(lambda g: np.sum(g * g)),
        each(lambda g: np.max(np.abs(g))),
        SIZES,
        MATRICES,
        torch.tensor(np.asarray(gradients, dtype=float)),
    )


def managed(recording, name, start, **settings):
    """Return a manager of the recorded terms without any limit on its weights."""
    free = {"min_weight": 1e-200, "max_weight": 1e200, "eps": 1e-8}
    return AdaptiveLossWeights(
        recording.names,
        dict(zip(recording.names, start, strict=True)),
        name,
        field_scales=dict(zip(recording.names, recording.scales.tolist(), strict=True)),
        conditions=[n for n, c in zip(recording.names, recording.conditions, strict=True) if c],
        **{**free, **settings},
    )


def progress_at(update):
    """Return which part of the training is over at an update, as recordings are 25 epochs long."""
    return min(update / 25, 1.0)


def feed(manager, epoch, seen):
    """Show a manager one epoch; return the weights after it."""
    losses = dict(zip(manager.loss_names, seen.losses.tolist(), strict=True))
    weights = manager.update(
        epoch,
        losses,
        gradients=sums_over(seen.gradients),
        ntk=seen.ntk.tolist(),
        progress=progress_at(epoch),
    )
    return list(weights.values())


def play(recording, name, start, **settings):
    """Return a manager's weights after each epoch of a recording."""
    manager = managed(recording, name, start, **settings)
    return [feed(manager, t + 1, seen) for t, seen in enumerate(recording.epochs)]


def statistics(terms, weights=None, update=1):
    """Return the `Statistics` of terms `(loss, gradient [12], ntk, scale, condition)`."""
    losses, gradients, ntk, scales, conditions = zip(*terms, strict=True)
    return Statistics(
        list(losses),
        [1.0] * len(terms) if weights is None else weights,
        sums_over(np.array(gradients)),
        list(ntk),
        list(scales),
        list(conditions),
        update,
        progress_at(update),
    )


def term_strategies():
    """Return the names of the strategies that weigh terms, or nothing."""
    return strategies.term_names()
