"""Gradient descent on a few numbers that a method learns beside the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pinn_ext.strategies.base.terms import State

OPTIMIZERS = ("adam", "sgd")
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # of Kingma and Ba 2015, algorithm 1

Slope = Callable[[float], float]


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
    slopes: Sequence[Slope],
    state: State,
    optimizer: str,
    learning_rate: float,
    steps: int,
    bound: float = math.inf,
) -> State:
    """Make some steps on a sum of functions of one number each.

    Args:
        slopes: derivative of each function `[k]`; its square must be finite.
        state: what `fresh` or this function returned; it is not written to.
        optimizer: one of `OPTIMIZERS`: Adam or plain gradient descent.
        learning_rate: length of a step; for Adam in the units of the values.
        steps: how many.
        bound: largest absolute value of a number; larger ones are put back to it.

    Returns:
        The state after them.
    """
    done = state["steps"]
    rows = zip(slopes, state["values"], state["first"], state["second"], strict=True)
    if optimizer == "sgd":
        values = [_descend(slope, x, learning_rate, steps, bound) for slope, x, _, _ in rows]
        return {**state, "values": values, "steps": done + steps}
    counts = range(done + 1, done + steps + 1)
    corrections = [(1.0 - BETA1**n, 1.0 - BETA2**n) for n in counts]
    columns = [_adam(*row, learning_rate, corrections, bound) for row in rows]
    values, first, second = map(list, zip(*columns, strict=True))
    return {"values": values, "first": first, "second": second, "steps": done + steps}


def _descend(slope: Slope, x: float, rate: float, steps: int, bound: float) -> float:
    for _ in range(steps):
        x = min(max(x - rate * slope(x), -bound), bound)
    return x


def _adam(
    slope: Slope,
    x: float,
    m: float,
    v: float,
    rate: float,
    corrections: Sequence[tuple[float, float]],
    bound: float,
) -> tuple[float, float, float]:
    """Return the value and both moments after a step for each pair of bias corrections.

    One number after the other, as lists of a few numbers cost more than their arithmetic.
    """
    sqrt = math.sqrt
    for first, second in corrections:
        g = slope(x)
        m = BETA1 * m + (1.0 - BETA1) * g
        v = BETA2 * v + (1.0 - BETA2) * g * g
        x -= rate * (m / first) / (sqrt(v / second) + EPS)
        if not -bound <= x <= bound:
            x = min(max(x, -bound), bound)
    return x, m, v
