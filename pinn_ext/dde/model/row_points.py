"""Which points the rows of a loss term belong to, how they are told apart, and new ones."""

from __future__ import annotations

from typing import Any

import deepxde as dde
from torch import Tensor

from pinn_ext.dde.model.data_protocol import described
from pinn_ext.dde.model.field_scales import condition_names

_OF_PAIRS = (dde.icbc.PeriodicBC, dde.icbc.Interface2DBC)
FIXED_POINTS = ("uniform", "Hammersley", "Halton", "Sobol")
"""Distributions of DeepXDE whose points are the same at each draw."""


def blocks_of(data: Any, num_terms: int) -> list[tuple[list[int], bool]]:
    """Return which loss terms are measured at the same points.

    Args:
        data: of a model.
        num_terms: how many losses it returns.

    Returns:
        For each block its terms, and whether it is a condition. The equations are one block, those
        of a kind where the data says that there are kinds, and each condition is one. Data without
        an equation counts as one.
    """
    names = [str(i) for i in range(num_terms)]
    held = {int(name) for name in condition_names(data, names)}
    if len(held) == num_terms:  # nothing but data
        return [([i], False) for i in range(num_terms)]
    equations = [i for i in range(num_terms) if i not in held]
    groups = described(data).equation_blocks() or [equations]
    return [(group, False) for group in groups] + [([i], True) for i in sorted(held)]


def row_points(data: Any, term: int, num_terms: int, inputs: Any) -> Tensor | None:
    """Return the points that the rows of a loss term belong to.

    Args:
        data: of a model; of DeepXDE's `PDE`, or such that says it.
        term: index of the term.
        num_terms: how many losses it returns.
        inputs: of the network, as `data.losses_train` gets them.

    Returns:
        A point a row `[n, d]`, of a pair the first; None where that is not known.
    """
    own = described(data).row_points(term, inputs)
    if own is not None:
        return own
    if not isinstance(data, dde.data.PDE) or not isinstance(inputs, Tensor):
        return None
    ends = [sum(data.num_bcs[:i]) for i in range(len(data.num_bcs) + 1)]
    number = term - (num_terms - len(data.num_bcs))
    if number < 0:
        return inputs.detach()[ends[-1] :]
    points = inputs.detach()[ends[number] : ends[number + 1]]
    # A residual of these compares two points, of which all the first ones come first.
    return points[: len(points) // 2] if isinstance(data.bcs[number], _OF_PAIRS) else points


def time_span(data: Any) -> tuple[float, float] | None:
    """Return the first and last time of a time-dependent problem, whose last input is time.

    Args:
        data: of a model.

    Returns:
        The two times, None for a problem without time.
    """
    own = described(data).time_span()
    if own is not None:
        return own
    geometry = getattr(data, "geom", None)
    is_time = isinstance(geometry, dde.geometry.TimeDomain)  # of an ordinary equation
    domain = geometry if is_time else getattr(geometry, "timedomain", None)
    return None if domain is None else (float(domain.t0), float(domain.t1))


def draw_points(data: Any) -> None:
    """Draw new points inside, as `dde.callbacks.PDEPointResampler` does, and really new ones.

    DeepXDE keeps the values of conditions by the address of the points' array, which a new
    array may have too: points of conditions must stay the same.

    Args:
        data: with a method `resample_train_points`; one of `FIXED_POINTS` is drawn by "pseudo".
    """
    inside = {"bc_points": False} if isinstance(data, dde.data.PDE) else {}
    kind = getattr(data, "train_distribution", None)
    if kind in FIXED_POINTS:
        data.train_distribution = "pseudo"
    try:
        data.resample_train_points(**inside)
    finally:
        if kind in FIXED_POINTS:
            data.train_distribution = kind
