"""Messages by continuous-filter convolutions: cheap, as edges only scale what nodes send."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP
from torch_geometric.nn.models.schnet import CFConv

from pinn_ext.checks import check_number
from pinn_ext.networks.graph_networks.graph_states import GraphStates

_FILTERS = 8  # numbers that say all of an edge


class Convolutions(nn.Module):
    """Continuous-filter convolutions `sum_j W(e_ij) * x_j`, each with an update of the nodes.

    The filter of an edge is a linear map of a few numbers that a small network makes of the edge's
    relative position and length, the same ones in all layers. Schuett et al. 2017, arXiv
    1706.08566, equation 2, without the cutoff, as a graph has an end anyway.

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
        self.edges = MLP([dimension + 1, width, _FILTERS], act="silu", norm=None)
        self.convolutions = nn.ModuleList(
            CFConv(width, width, width, nn.Linear(_FILTERS, width), math.inf) for _ in range(layers)
        )
        self.updates = nn.ModuleList(
            MLP([2 * width, width, width], act="silu", norm=None) for _ in range(layers)
        )

    def forward(self, nodes: Tensor, batch: GraphStates) -> Tensor:
        """Return the features of nodes `[N, width]` after all messages.

        Args:
            nodes: features `[N, width]`.
            batch: their graph.
        """
        edges, near = self.edges(batch.edge_attr), batch.edge_attr.new_zeros(len(batch.edge_attr))
        for convolution, update in zip(self.convolutions, self.updates, strict=True):
            received = convolution(nodes, batch.edge_index, near, edges)
            nodes = nodes + update(torch.cat((nodes, received), dim=1))
        return nodes
