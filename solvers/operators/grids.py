"""Regular grids: positions, edges and weights as plain tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .stencils import ORDERS, SIDES, Line, fewest_nodes, line

Boundary = str | Sequence[str | Sequence[str]]


def sides_of(boundary: Boundary, axes: int) -> list[tuple[str, str]]:
    """What the two sides of each axis are, from the forms that a user may write.

    Args:
        boundary: One word for all, or per axis a word or a pair of words.
        axes: Number of axes.

    Returns:
        A pair of words per axis.

    Raises:
        ValueError: If there is an unknown word, a wrong number of them, or one periodic side only.

    Example:
        >>> sides_of(["periodic", ("dirichlet", "neumann")], 2)
        [('periodic', 'periodic'), ('dirichlet', 'neumann')]
    """
    if not isinstance(boundary, Iterable):
        raise ValueError(f"`boundary` must be one of {', '.join(SIDES)}, got {boundary!r}.")
    per_axis = [boundary] * axes if isinstance(boundary, str) else list(boundary)
    if len(per_axis) != axes:
        raise ValueError(f"`boundary` must have one entry per axis, {axes}, got {len(per_axis)}.")
    result = []
    for axis, entry in enumerate(per_axis):
        pair = (entry, entry) if isinstance(entry, str) else tuple(entry)
        for side in pair:
            if side not in SIDES:
                raise ValueError(f"`boundary` must be one of {', '.join(SIDES)}, got {side!r}.")
        if len(pair) != 2 or (pair[0] == "periodic") != (pair[1] == "periodic"):
            raise ValueError(
                "`boundary` must name two sides of an axis, both periodic or neither, "
                f"got {pair} on axis {axis}."
            )
        result.append((pair[0], pair[1]))
    return result


def grid_problem(
    shape: Sequence[int],
    lower: Sequence[float],
    upper: Sequence[float],
    sides: Sequence[tuple[str, str]],
    order: int,
    dtype: torch.dtype,
) -> str | None:
    """Say what is wrong with a grid, or None; the caller raises."""
    if order not in ORDERS:
        return f"`order` must be one of {', '.join(map(str, ORDERS))}, got {order!r}."
    if dtype not in (torch.float32, torch.float64):
        return f"`dtype` must be a floating-point type (float32 or float64), got {dtype}."
    for axis, (n, low, high) in enumerate(zip(shape, lower, upper, strict=True)):
        fewest = fewest_nodes(order, sides[axis])
        if int(n) != n or n < fewest:
            return (
                f"`shape` must be whole numbers of at least {fewest} nodes for order {order} and "
                f"{sides[axis][0]} sides, got {n} on axis {axis}."
            )
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            return f"`lower` must be finite and below `upper`, got {low}, {high} on axis {axis}."
        # Python's floats raise nothing here: too long an axis is infinite, too short one 0.
        spacing = (float(high) - float(low)) / (n if sides[axis][0] == "periodic" else n - 1)
        limits, square = torch.finfo(dtype), spacing * spacing
        if not 1.0 / limits.max < square / 64.0 or not square * 64.0 < 1.0 / limits.tiny:
            return (
                f"`upper` must lie so far from `lower` that 1 / spacing^2 is a {dtype}, got a "
                f"spacing of {spacing:.1e} on axis {axis}: choose other units of length."
            )
        if spacing <= 2.0 * limits.eps * max(abs(low), abs(high)):
            return (
                f"`lower` and `upper` must be so near to 0 that nodes differ in {dtype}, got a "
                f"spacing of {spacing:.1e} beside {max(abs(low), abs(high)):.1e} on axis {axis}."
            )
    return None


def lengths_problem(
    shape: Sequence[int], lower: Sequence[float], upper: Sequence[float]
) -> str | None:
    """Say what is wrong with the number of axes, or None; the caller raises."""
    for name, own in (("shape", shape), ("lower", lower), ("upper", upper)):
        if not isinstance(own, Sequence):
            return f"`{name}` must hold one entry per axis, got {own!r}."
    if not 1 <= len(shape) <= 3:
        return f"`shape` must name 1 to 3 axes, got {len(shape)}."
    if not len(shape) == len(lower) == len(upper):
        return (
            "`shape`, `lower` and `upper` must have one entry per axis, "
            f"got {len(shape)}, {len(lower)} and {len(upper)}."
        )
    return None


def grid_tensors(
    shape: Sequence[int],
    lower: Sequence[float],
    upper: Sequence[float],
    sides: Sequence[tuple[str, str]],
    order: int,
) -> dict[str, Tensor]:
    """Attributes of the graph of a checked grid in float64, see `solvers.operators.grid_graph`."""
    shape = tuple(int(n) for n in shape)
    ids = np.arange(math.prod(shape)).reshape(shape)
    given = np.zeros(shape, dtype=bool)
    axes, edges, slopes = [], [], []
    for axis, (n, low, high) in enumerate(zip(shape, lower, upper, strict=True)):
        periodic = sides[axis][0] == "periodic"
        spacing = (high - low) / (n if periodic else n - 1)
        axes.append(low + spacing * np.arange(n))
        if not periodic:
            axes[-1][-1] = high
        for side in (0, 1):
            if sides[axis][side] == "dirichlet":
                np.moveaxis(given, axis, 0)[-side] = True
        along = line(n, order, sides[axis])
        edges.append(_edges_along(axis, ids, along, spacing))
        slopes.append(_slopes_along(axis, ids, along, spacing))
    source, target, second, first = (np.concatenate(part) for part in zip(*edges, strict=True))
    by_target = np.argsort(target, kind="stable")  # each node's edges in the order of the axes
    source, target, second, first = (a[by_target] for a in (source, target, second, first))
    given = given.ravel()
    active = ~given[target]
    at, to, flux2, flux1, normal = (np.concatenate(part) for part in zip(*slopes, strict=True))
    # Where another side gives the values, neither a rate nor a slope is asked for.
    used = ~given[to] & ~given[at]
    return {
        "pos": torch.from_numpy(
            np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, ids.ndim)
        ),
        "edge_index": torch.from_numpy(np.stack([source, target])),
        "edge_laplacian": torch.from_numpy(second * active),
        "edge_gradient": torch.from_numpy(first * active[:, None]),
        "boundary_mask": torch.from_numpy(given),
        "flux_index": torch.from_numpy(np.stack([at, to])[:, used]),
        "flux_normal": torch.from_numpy(normal[used]),
        "flux_laplacian": torch.from_numpy(flux2[used]),
        "flux_gradient": torch.from_numpy(flux1[used]),
    }


def _edges_along(axis: int, ids: np.ndarray, along: Line, spacing: float) -> tuple[Any, ...]:
    """Source [E], target [E], Laplacian [E] and gradient [E, d] of one axis, on all its lines."""
    across = np.moveaxis(ids, axis, 0).reshape(ids.shape[axis], -1)
    lines, direction = across.shape[1], np.eye(ids.ndim)[axis]
    return (
        across[along.source].ravel(),
        across[along.target].ravel(),
        np.repeat(along.second / spacing**2, lines),
        np.repeat(along.first / spacing, lines)[:, None] * direction,
    )


def _slopes_along(axis: int, ids: np.ndarray, along: Line, spacing: float) -> tuple[Any, ...]:
    """Where slopes are given [B], what they act on [B], by how much, and the outward normals."""
    n = ids.shape[axis]
    across = np.moveaxis(ids, axis, 0).reshape(n, -1)
    lines, direction = across.shape[1], np.eye(ids.ndim)[axis]
    # The user gives the derivative along the outward normal.
    outwards = np.where(along.side == 0, -1.0, 1.0)
    return (
        across[along.side * (n - 1)].ravel(),
        across[along.slope_target].ravel(),
        np.repeat(outwards * along.slope_second / spacing, lines),
        np.repeat(outwards * along.slope_first, lines)[:, None] * direction,
        np.repeat(outwards, lines)[:, None] * direction,
    )
