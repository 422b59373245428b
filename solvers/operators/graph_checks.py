"""What is wrong with a graph, or not likely to be meant."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .graph_data import changes
from .neighbour_tables import Entries

REAL = (torch.float32, torch.float64)


class GraphWarning(UserWarning):
    """A graph is legal but unlikely to be meant.

    Example:
        >>> import warnings
        >>> from solvers.operators import GraphOperators, grid_graph
        >>> graph = grid_graph([8], [0.0], [1.0])
        >>> graph.pos = 2 * graph.pos
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     d = GraphOperators.from_graph(graph)
        >>> print(caught[0].message)
        The graph's positions changed after its weights were made, so that its derivatives may
        be wrong: make it again from the points as they are now, renumber or cut it by `reorder`
        or `subgraph` of solvers.operators, or `seal` it if you mean it.
    """


def edge_problem(
    edge_index: Tensor, laplacian: Tensor, gradient: Tensor, pos: Tensor
) -> str | None:
    """Say what is wrong with edges, their weights or positions, or None; the caller raises."""
    if edge_index.ndim != 2 or edge_index.shape[0] != 2 or pos.ndim != 2 or not pos.shape[0]:
        return (
            "`edge_index` must have shape [2, E] and `pos` [N, d] with N > 0, "
            f"got {list(edge_index.shape)} and {list(pos.shape)}."
        )
    if pos.dtype not in REAL:
        return f"`graph` must be float32 or float64, got {pos.dtype}."
    (num_nodes, dimension), num_edges = pos.shape, edge_index.shape[1]
    if laplacian.shape != (num_edges,) or gradient.shape != (num_edges, dimension):
        return (
            f"`edge_laplacian` must have shape [{num_edges}] and `edge_gradient` "
            f"[{num_edges}, {dimension}], got {list(laplacian.shape)} and {list(gradient.shape)}."
        )
    if not laplacian.dtype == gradient.dtype == pos.dtype:
        return (
            f"`edge_laplacian` and `edge_gradient` must be {pos.dtype} like `pos`, "
            f"got {laplacian.dtype} and {gradient.dtype}."
        )
    if num_edges:
        low, high = (int(end) for end in edge_index.aminmax())
        if low < 0 or high >= num_nodes:
            return f"`edge_index` must lie in [0, {num_nodes}), got {low} to {high}."
    if loops := int((edge_index[0] == edge_index[1]).sum()):
        return f"`edge_index` must have no self loops, got {loops}."
    parts = {"pos": pos, "edge_laplacian": laplacian, "edge_gradient": gradient}
    return finite_problem(parts)


def finite_problem(parts: Mapping[str, Tensor]) -> str | None:
    """Say which parts of a graph hold NaN or infinity, or None; the caller raises."""
    for key, values in parts.items():
        if bad := int((~values.isfinite()).sum()):
            return f"`{key}` must be finite, got {bad} of {values.numel()} numbers that are not."
    return None


def range_problem(parts: Mapping[str, Tensor], made: Mapping[str, Tensor]) -> str | None:
    """Say what a change of float type spoils of a graph, or None; the caller raises.

    Args:
        parts: Positions and weights in float64.
        made: The same in the type asked for.

    Returns:
        What is no longer finite, where weights underflow, or that points coincide.
    """
    dtype, target = made["pos"].dtype, made["edge_index"][1]
    advice = "choose other units of length or float64"
    if problem := finite_problem({k: v for k, v in made.items() if v.is_floating_point()}):
        return f"{problem[:-1]} in {dtype}: {advice}."
    largest = parts["edge_laplacian"].new_zeros(len(made["pos"]))
    largest = largest.scatter_reduce(0, target, parts["edge_laplacian"].abs(), "amax")
    free = ~made["boundary_mask"] & (torch.bincount(target, minlength=len(largest)) > 0)
    if lost := int((free & (largest < torch.finfo(dtype).tiny)).sum()):
        return f"`edge_laplacian` must not underflow in {dtype}, got {lost} such nodes: {advice}."
    if dtype != parts["pos"].dtype and (
        same := len(made["pos"]) - len(np.unique(made["pos"].numpy(), axis=0))
    ):
        return f"`points` must all be different in {dtype}, got {same} that are not: {advice}."
    return None


def mask_problem(mask: Tensor, num_nodes: int) -> str | None:
    """Say what is wrong with a mask of boundary nodes, or None; the caller raises."""
    if mask.dtype != torch.bool or mask.shape != (num_nodes,):
        return (
            f"`boundary_mask` must be bool of shape [{num_nodes}], got {mask.dtype} of shape "
            f"{list(mask.shape)}."
        )
    return None


def warn_of(edges: Entries, graph: Any) -> None:
    """Warn of a changed graph, of nodes without edges, of edges given twice and of pieces."""
    if changed := changes(graph):
        _warn(
            f"The graph's {' and '.join(changed)} changed after its weights were made, so that its "
            "derivatives may be wrong: make it again from the points as they are now, renumber or "
            "cut it by `reorder` or `subgraph` of solvers.operators, or `seal` it if you mean it."
        )
    n = edges.num_nodes
    if n == 1:
        return
    free = ~graph.boundary_mask
    alone = free & (torch.bincount(edges.target, minlength=n) == 0)
    if count := int(alone.sum()):
        first = int(alone.nonzero()[0])
        _warn(f"{count} nodes have no edges, the first is node {first}: derivatives there are 0.")
    matrix = sp.csr_matrix(
        (
            np.ones(edges.source.numel(), dtype=np.int8),
            (edges.target.cpu().numpy(), edges.source.cpu().numpy()),
        ),
        (n, n),
    )
    if twice := edges.source.numel() - matrix.nnz:
        _warn(f"{twice} edges are given twice: their weights add up.")
    # Pieces of fixed nodes only, such as the corners of a grid, are of no account.
    _, piece = sp.csgraph.connected_components(matrix, directed=False)
    graphs = graph.batch.cpu().numpy() if getattr(graph, "batch", None) is not None else 0 * piece
    used = free.cpu().numpy() & ~alone.cpu().numpy()
    pieces = len(np.unique(piece[used]))
    if pieces > len(np.unique(graphs[used])):
        _warn(f"The graph is in {pieces} pieces that know nothing of each other.")


def _warn(text: str) -> None:
    warnings.warn(text, GraphWarning, stacklevel=4)
