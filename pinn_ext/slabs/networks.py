"""The networks of all slabs as one network over all times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from pinn_ext.networks import FieldNetwork
from pinn_ext.networks.saved_parameters import check_parameters
from pinn_ext.slabs.start import SlabStart
from pinn_ext.slabs.system import SlabSystem, slab_of, until
from pinn_ext.systems import System

State = Mapping[str, Tensor]
"""Of a network, by the names of its parameters and buffers."""


class SlabNetworks(nn.Module):
    """Networks `(x, t) -> (u, v)` of slabs that follow one another, as one of all their times.

    A time at which two slabs meet belongs to the former. Before the first time the first network
    answers, after the last the last one, untrained.

    Args:
        networks: of the slabs in time, each with the clock of its slab.
        begins: times at which the slabs start.
        system: the system over all of their times.

    Attributes:
        networks: as given.
        system: as given.
    """

    def __init__(
        self, networks: Sequence[FieldNetwork], begins: Sequence[float], system: System
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.system, self._begins = system, list(begins)

    @property
    def centre(self) -> Tensor:
        """A tensor in the float type and place of the networks."""
        return next(self.networks[0].buffers())

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the fields `[N, 2]` at positions and times `[N, dimension + 1]`."""
        times = inputs[:, -1].detach()
        ends = times.new_tensor(self._begins[1:])
        numbers = torch.searchsorted(ends, times.contiguous())
        fields = inputs.new_zeros(len(inputs), 2)
        for number, network in enumerate(self.networks):
            rows = (numbers == number).nonzero().flatten()
            if len(rows):
                own = inputs[rows]
                shift = own.new_zeros(own.shape[1])
                shift[-1] = self._begins[number]
                fields = fields.index_copy(0, rows, network(own - shift))
        return fields


def build_networks(
    whole: System,
    count: int,
    states: Sequence[State],
    build: Callable[[SlabSystem], FieldNetwork],
) -> SlabNetworks:
    """Return the networks of slabs from their parameters, each with the end of the former as start.

    Args:
        whole: the system over all times.
        count: how many slabs its time interval is divided into.
        states: of the networks of the first slabs, all of them or fewer.
        build: returns the network of a slab, with any parameters.

    Returns:
        The networks in evaluation mode, without gradients, in the float type of the last state: a
        slab may be interrupted before the phase that the others have ended in.
    """
    networks: list[FieldNetwork] = []
    begins: list[float] = []
    start: SlabStart | None = None
    for number, state in enumerate(states, start=1):
        start = SlabStart(networks[-1], start) if networks else None
        slab = slab_of(whole, number, count, start)
        networks.append(with_state(build(slab), state))
        begins.append(slab.begin)
    found = SlabNetworks(networks, begins, until(whole, len(states), count))
    return found.to(states[-1]["centre"].dtype).eval()


def with_state(network: FieldNetwork, state: State) -> FieldNetwork:
    """Return a network that has been given a state, in its float type, not to be trained further.

    Args:
        network: changed in place.
        state: of one like it.

    Raises:
        OtherNetwork: if it is of another one.
    """
    check_parameters(network, state)
    network.to(state["centre"].dtype).load_state_dict(dict(state))
    return network.eval().requires_grad_(False)


def stacked(states: Sequence[State]) -> dict[str, Tensor]:
    """Return the states of like networks as one, each tensor with an axis in front, on the CPU."""
    return {key: torch.stack([state[key].cpu() for state in states]) for key in states[0]}


def unstacked(states: State) -> list[dict[str, Tensor]]:
    """Return the states that `stacked` was given."""
    count = len(next(iter(states.values())))
    return [{key: value[number] for key, value in states.items()} for number in range(count)]
