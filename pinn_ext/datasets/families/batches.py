"""Batches of the problems of a data set: what they share is built once, not once a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families.batch import FamilyBatch
from pinn_ext.datasets.families.graphs import FamilyGraphs
from pinn_ext.datasets.families.on_disk import FamilyGraphsOnDisk
from solvers.devices import on_cpu
from solvers.operators import GraphOperators

_TOGETHER = 32  # graphs whose rates are looked at in one batch


class _Nodes(NamedTuple):
    """What batches of as many graphs share where all have the same nodes."""

    operators: GraphOperators
    edge_index: Tensor
    edge_attr: Tensor
    owner: Tensor


class FamilyBatches:
    """Problems of one data set as batches, in the float type of a training and on its device.

    Where all problems have the same nodes, operators are built once for each number of graphs in a
    batch; its values are those of `FamilyBatch.from_graphs`, bit for bit on the CPU. Problems with
    nodes of their own are gathered anew for each batch, and those on disk read.

    Args:
        graphs: the problems.
        step: length h of the Runge-Kutta step.
        device: where the batches are to lie.
        dtype: floating-point type; None takes torch's default.

    Attributes:
        lowest: smallest value of each field at the start of any problem `[2]`.
        highest: largest value `[2]`.
        fastest: largest rate of change of each field at the start, by size `[2]`.

    Example:
        >>> from pinn_ext.losses.families_from_config import family_of
        >>> from pinn_ext.schema import Config
        >>> cfg = Config()
        >>> cfg.dataset.name, cfg.dataset.nodes_per_side = "family", 6
        >>> batches = FamilyBatches(FamilyGraphs(None, family_of(cfg), count=4), step=0.01)
        >>> batch = batches.batch([3, 0], torch.tensor([0.1, 0.2]))
        >>> batch.numbers.tolist(), len(batch.x)
        ([3, 0], 72)
        >>> batches.everything(torch.full((4,), 0.1)).x.shape
        torch.Size([144, 2])
        >>> states = torch.ones(2, 36, 2)
        >>> len(batches.of_states(states, torch.zeros(2, 1), torch.zeros(2)).x)
        72
    """

    def __init__(
        self,
        graphs: FamilyGraphs | FamilyGraphsOnDisk,
        step: float,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        self.graphs, self.step = graphs, step
        self.device = torch.device(device)
        self.dtype = dtype or torch.get_default_dtype()
        self._nodes: dict[int, _Nodes] = {}
        with on_cpu():
            ends = [(graph.x.amin(dim=0), graph.x.amax(dim=0)) for graph in graphs]
        self.lowest = torch.stack([low for low, _ in ends]).amin(dim=0)
        self.highest = torch.stack([high for _, high in ends]).amax(dim=0)
        self._held: tuple[Tensor, Tensor] | None = None
        if graphs.nodes is not None and isinstance(graphs, FamilyGraphs):
            self._held = self._starts(range(len(graphs)))
        self.fastest = self._fastest()

    def _starts(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return states `[G, n, 2]` and constants `[G, p]` of problems with the same nodes."""
        with on_cpu():
            chosen = [self.graphs[i] for i in numbers]
            states = torch.stack([graph.x for graph in chosen])
            parameters = torch.cat([graph.parameters for graph in chosen])
        return states.to(self.device, self.dtype), parameters.to(self.device, self.dtype)

    def _fastest(self) -> Tensor:
        largest = torch.zeros(2, device=self.device, dtype=self.dtype)
        for first in range(0, len(self), _TOGETHER):
            numbers = range(first, min(first + _TOGETHER, len(self)))
            batch = self.batch(numbers, torch.zeros(len(numbers), device="cpu"))
            largest = torch.maximum(largest, batch.rates.abs().amax(dim=0))
        self._nodes.clear()  # no batch of a training has as many graphs
        return largest

    def __len__(self) -> int:
        """Return the number of problems."""
        return len(self.graphs)

    def batch(self, numbers: Sequence[int], times: Tensor) -> FamilyBatch:
        """Gather problems into a batch.

        Args:
            numbers: of the problems, in their order in the batch.
            times: at which states are asked for, one a graph `[G]`.

        Returns:
            The batch.
        """
        if self.graphs.nodes is None:
            with on_cpu():
                chosen = [self.graphs[i] for i in numbers]
            return FamilyBatch.from_graphs(
                chosen, self.graphs.family, times, self.step, self.device, self.dtype
            )
        places = torch.tensor(list(numbers), device="cpu").to(self.device)
        if self._held is None:
            states, parameters = self._starts(numbers)
        else:
            states, parameters = (kept[places] for kept in self._held)
        return self._made(states, parameters, times, places)

    def of_states(self, states: Tensor, parameters: Tensor, times: Tensor) -> FamilyBatch:
        """Gather states that are no problem's into a batch, where all problems share their nodes.

        Args:
            states: `[G, n, 2]`.
            parameters: `[G, p]`.
            times: `[G]`.

        Returns:
            The batch, its problems numbered from 0.

        Raises:
            ArgumentError: if each problem has its own nodes.
        """
        if self.graphs.nodes is None:
            raise ArgumentError("graphs", "share their nodes", "problems with nodes of their own")
        numbers = torch.arange(len(states), device=self.device)
        states, parameters = (v.to(self.device, self.dtype) for v in (states, parameters))
        return self._made(states, parameters, times, numbers)

    def _made(
        self, states: Tensor, parameters: Tensor, times: Tensor, numbers: Tensor
    ) -> FamilyBatch:
        nodes = self._shared(len(numbers))
        return FamilyBatch.made(
            self.graphs.family,
            nodes.operators,
            nodes.edge_index,
            nodes.edge_attr,
            nodes.owner,
            states.flatten(0, 1),
            parameters,
            times.to(self.device, self.dtype),
            self.step,
            numbers,
        )

    def everything(self, times: Tensor) -> FamilyBatch:
        """Return all problems as one batch."""
        return self.batch(range(len(self)), times)

    def _shared(self, count: int) -> _Nodes:
        if count not in self._nodes:
            with on_cpu():
                batch = Batch.from_data_list([self.graphs.nodes] * count)
                operators = GraphOperators.from_graph(batch, check=False)
            self._nodes[count] = _Nodes(
                operators.to(self.device, self.dtype),
                batch.edge_index.to(self.device),
                batch.edge_attr.to(self.device, self.dtype),
                batch.batch.to(self.device),
            )
        return self._nodes[count]


