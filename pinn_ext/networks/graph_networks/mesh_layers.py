"""Messages of MeshGraphNets: edges have features of their own, which change with each message."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP, LayerNorm, MetaLayer
from torch_geometric.utils import scatter

from pinn_ext.checks import check_number
from pinn_ext.networks.graph_networks.graph_states import GraphStates


class MeshLayers(nn.Module):
    """Message passing with features of edges (Pfaff et al. 2021, arXiv 2010.03409, section 3.2).

    `e' = e + MLP(x_source, x_target, e)`, `x' = x + MLP(x, sum of e')`, each through a layer norm
    over the features of a node, or an edge.

    Args:
        dimension: of space.
        width: of the features.
        layers: how often messages pass.

    Raises:
        ArgumentError: if a number is out of range.
    """

    def __init__(self, dimension: int, width: int, layers: int) -> None:
        super().__init__()
        check_number("layers", layers, 1, integer=True)
        self.edges = MLP([dimension + 1, width, width], act="silu", norm=None)
        self.layers = nn.ModuleList(MetaLayer(_Edges(width), _Nodes(width)) for _ in range(layers))

    def forward(self, nodes: Tensor, batch: GraphStates) -> Tensor:
        """Return the features of nodes `[N, width]` after all messages.

        Args:
            nodes: features `[N, width]`.
            batch: their graph.
        """
        edges = self.edges(batch.edge_attr)
        for layer in self.layers:
            nodes, edges, _ = layer(nodes, batch.edge_index, edges)
        return nodes


class _Edges(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.update = MLP([3 * width, width, width], act="silu", norm=None)
        self.norm = LayerNorm(width, mode="node")

    def forward(
        self, source: Tensor, target: Tensor, edges: Tensor, _: Tensor | None, __: Tensor | None
    ) -> Tensor:
        """Return the features of edges `[E, width]` after a message."""
        return edges + self.norm(self.update(torch.cat((source, target, edges), dim=1)))


class _Nodes(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.update = MLP([2 * width, width, width], act="silu", norm=None)
        self.norm = LayerNorm(width, mode="node")

    def forward(
        self, nodes: Tensor, edge_index: Tensor, edges: Tensor, _: Tensor | None, __: Tensor | None
    ) -> Tensor:
        """Return the features of nodes `[N, width]` after a message."""
        received = scatter(edges, edge_index[1], dim=0, dim_size=len(nodes), reduce="sum")
        return nodes + self.norm(self.update(torch.cat((nodes, received), dim=1)))
