"""A manager of two terms, and losses for it."""

import pytest

from pinn_ext import AdaptiveLossWeights

FOUR = ["ema", "equal_init", "equal_init_ema", "fixed"]  # the suite of strategies has the rest
NAMES = ["a", "b"]


def manager(strategy="equal_init", start=(1.0, 1.0), names=NAMES, **options):
    return AdaptiveLossWeights(names, dict(zip(names, start, strict=True)), strategy, **options)


def feed(weights, epoch, *losses):
    return list(weights.update(epoch, dict(zip(weights.loss_names, losses, strict=True))).values())


def near(*values):
    return pytest.approx([float(value) for value in values], rel=1e-12)
