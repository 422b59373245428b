"""Slopes given on a Neumann boundary, and what they add to the derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .graph_checks import finite_problem

_KEYS = ("flux_index", "flux_normal", "flux_laplacian", "flux_gradient")


@dataclass(frozen=True, eq=False)
class Fluxes:
    """Where slopes along the outward normal are given, and what they add to the derivatives.

    Attributes:
        nodes: [m] int64, the boundary node of each given slope.
        normals: [m, d] outward unit normals.
        point: [F] int64, which slope an entry takes, in [0, m).
        target: [F] int64, the node it adds to.
        laplacian: [F] weights, in 1 / length.
        gradient: [F, d], dimensionless.
    """

    nodes: Tensor
    normals: Tensor
    point: Tensor
    target: Tensor
    laplacian: Tensor
    gradient: Tensor

    def to_laplacian(self, laplacian: Tensor, slopes: Tensor) -> Tensor:
        """Add given slopes [m] to a Laplacian [N]."""
        return laplacian.index_add(0, self.target, self.laplacian * slopes[self.point])

    def to_gradient(self, gradient: Sequence[Tensor], slopes: Tensor) -> tuple[Tensor, ...]:
        """Add given slopes [m] to the components [N] of a gradient."""
        return tuple(
            part.index_add(0, self.target, weights * slopes[self.point])
            for part, weights in zip(gradient, self.gradient.unbind(1), strict=True)
        )


def fluxes_of(graph: Any) -> Fluxes | None:
    """The slopes that a graph or a batch has places for; None without any."""
    if any(key not in graph for key in _KEYS) or not graph.flux_index.shape[1]:
        return None
    if problem := finite_problem({key: graph[key] for key in _KEYS[1:]}):
        raise ValueError(problem)
    low, high = (int(end) for end in graph.flux_index.aminmax())
    if low < 0 or high >= len(graph.pos):
        raise ValueError(f"`flux_index` must lie in [0, {len(graph.pos)}), got {low} to {high}.")
    at, target = graph.flux_index
    # One slope per node and normal, however many stencils take it.
    where = torch.cat([at[:, None].to(torch.float64), graph.flux_normal.to(torch.float64)], 1)
    which, point = torch.unique(where, dim=0, return_inverse=True)
    first = torch.full((len(which),), len(point), device=point.device)
    first = first.scatter_reduce(0, point, torch.arange(len(point), device=point.device), "amin")
    return Fluxes(
        at[first],
        graph.flux_normal[first],
        point,
        target,
        graph.flux_laplacian,
        graph.flux_gradient,
    )
