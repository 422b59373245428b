"""Graphs that know what their weights were made for, and how to renumber and cut them.

Weights belong to positions and edges: a graph that was flipped, scaled, cut or numbered anew after
they were made has wrong derivatives. The graphs made here carry a fingerprint of all three, that
`GraphOperators.from_graph` looks at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Tensor
from torch_geometric.data import Data

__all__ = ["OperatorGraph", "changes", "reorder", "seal", "subgraph"]

_KEY = "operator_fingerprint"
_PARTS = ("positions", "edges", "weights")
_EDGE_KEYS = ("edge_laplacian", "edge_gradient")
_FLUX_KEYS = ("flux_normal", "flux_laplacian", "flux_gradient")


class OperatorGraph(Data):
    """A torch-geometric graph whose `node_order` is raised in a batch, as `edge_index` is."""

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        """By how much a batch raises an attribute from one graph to the next."""
        if key == "node_order":
            return self.num_nodes
        return super().__inc__(key, value, *args, **kwargs)


def seal(graph: Data) -> Data:
    """Say that a graph is meant as it is: set its fingerprint, in place.

    For graphs changed on purpose, and for graphs made by hand that go into a batch with others, as
    torch-geometric wants the same attributes in all of them.

    Args:
        graph: One graph with positions, edges and weights, not a batch.

    Returns:
        The same, with `operator_fingerprint` [1, 4]: its number of nodes, and hashes of positions,
        edges and weights. Numbers count as rounded to float32, so that a change of float type keeps
        them, and edges in any order.

    Raises:
        ValueError: If the graph is a batch.

    Example:
        >>> from solvers.operators import GraphOperators, grid_graph
        >>> graph = grid_graph([8], [0.0], [1.0])
        >>> graph.edge_laplacian = 2 * graph.edge_laplacian  # on purpose: twice the diffusion
        >>> d = GraphOperators.from_graph(seal(graph))  # no warning
    """
    _refuse_batch(graph)
    size = torch.tensor([graph.num_nodes], device=graph.pos.device)
    graph[_KEY] = _fingerprint(graph, size)
    return graph


def changes(graph: Any) -> list[str]:
    """What of a graph, or of a batch, has changed since its weights were made.

    Args:
        graph: Graph with checked positions, edges and weights.

    Returns:
        Some of "positions", "edges" and "weights"; nothing for a graph without a fingerprint.
    """
    if _KEY not in graph:
        return []
    given = graph[_KEY]
    # The graphs' own sizes, not `batch`, say where each begins: batches of batches keep them.
    size = given[:, 0]
    if int(size.sum()) != len(graph.pos):
        return list(_PARTS)
    differ = (_fingerprint(graph, size) != given).any(0).tolist()
    return [part for part, other in zip(_PARTS, differ[1:], strict=True) if other]


def reorder(graph: Data) -> Data:
    """Renumber the nodes of a graph so that neighbours lie close together in memory.

    Reverse Cuthill-McKee ordering (George, 1971). Steps on large graphs of scattered points take a
    third to a half of the time; regular grids are well ordered as they are.

    Args:
        graph: Graph of one of the functions of this package, not a batch.

    Returns:
        Graph with the same attributes in the new order, and `node_order` [N]: node k was node
        `node_order[k]`, so `new = old[node_order]` and `old[node_order] = new` for node fields,
        in a batch of such graphs too.

    Raises:
        ValueError: If the graph is a batch.

    Example:
        >>> from solvers.operators import grid_graph
        >>> graph = reorder(grid_graph([6], [0.0], [6.0]))
        >>> (graph.pos[:, 0] == graph.node_order).all().item()
        True
    """
    _refuse_batch(graph)
    n = graph.num_nodes
    source, target = graph.edge_index.cpu().numpy()
    matrix = csr_matrix((np.ones(len(source), dtype=np.int8), (target, source)), (n, n))
    order = torch.from_numpy(reverse_cuthill_mckee(matrix + matrix.T, True).astype(np.int64))
    order = order.to(graph.edge_index.device)
    place = torch.empty_like(order)
    place[order] = torch.arange(n, device=order.device)
    result = graph.clone()
    for key, value in graph.items():
        if key in ("edge_index", "flux_index"):
            result[key] = place[value]
        elif _is_of_nodes(graph, key):
            result[key] = value[order]
    # A node's own edges in the order of memory, too.
    by_target = torch.argsort(result.edge_index[1] * n + result.edge_index[0])
    result.edge_index = result.edge_index[:, by_target]
    for key, value in graph.items():
        if _is_of_edges(graph, key):
            result[key] = value[by_target]
    result.node_order = order
    return _sealed_as(graph, result)


def subgraph(graph: Data, nodes: Tensor) -> Data:
    """Cut some nodes out of a graph; those that lose a neighbour become Dirichlet nodes.

    The derivatives at all others stay as they are, to the last bit. At the cut the values have to
    be given, as those of the whole graph, say.

    Args:
        graph: Graph of one of the functions of this package, not a batch.
        nodes: [N] bool, the nodes to keep, or their numbers, each once, in the new order.

    Returns:
        Graph of these nodes alone, with the same attributes but `node_order`.

    Raises:
        ValueError: If the graph is a batch, or `nodes` is misshapen, out of range, empty or names
            a node twice.

    Example:
        >>> from solvers.operators import grid_graph
        >>> part = subgraph(grid_graph([6], [0.0], [6.0]), torch.arange(4))
        >>> part.boundary_mask.tolist(), part.edge_laplacian.count_nonzero().item()
        ([True, False, False, True], 4)
    """
    _refuse_batch(graph)
    n = graph.num_nodes
    kept = _numbers(nodes, n).to(graph.edge_index.device)
    place = torch.full((n,), -1, device=kept.device)
    place[kept] = torch.arange(len(kept), device=kept.device)
    source, target = place[graph.edge_index]
    weighty = (graph.edge_laplacian != 0) | (graph.edge_gradient != 0).any(1)
    lost = graph.boundary_mask.clone()
    lost[graph.edge_index[1][(source < 0) & weighty]] = True
    inside = (source >= 0) & (target >= 0)
    result = graph.clone()
    if "node_order" in result:
        del result["node_order"]  # it numbers nodes that may be gone
    for key, value in graph.items():
        if key in _EDGE_KEYS:
            result[key] = value[inside]
            result[key][lost[graph.edge_index[1][inside]]] = 0.0
        elif key == "edge_index":
            result[key] = torch.stack([source, target])[:, inside]
        elif key != "node_order" and _is_of_nodes(graph, key):
            result[key] = value[kept]
        elif _is_of_edges(graph, key):
            result[key] = value[inside]
    result.boundary_mask = lost[kept]
    if "flux_index" in graph:
        at, to = graph.flux_index
        used = (place[at] >= 0) & (place[to] >= 0) & ~lost[to] & ~lost[at]
        result.flux_index = place[graph.flux_index[:, used]]
        for key in _FLUX_KEYS:
            result[key] = graph[key][used]
    return _sealed_as(graph, result)


def _is_of_nodes(graph: Data, key: str) -> bool:
    """Whether an attribute has a row for each node; boundary fluxes may be as many by chance."""
    return not _is_apart(key) and bool(graph.is_node_attr(key))


def _is_of_edges(graph: Data, key: str) -> bool:
    """Whether an attribute, other than the numbers of their ends, has a row for each edge."""
    return not _is_apart(key) and key != "edge_index" and bool(graph.is_edge_attr(key))


def _is_apart(key: str) -> bool:
    return key == _KEY or key.startswith("flux_")


def _numbers(nodes: Tensor, num_nodes: int) -> Tensor:
    """Numbers of the nodes to keep."""
    if nodes.dtype == torch.bool and nodes.shape == (num_nodes,):
        nodes = nodes.nonzero().flatten()
    whole = not (nodes.is_floating_point() or nodes.dtype == torch.bool)
    good = nodes.ndim == 1 and whole and nodes.numel() > 0
    good = good and int(nodes.min()) >= 0 and int(nodes.max()) < num_nodes
    if not good or len(nodes.unique()) != len(nodes):
        raise ValueError(
            f"`nodes` must be bool of shape [{num_nodes}] or node numbers in [0, {num_nodes}), "
            f"each once and at least one, got {nodes.dtype} of shape {list(nodes.shape)}."
        )
    return nodes.long()


def _refuse_batch(graph: Data) -> None:
    if getattr(graph, "batch", None) is not None:
        raise ValueError("`graph` must be one graph, got a batch: take each graph alone.")


def _sealed_as(old: Data, new: Data) -> Data:
    """Give a graph its fingerprint where the one that it was made of has the right one."""
    return seal(new) if _KEY in old and not changes(old) else new


def _fingerprint(graph: Any, size: Tensor) -> Tensor:
    """Numbers of nodes and hashes [B, 4] of graphs one after the other, given their sizes [B]."""
    owner = torch.repeat_interleave(size)
    place = torch.arange(len(owner), device=owner.device) - (size.cumsum(0) - size)[owner]
    source, target = graph.edge_index
    nodes = _mixed(place, graph.pos)
    edges = _mixed(place[source] * 1_000_003 + place[target] + owner[source] - owner[target])
    weights = _mixed(edges, torch.cat([graph.edge_laplacian[:, None], graph.edge_gradient], 1))
    # Sums of whole numbers wrap around, and are the same in any order and on any device.
    zero = torch.zeros_like(size)
    sums = [zero.index_add(0, owner, nodes)]
    sums += [zero.index_add(0, owner[target], part) for part in (edges, weights)]
    return torch.stack([size, *sums], 1)


def _mixed(keys: Tensor, values: Tensor | None = None) -> Tensor:
    """Hashes [n] of keys [n] and numbers [n, k], by the rounds of splitmix64 (Steele, 2014)."""
    columns: list[Tensor] = []
    keys = keys + 0x2545F4914F6CDD1D  # zero would stay zero
    if values is not None:
        single = values.detach().to(torch.float32)
        # Tiny numbers may or may not be flushed to zero, which has a sign.
        single = torch.where(single.abs() < torch.finfo(torch.float32).tiny, 0.0, single)
        columns = list(single.contiguous().view(torch.int32).long().unbind(1))
    for column in (torch.zeros_like(keys), *columns):
        keys = (keys ^ column) * -7046029254386353131
        keys = (keys ^ (keys >> 30)) * -4658895280553007687
        keys = (keys ^ (keys >> 27)) * -7723592293110705685
        keys = keys ^ (keys >> 31)
    return keys