def references(graphs: FamilyGraphs) -> Tensor:
    """Return the reference trajectories of a data set, node by node.

    Args:
        graphs: of validation or test.

    Returns:
        `[N, steps + 1, 2]`, of all problems one after the other.

    Raises:
        ArgumentError: if there are none, or they have another length than the family says.

    Example:
        >>> from pinn_ext.losses.families_from_config import family_of
        >>> from pinn_ext.schema import Config
        >>> cfg = Config()
        >>> cfg.dataset.name, cfg.dataset.nodes_per_side, cfg.dataset.family.steps = "family", 4, 2
        >>> graphs = FamilyGraphs(None, family_of(cfg), "test", count=1)
        >>> references(graphs).shape  # 16 nodes, the start and two steps, u and v
        torch.Size([16, 3, 2])
    """
    every = [graphs[i] for i in range(len(graphs))]
    if any(getattr(graph, "y", None) is None for graph in every):
        raise ArgumentError("graphs", "have reference trajectories", f"those of {graphs.split}")
    wanted = graphs.family.steps + 1
    lengths = {graph.y.shape[1] for graph in every}
    if lengths != {wanted}:
        got = ", ".join(map(str, sorted(lengths)))
        raise ArgumentError("graphs", f"have trajectories of {wanted} states", got)
    return torch.cat([graph.y for graph in every])
