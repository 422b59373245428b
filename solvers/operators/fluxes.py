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

    Entries that add to one node stand in different rounds, so that each round is one addition a
    node: the sums have one order, on an accelerator too.

    Attributes:
        nodes: [m] int64, the boundary node of each given slope.
        normals: [m, d] outward unit normals.
        point: [F] int64, which slope an entry takes, in [0, m).
        target: [F] int64, the node it adds to.
        laplacian: [F] weights, in 1 / length.
        gradient: [F, d], dimensionless.
        rounds: Numbers of entries, of sum F, of rounds in which no node stands twice; one if empty.

    Example:
        >>> from solvers.operators import GraphOperators, grid_graph
        >>> d = GraphOperators.from_graph(grid_graph([5], [0.0], [1.0], boundary="neumann"))
        >>> square = d.pos[:, 0] ** 2  # its slope outwards is 0 at one end, 2 at the other
        >>> d.laplacian(square).tolist()  # unless said otherwise, it is 0 at both
        [2.0, 2.0, 2.0, 2.0, -22.0]
        >>> d.fluxes.to_laplacian(d.laplacian(square), 2.0 * d.pos[d.fluxes.nodes, 0]).tolist()
        [2.0, 2.0, 2.0, 2.0, 2.0]
        >>> d.fluxes.to_gradient(d.gradient(square), 2.0 * d.pos[d.fluxes.nodes, 0])[0].tolist()
        [0.0, 0.5, 1.0, 1.5, 2.0]
    """

    nodes: Tensor
    normals: Tensor
    point: Tensor
    target: Tensor
    laplacian: Tensor
    gradient: Tensor
    rounds: tuple[int, ...] = ()

    def to_laplacian(self, laplacian: Tensor, slopes: Tensor) -> Tensor:
        """Add given slopes [m] to a Laplacian [N]."""
        return self._added(laplacian, self.laplacian * slopes[self.point])

    def to_gradient(self, gradient: Sequence[Tensor], slopes: Tensor) -> tuple[Tensor, ...]:
        """Add given slopes [m] to the components [N] of a gradient."""
        return tuple(
            self._added(part, weights * slopes[self.point])
            for part, weights in zip(gradient, self.gradient.unbind(1), strict=True)
        )

    def _added(self, field: Tensor, values: Tensor) -> Tensor:
        rounds = list(self.rounds) or [len(self.target)]
        for target, part in zip(self.target.split(rounds), values.split(rounds), strict=True):
            field = field.index_add(0, target, part)
        return field


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
    order, rounds = _rounds(target)
    at, target = at[order], target[order]
    # One slope per node and normal, however many stencils take it.
    normals = graph.flux_normal[order]
    where = torch.cat([at[:, None].to(torch.float64), normals.to(torch.float64)], 1)
    which, point = torch.unique(where, dim=0, return_inverse=True)
    first = torch.full((len(which),), len(point), device=point.device)
    first = first.scatter_reduce(0, point, torch.arange(len(point), device=point.device), "amin")
    return Fluxes(
        at[first],
        normals[first],
        point,
        target,
        graph.flux_laplacian[order],
        graph.flux_gradient[order],
        rounds,
    )


def _rounds(target: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    # Entry k of each node goes into round k; the order of a node's entries stays.
    ordered, by_target = torch.sort(target, stable=True)
    place = torch.arange(len(target), device=target.device)
    place = place - torch.searchsorted(ordered, ordered)
    place = torch.empty_like(place).index_copy(0, by_target, place)
    return torch.sort(place, stable=True)[1], tuple(torch.bincount(place).tolist())
