"""Regular grids: positions, edges and second-order weights as plain tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

BOUNDARIES = ("periodic", "dirichlet")


def grid_problem(
    shape: Sequence[int],
    lower: Sequence[float],
    upper: Sequence[float],
    boundary: str,
    dtype: torch.dtype,
) -> str | None:
    """Say what is wrong with a grid, or None; the caller raises."""
    if boundary not in BOUNDARIES:
        return f"`boundary` must be one of {', '.join(BOUNDARIES)}, got {boundary!r}."
    if not dtype.is_floating_point:
        return f"`dtype` must be a floating-point type, got {dtype}."
    if not 1 <= len(shape) <= 3:
        return f"`shape` must name 1 to 3 axes, got {len(shape)}."
    if not len(shape) == len(lower) == len(upper):
        return (
            "`shape`, `lower` and `upper` must have one entry per axis, "
            f"got {len(shape)}, {len(lower)} and {len(upper)}."
        )
    for axis, (n, low, high) in enumerate(zip(shape, lower, upper, strict=True)):
        if int(n) != n or n < 3:
            return f"`shape` must be whole numbers of at least 3 nodes, got {n} on axis {axis}."
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            return f"`lower` must be finite and below `upper`, got {low}, {high} on axis {axis}."
    return None


def grid_tensors(
    shape: Sequence[int],
    lower: Sequence[float],
    upper: Sequence[float],
    *,
    periodic: bool,
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    """Attributes of the graph of a checked grid, see `solvers.operators.grid_graph`."""
    double = torch.float64
    ids = torch.arange(math.prod(shape)).reshape(tuple(shape))
    boundary = torch.zeros_like(ids, dtype=torch.bool)
    axes, sources, present, laplacian, gradient = [], [], [], [], []
    for axis, (n, low, high) in enumerate(zip(shape, lower, upper, strict=True)):
        spacing = (high - low) / (n if periodic else n - 1)
        axes.append(low + spacing * torch.arange(n, dtype=double))
        if not periodic:
            axes[-1][-1] = high
            boundary.transpose(0, axis)[[0, -1]] = True
        for side in (-1, 1):
            inside = torch.ones_like(boundary)
            if not periodic:
                inside.transpose(0, axis)[-1 if side > 0 else 0] = False
            sources.append(ids.roll(-side, axis).flatten())
            present.append(inside.flatten())
            laplacian.append(1.0 / spacing**2)
            gradient.append([side / (2.0 * spacing) if a == axis else 0.0 for a in range(ids.ndim)])
    # Node by node, so that edges come out sorted by target.
    keep = torch.stack(present, 1)
    target, slot = keep.nonzero(as_tuple=True)
    active = (~boundary.flatten()[target]).to(double)
    return {
        "pos": torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2).to(dtype),
        "edge_index": torch.stack([torch.stack(sources, 1)[keep], target]),
        "edge_laplacian": (active * torch.tensor(laplacian, dtype=double)[slot]).to(dtype),
        "edge_gradient": (active[:, None] * torch.tensor(gradient, dtype=double)[slot]).to(dtype),
        "boundary_mask": boundary.flatten(),
    }
