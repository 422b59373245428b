"""Networks of slabs that nobody has trained."""

import torch

from pinn_ext import systems
from pinn_ext.networks import FieldNetwork
from pinn_ext.slabs import slab_of


def network_on(system, seed=0, conditions="hard", dtype=torch.float64):
    """Return a small network of a system with biases other than 0."""
    network = FieldNetwork(system, [6], conditions=conditions, seed=seed, scales=(1.0, 2.0)).to(
        dtype
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator).to(dtype)
    return network.requires_grad_(False)


def states_of(name, count, conditions="hard", dtype=torch.float64):
    """Return a system and the states of networks for its slabs, all different."""
    whole = systems.create(name)
    networks = [
        network_on(slab_of(whole, number, count), number, conditions, dtype)
        for number in range(1, count + 1)
    ]
    return whole, [network.state_dict() for network in networks]


def positions(system, count=7, seed=3):
    low, high = (torch.tensor(end, dtype=torch.float64) for end in (system.lower, system.upper))
    draw = torch.rand(count, system.dimension, generator=torch.Generator().manual_seed(seed))
    return low + draw.double() * (high - low)
