"""Which points the rows of a loss term belong to, and how they are told apart."""

from __future__ import annotations

from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.dde.model.field_scales import condition_names

_ODD = (-7046029254386353131, -4417276706812531889, 1609587929392839161)  # 64-bit mixing constants


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
    own = getattr(data, "equation_blocks", None)
    groups = [equations] if own is None else own()
    return [(group, False) for group in groups] + [([i], True) for i in sorted(held)]


def row_points(data: Any, term: int, num_terms: int, inputs: Any) -> Tensor | None:
    """Return the points that the rows of a loss term belong to.

    Args:
        data: of a model. Data of other kinds than DeepXDE's `PDE` may have a method
            `row_points(term, inputs)` that says it.
        term: index of the term.
        num_terms: how many losses it returns.
        inputs: of the network, as `data.losses_train` gets them.

    Returns:
        A point a row `[n, d]`, None where that is not known.
    """
    own = getattr(data, "row_points", None)
    if own is not None:
        return own(term, inputs)
    if not isinstance(data, dde.data.PDE) or not isinstance(inputs, Tensor):
        return None
    ends = [sum(data.num_bcs[:i]) for i in range(len(data.num_bcs) + 1)]
    number = term - (num_terms - len(data.num_bcs))
    if number < 0:
        return inputs.detach()[ends[-1] :]
    return inputs.detach()[ends[number] : ends[number + 1]]


def time_span(data: Any) -> tuple[float, float] | None:
    """Return the first and last time of a time-dependent problem, whose last input is time.

    Args:
        data: of a model.

    Returns:
        The two times, None for a problem without time.
    """
    own = getattr(data, "time_span", None)
    if own is not None:
        return own()
    domain = getattr(getattr(data, "geom", None), "timedomain", None)
    return None if domain is None else (float(domain.t0), float(domain.t1))


def keys_of(points: Tensor) -> Tensor:
    """Return a number for each point that no other point has, as far as 64 bits go.

    Args:
        points: coordinates `[n, d]`; of equal ones the first, the second, … are told apart.

    Returns:
        Whole numbers `[n]`, which depend on coordinates and their order among equals alone.
    """
    whole = torch.int64 if points.dtype == torch.float64 else torch.int32
    bits = (points.detach() + 0.0).contiguous().view(whole).long()  # -0 is 0
    keys = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for column in bits.unbind(dim=1):
        keys = (keys ^ (column * _ODD[0])) * _ODD[1]
        keys = keys ^ (keys >> 29)
    ordered, order = keys.sort(stable=True)
    repeat = torch.arange(len(keys), device=keys.device) - torch.searchsorted(ordered, ordered)
    if bool((repeat > 0).any()):
        keys = keys.index_put((order,), ordered + repeat * _ODD[2])
    return keys


def same_inputs(old: Any, new: Any) -> bool:
    """Return whether two batches, arrays, tuples of them or None, hold the same numbers."""
    if old is new:
        return True
    if old is None or new is None:
        return False
    if isinstance(old, (tuple, list)) or isinstance(new, (tuple, list)):
        return len(old) == len(new) and all(map(same_inputs, old, new))
    return old.shape == new.shape and bool((old == new).all())
