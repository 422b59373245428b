"""Networks that step the state of a problem on any graph: `network(batch, tau)` to `[N, 2]`.

In come the state at the start with its graph (`graph_states` says what of them is read) and a time
`tau` `[N]`; out comes the state that much later. `graph_stepper` has what both networks are made
of, open it first: encoder, decoder, and the hard conditions around them. What passes messages
between neighbours is `convolutions` (the network `gnn`) or `mesh_layers` (`mesh_graph_net`), layers
of torch-geometric. `create` builds one by its name.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinn_ext.checks import check_choice
from pinn_ext.choices import GRAPH_NETWORKS
from pinn_ext.networks.graph_networks.convolutions import Convolutions
from pinn_ext.networks.graph_networks.graph_states import GraphStates
from pinn_ext.networks.graph_networks.graph_stepper import GraphStepper, seeded
from pinn_ext.networks.graph_networks.mesh_layers import MeshLayers

__all__ = ["Convolutions", "GraphStates", "GraphStepper", "MeshLayers", "create"]

_PROCESSORS = dict(zip(GRAPH_NETWORKS, (Convolutions, MeshLayers), strict=True))


def create(
    name: str,
    dimension: int,
    centre: Sequence[float],
    scales: Sequence[float],
    horizon: float,
    *,
    parameters: int = 0,
    width: int = 32,
    layers: int = 4,
    seed: int = 0,
) -> GraphStepper:
    """Build a network that steps.

    Args:
        name: `"gnn"` or `"mesh_graph_net"`.
        dimension: of space.
        centre: usual value of u and of v.
        scales: size of u and of v.
        horizon: longest time of a step, the unit of time.
        parameters: number of constants that vary.
        width: of all hidden layers.
        layers: how often messages pass.
        seed: of the initial parameters.

    Returns:
        The network in torch's default float type, on its default device.

    Raises:
        ArgumentError: if there is no such network, or a number is out of range.

    >>> network = create("gnn", 2, (1.0, 2.0), (1.0, 2.0), 0.25, width=8, layers=1)
    >>> sum(p.numel() for p in network.parameters())
    924
    """
    processor = _PROCESSORS[check_choice("network", name, GRAPH_NETWORKS)]
    with seeded(seed):
        return GraphStepper(
            processor(dimension, width, layers),
            centre=centre,
            scales=scales,
            horizon=horizon,
            parameters=parameters,
            width=width,
        )
