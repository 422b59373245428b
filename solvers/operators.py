"""Laplacian and gradient on a graph.

An operator is a set of weights on the graph's directed edges j -> i,

    (L u)_i = sum_j w_ij (u_j - u_i),    (du/dx_a)_i = sum_j g_ija (u_j - u_i),

so that constants lie in its kernel by construction and graphs batch as torch-geometric does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch_geometric.data import Data

from ._grids import grid_problem, grid_tensors

__all__ = ["GraphOperators", "grid_graph"]

_KEYS = ("pos", "edge_index", "edge_laplacian", "edge_gradient", "boundary_mask", "operator_order")


def grid_graph(
    shape: Sequence[int],
    lower: Sequence[float],
    upper: Sequence[float],
    *,
    boundary: str = "periodic",
    dtype: torch.dtype = torch.float64,
) -> Data:
    """Build a regular grid with second-order central differences on its edges.

    Nodes are numbered row by row (last axis fastest). Edges lead both ways between neighbours.
    Those into a Dirichlet boundary node have weight zero (derivatives there read 0); they are
    kept so that the graph stays undirected. Weights: LeVeque, Finite Difference Methods (2007),
    eqs. (1.3) and (1.13).

    Args:
        shape: Nodes per axis, 1 to 3 axes, at least 3 nodes each.
        lower: Lower end of each axis, in units of length.
        upper: Upper end of each axis; a node if Dirichlet, the image of `lower` if periodic.
        boundary: "periodic" or "dirichlet", for all axes.
        dtype: Floating-point type of positions and weights.

    Returns:
        Graph with `pos` [n, d], `edge_index` [2, E] (source j, target i; sorted by target),
        `edge_laplacian` [E] (1 / length^2), `edge_gradient` [E, d] (1 / length), `boundary_mask`
        [n] (bool) and the int `operator_order` = 2.

    Raises:
        ValueError: If an argument is out of range or the lengths differ.

    Example:
        >>> graph = grid_graph([4], [0.0], [4.0])
        >>> graph.edge_index[:, :2].tolist(), graph.edge_laplacian[:2].tolist()
        ([[3, 1], [0, 0]], [1.0, 1.0])
    """
    if problem := grid_problem(shape, lower, upper, boundary, dtype):
        raise ValueError(problem)
    tensors = grid_tensors(shape, lower, upper, periodic=boundary == "periodic", dtype=dtype)
    return Data(**tensors, operator_order=2)


@dataclass(frozen=True, eq=False)
class GraphOperators:
    """Laplacian and gradient of node fields, as a table of neighbours per node (ELLPACK).

    Build it by `from_graph`. Padding entries point at the node itself with weight zero, and
    entries are summed in order, so a batch gives the numbers of each graph alone, bit for bit.

    Attributes:
        neighbours: [k, N] int64, k the largest number of neighbours.
        weights: [k, N] Laplacian weights, in 1 / length^2.
        gradient_weights: [d, k, N], in 1 / length.
        pos: [N, d] node positions.
        boundary_mask: [N] bool, True at nodes whose values come from boundary data.
        order: Order of accuracy (the lowest of a batch).

    Example:
        >>> d = GraphOperators.from_graph(grid_graph([4], [0.0], [3.0], boundary="dirichlet"))
        >>> d.laplacian(d.pos[:, 0] ** 2).tolist(), d.gradient(d.pos[:, 0] ** 2)[0].tolist()
        ([0.0, 2.0, 2.0, 0.0], [0.0, 2.0, 4.0, 0.0])
    """

    neighbours: Tensor
    weights: Tensor
    gradient_weights: Tensor
    pos: Tensor
    boundary_mask: Tensor
    order: int

    @classmethod
    def from_graph(cls, graph: Data) -> GraphOperators:
        """Build the operators of a graph or of a batch of graphs.

        Args:
            graph: torch-geometric Data or Batch with the attributes that `grid_graph` sets.

        Returns:
            Operators on the device and in the dtype of the graph's weights.

        Raises:
            ValueError: If an attribute is missing or misshapen, or an edge is out of range or
                a self loop.
        """
        if missing := [key for key in _KEYS if key not in graph]:
            raise ValueError(f"`graph` must have {', '.join(_KEYS)}, got no {', '.join(missing)}.")
        edge_index, pos = graph.edge_index, graph.pos
        if problem := _edge_problem(edge_index, graph.edge_laplacian, graph.edge_gradient, pos):
            raise ValueError(problem)
        source, target = edge_index
        w, g = graph.edge_laplacian, graph.edge_gradient
        num_nodes, dimension = pos.shape
        if bool((target[1:] < target[:-1]).any()):
            target, by_target = torch.sort(target, stable=True)
            source, w, g = source[by_target], w[by_target], g[by_target]
        degree = torch.bincount(target, minlength=num_nodes)
        # One slot at least, so that a graph without edges needs no case of its own.
        width = max(1, int(degree.max()))
        first = degree.cumsum(0) - degree
        slot = torch.arange(target.numel(), device=target.device) - first[target]
        cell = slot * num_nodes + target
        neighbours = torch.arange(num_nodes, device=target.device).repeat(width)
        order = graph.operator_order
        return cls(
            neighbours=neighbours.index_copy(0, cell, source).view(width, num_nodes),
            weights=w.new_zeros(width * num_nodes).index_copy(0, cell, w).view(width, num_nodes),
            gradient_weights=g.new_zeros(dimension, width * num_nodes)
            .index_copy(1, cell, g.t())
            .view(dimension, width, num_nodes),
            pos=pos,
            boundary_mask=graph.boundary_mask,
            # torch-geometric batches a plain int as one tensor entry per graph.
            order=int(order.min()) if isinstance(order, Tensor) else int(order),
        )

    @property
    def num_nodes(self) -> int:
        """Number of nodes N."""
        return self.pos.shape[0]

    @property
    def dimension(self) -> int:
        """Number of space dimensions d."""
        return self.pos.shape[1]

    def laplacian(self, field: Tensor) -> Tensor:
        """Laplacian of a field.

        Args:
            field: [N], in the dtype of the operators.

        Returns:
            [N], in units of the field / length^2; 0 at Dirichlet boundary nodes.
        """
        return _sum_slots(self.weights * self._differences(field))

    def gradient(self, field: Tensor) -> tuple[Tensor, ...]:
        """Gradient of a field.

        Args:
            field: [N], in the dtype of the operators.

        Returns:
            d tensors [N], in units of the field / length; 0 at Dirichlet boundary nodes.
        """
        differences = self._differences(field)
        return tuple(_sum_slots(weights * differences) for weights in self.gradient_weights)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> GraphOperators:
        """Copy to a device and a floating-point type; indices and mask keep their type.

        Args:
            device: Target device; None keeps it.
            dtype: Type of weights and positions; None keeps it.

        Returns:
            New operators, sharing whatever did not change.

        Raises:
            ValueError: If `dtype` is not a floating-point type.
        """
        if dtype is not None and not dtype.is_floating_point:
            raise ValueError(f"`dtype` must be a floating-point type, got {dtype}.")

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype if tensor.is_floating_point() else None)

        return replace(
            self,
            neighbours=move(self.neighbours),
            weights=move(self.weights),
            gradient_weights=move(self.gradient_weights),
            pos=move(self.pos),
            boundary_mask=move(self.boundary_mask),
        )

    def _differences(self, field: Tensor) -> Tensor:
        if field.shape != self.pos.shape[:1]:
            raise ValueError(
                f"`field` must have shape [{self.num_nodes}], got {list(field.shape)}."
            )
        if field.dtype != self.weights.dtype:
            raise ValueError(
                f"`field` must be {self.weights.dtype} like the operators (see `to`), "
                f"got {field.dtype}."
            )
        # index_select: its backward (index_add) is much faster than that of advanced indexing.
        return field.index_select(0, self.neighbours.flatten()).view_as(self.weights) - field


def _sum_slots(products: Tensor) -> Tensor:
    # Not `sum(0)`: its order of additions may depend on the number of slots, hence on the batch.
    total, *rest = products.unbind(0)
    for product in rest:
        total = total + product
    return total


def _edge_problem(
    edge_index: Tensor, laplacian: Tensor, gradient: Tensor, pos: Tensor
) -> str | None:
    if edge_index.ndim != 2 or edge_index.shape[0] != 2 or pos.ndim != 2 or not pos.shape[0]:
        return (
            "`edge_index` must have shape [2, E] and `pos` [N, d] with N > 0, "
            f"got {list(edge_index.shape)} and {list(pos.shape)}."
        )
    (num_nodes, dimension), num_edges = pos.shape, edge_index.shape[1]
    if laplacian.shape != (num_edges,) or gradient.shape != (num_edges, dimension):
        return (
            f"`edge_laplacian` must have shape [{num_edges}] and `edge_gradient` "
            f"[{num_edges}, {dimension}], got {list(laplacian.shape)} and {list(gradient.shape)}."
        )
    if num_edges:
        low, high = (int(end) for end in edge_index.aminmax())
        if low < 0 or high >= num_nodes:
            return f"`edge_index` must lie in [0, {num_nodes}), got {low} to {high}."
    if loops := int((edge_index[0] == edge_index[1]).sum()):
        return f"`edge_index` must have no self loops, got {loops}."
    return None
