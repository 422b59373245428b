"""Gradient descent on a short list of numbers that a method learns beside the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pinn_ext.strategies._base import State

OPTIMIZERS = ("adam", "sgd")
_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8  # of Kingma and Ba 2015, algorithm 1


def fresh(values: Sequence[float]) -> State:
    """Return the state of an optimiser before its first step.

    Args:
        values: where it starts `[k]`.

    Returns:
        Plain numbers and lists: `values`, both moments of Adam and the number of steps.
    """
    zeros = [0.0] * len(values)
    return {"values": list(values), "first": zeros, "second": zeros, "steps": 0}


def minimize(
    gradient: Callable[[list[float]], list[float]],
    state: State,
    optimizer: str,
    learning_rate: float,
    steps: int,
    bound: float = math.inf,
) -> State:
    """Make some steps of Adam or of plain gradient descent.

    Args:
        gradient: maps values `[k]` to the gradient there `[k]`, whose squares must be finite.
        state: what `fresh` or this function returned; it is not written to.
        optimizer: one of `OPTIMIZERS`.
        learning_rate: length of a step; for Adam in the units of the values.
        steps: how many.
        bound: largest absolute value of a number; larger ones are put back to it.

    Returns:
        The state after them.
    """
    values, first, second = state["values"], state["first"], state["second"]
    done = state["steps"]
    for step in range(done + 1, done + steps + 1):
        slopes = gradient(values)
        if optimizer == "adam":
            first = [_BETA1 * m + (1 - _BETA1) * g for m, g in zip(first, slopes, strict=True)]
            second = [
                _BETA2 * v + (1 - _BETA2) * g * g for v, g in zip(second, slopes, strict=True)
            ]
            mean, spread = 1 - _BETA1**step, 1 - _BETA2**step
            slopes = [
                m / mean / (math.sqrt(v / spread) + _EPS)
                for m, v in zip(first, second, strict=True)
            ]
        values = [
            min(max(x - learning_rate * slope, -bound), bound)
            for x, slope in zip(values, slopes, strict=True)
        ]
    return {"values": values, "first": first, "second": second, "steps": done + steps}
