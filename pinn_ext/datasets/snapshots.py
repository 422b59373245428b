"""Snapshot graphs of a system, and the batches that training draws from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset

from pinn_ext.checks import check_choice, check_number
from pinn_ext.choices import CONDITIONS
from pinn_ext.datasets.data_parts import data_parts, inputs_of
from pinn_ext.datasets.node_graphs import NodeGraph, node_graph
from pinn_ext.datasets.node_places import node_places
from pinn_ext.derivatives.precomputed import Precomputed
from pinn_ext.networks import FieldNetwork
from pinn_ext.networks.hard_conditions import ConditionValues
from pinn_ext.systems import System
from solvers.devices import on_cpu
from solvers.operators import GraphOperators

DATA_PART = ("data_part", "data_slope", "data_hessian")
"""Attributes of a graph with the data part of the constrained expression and its derivatives."""


class SnapshotGraphs(InMemoryDataset):
    """Graphs of one set of nodes in space, each at its own time.

    A graph carries `pos` `[n, dimension]`, the edges and weights of the operators, a
    `boundary_mask` `[n]`, its `time` `[1]`, the largest stable Runge-Kutta step there, and the
    reference fields `y` `[n, 2]` where they are known, which serve validation only. With
    `conditions="hard"` it also carries the data part of the constrained expression and its
    derivatives at the nodes.

    Args:
        system: gives domain, data and reference.
        num_graphs: how many snapshots.
        name: of the nodes, `"grid"`, `"cloud"`, `"triangulation"` or `"mesh"`, see
            `node_graphs.node_graph`.
        order: order of accuracy of the graph's derivatives: 2, 4 or, on a grid, 6.
        step: length h of the Runge-Kutta step; times are stratified over `[0, final_time - h]`.
        nodes_per_side: nodes along each axis, from which scattered nodes take their spacing;
            None takes the system's default, or the mesh as it is.
        conditions: of the networks that are going to be trained, `"hard"` or `"soft"`.
        seed: of the times.
        shared: the nodes' graph, if `node_graph` has built it for these arguments; None builds it.
            It is copied, not changed.

    Raises:
        ValueError: if an argument is out of range, or the system cannot have such a graph.

    Example:
        >>> from pinn_ext import systems
        >>> graphs = SnapshotGraphs(systems.create("brusselator"), num_graphs=4, nodes_per_side=5)
        >>> len(graphs), graphs[0].pos.shape, graphs[0].y.shape
        (4, torch.Size([25, 2]), torch.Size([25, 2]))
        >>> [round(float(graph.time), 2) for graph in graphs]  # one in each quarter
        [0.24, 0.42, 0.61, 0.97]
    """

    def __init__(
        self,
        system: System,
        num_graphs: int = 100,
        *,
        name: str = "grid",
        order: int = 2,
        step: float = 1e-2,
        nodes_per_side: int | None = None,
        conditions: str = "hard",
        seed: int = 0,
        shared: NodeGraph | None = None,
    ) -> None:
        super().__init__(root=None)
        check_number("num_graphs", num_graphs, 1, integer=True)
        check_choice("conditions", conditions, CONDITIONS)
        check_number("step", step, 0, system.final_time, open_low=True, open_high=True)
        if nodes_per_side is not None:
            check_number("nodes_per_side", nodes_per_side, 3, integer=True)
        self.system, self.step = system, step
        space = node_graph(system, name, nodes_per_side, order) if shared is None else shared
        with on_cpu():  # torch-geometric does not say where its slices are to lie
            self.data, self.slices = self.collate(self._graphs(space, num_graphs, conditions, seed))

    def _graphs(
        self, space: NodeGraph, num_graphs: int, conditions: str, seed: int
    ) -> list[NodeGraph]:
        """Return the graph of each time."""
        system = self.system
        times = stratified_times(num_graphs, system.final_time - self.step, seed)
        known = data_parts(system, space.pos, times) if conditions == "hard" else repeat(None)
        graphs = []
        for time, own in zip(times, known, strict=False):  # nothing is repeated without an end
            graph = space.clone()
            graph.time = time.reshape(1)
            if system.has_solution:
                graph.y = system.solution(space.pos, time.expand(len(space.pos)))
            if own is not None:
                for key, part in zip(DATA_PART, own, strict=True):
                    graph[key] = part
            graphs.append(graph)
        return graphs


def stratified_times(count: int, end: float, seed: int) -> Tensor:
    """Return one random time in each of `count` equal parts of `[0, end]`, increasing, float64.

    Args:
        count: number of times.
        end: end of the interval, dimensionless.
        seed: of the random numbers.

    Example:
        >>> times = stratified_times(4, 2.0, seed=0)
        >>> (times // 0.5).tolist()
        [0.0, 1.0, 2.0, 3.0]
    """
    generator = torch.Generator(device="cpu").manual_seed(seed)
    jitter = torch.rand(count, generator=generator, dtype=torch.float64, device="cpu")
    return (torch.arange(count, dtype=torch.float64, device="cpu") + jitter) / count * end


class Later(NamedTuple):
    """Inputs one Runge-Kutta step after those of a batch.

    Attributes:
        step: its length.
        inputs: positions and times `[N, dimension + 1]`.
        values: of the constrained expression there, None for soft conditions.
    """

    step: float
    inputs: Tensor
    values: ConditionValues | None


@dataclass(frozen=True)
class SnapshotBatch:
    """What one training step needs of a batch of snapshot graphs, on one device.

    Attributes:
        inputs: positions and times `[N, dimension + 1]`.
        operators: graph derivatives of the whole batch.
        grid: positions `[n, dimension]` of the nodes of one graph.
        stable_step: largest Runge-Kutta step without sub-steps.
        precomputed: data part of the constrained expression at the inputs, None for soft
            conditions.
        later: what is known of the inputs one step later, None if nothing is.
        kept: what others make of the operators once, for all batches that share them.

    Example:
        >>> from pinn_ext import systems
        >>> system = systems.create("coupled_burgers")
        >>> batch = SnapshotBatch.from_graphs(list(SnapshotGraphs(system, 3, nodes_per_side=8)))
        >>> batch.inputs.shape, batch.grid.shape  # x and t of three times eight nodes
        (torch.Size([24, 2]), torch.Size([8, 1]))
        >>> fields = batch.outputs(lambda inputs: inputs)  # or a `FieldNetwork`
        >>> len(batch.on_boundary(None, fields)[0]), [len(x) for x in batch.lower_sides()]
        (0, [3])
        >>> batch.initial.shape, len(batch.with_slopes()[0]), batch.graphs is batch
        (torch.Size([8, 1]), 0, True)
        >>> batch.later_outputs(lambda inputs: inputs, 0.25)[0] - batch.detached().inputs[0]
        tensor([0.0000, 0.2500])
    """

    inputs: Tensor
    operators: GraphOperators
    grid: Tensor
    stable_step: float
    precomputed: Precomputed | None = None
    later: Later | None = None
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_graphs(
        cls,
        graphs: Data | Batch | Sequence[Data],
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        operators: GraphOperators | None = None,
    ) -> SnapshotBatch:
        """Gather graphs into a batch.

        Args:
            graphs: a torch-geometric graph or batch, or a sequence of graphs, on any device.
            device: where the batch is to lie.
            dtype: floating-point type; None takes torch's default.
            operators: of an earlier batch of as many graphs of the same dataset, to be used again
                as they are; None builds them.

        Returns:
            The batch.

        Raises:
            ValueError: if the graphs are no snapshot graphs.
        """
        with on_cpu():  # what torch-geometric adds would lie on torch's default device
            if not isinstance(graphs, Data):
                graphs = Batch.from_data_list(list(graphs))
            return cls._from_graph(graphs, device, dtype, operators)

    @classmethod
    def _from_graph(
        cls,
        graphs: Data,
        device: torch.device | str,
        dtype: torch.dtype | None,
        operators: GraphOperators | None,
    ) -> SnapshotBatch:
        absent = [key for key in ("time", "stable_step") if key not in graphs]
        if absent:
            raise ValueError(f"`batch` must hold snapshot graphs, got graphs without {absent}.")
        dtype = dtype or torch.get_default_dtype()
        nodes = graphs.ptr[1] - graphs.ptr[0] if "ptr" in graphs else graphs.num_nodes
        owner = graphs.batch if "batch" in graphs and graphs.batch is not None else None
        times = graphs.time
        if owner is not None:  # a loader may have put it elsewhere than the graphs
            times = times[owner.to(times.device)]
        if operators is None:  # the graphs are our own: checking them would cost in every step
            operators = GraphOperators.from_graph(graphs, check=False).to(device, dtype)
        precomputed = None
        if DATA_PART[0] in graphs:
            precomputed = Precomputed(*(graphs[key] for key in DATA_PART)).to(device, dtype)
        return cls(
            inputs=inputs_of(graphs.pos, times).to(dtype).to(device),
            operators=operators,
            grid=graphs.pos[: int(nodes)].to(dtype).to(device),
            stable_step=float(graphs.stable_step.min()),
            precomputed=precomputed,
        )

    def outputs(self, network: Callable[..., Tensor]) -> Tensor:
        """Return a network's fields `[N, 2]` at the inputs, from `precomputed` if it can use it."""
        return outputs_of(network, self.inputs, self.precomputed)

    def later_outputs(self, network: Callable[..., Tensor], step: float) -> Tensor:
        """Return a network's fields `[N, 2]` at the same nodes, a step later."""
        later = self.later
        if later is not None and later.step == step:
            return outputs_of(network, later.inputs, later.values)
        return network(one_step_later(self.inputs, step))

    def answer(self, network: Callable[..., Tensor]) -> Tensor:
        """Do the same under the former name of `outputs`."""
        warnings.warn("answer() is now called outputs().", DeprecationWarning, stacklevel=2)
        return self.outputs(network)

    @property
    def known(self) -> Precomputed | None:
        """The former name of `precomputed`."""
        warnings.warn("known is now called precomputed.", DeprecationWarning, stacklevel=2)
        return self.precomputed

    @property
    def graphs(self) -> SnapshotBatch:
        """Where the Runge-Kutta step is taken: here."""
        return self

    @property
    def initial(self) -> Tensor:
        """Positions `[n, dimension]` where initial data is compared: each node once."""
        return self.grid

    def on_boundary(self, network: Callable[..., Tensor], outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the boundary nodes and times `[B, dimension + 1]` and the outputs `[B, 2]` there.

        Args:
            network: not called again.
            outputs: of the network at the inputs, `[N, 2]`.
        """
        places = node_places(self.operators).boundary
        return self.inputs.detach()[places], outputs[places]

    def with_slopes(self) -> tuple[Tensor, Tensor]:
        """Return nodes and times `[B, dimension + 1]` with given slopes, and the normals there.

        A node in the corner of two sides comes once for each; the normals are `[B, dimension]`.
        """
        at, fluxes = self.inputs.detach(), self.operators.fluxes
        if fluxes is None:
            return at[:0], at[:0, :-1]
        return at[fluxes.nodes], fluxes.normals

    def lower_sides(self) -> list[Tensor]:
        """Return, for each axis, the nodes `[B, dimension + 1]` that are lowest along it."""
        at = self.inputs.detach()
        return [at[places] for places in node_places(self.operators).lowest]

    def detached(self) -> SnapshotBatch:
        """Return the batch with fresh inputs, for a step that asks for their gradients."""
        return replace(self, inputs=self.inputs.detach().clone())


def outputs_of(
    network: Callable[..., Tensor],
    inputs: Tensor,
    precomputed: Precomputed | ConditionValues | None,
) -> Tensor:
    """Return a network's fields `[N, 2]` at inputs `[N, D]`, from `precomputed` if it can use it.

    Only a `FieldNetwork` can; it is the data part of the constrained expression there, or None.

    Example:
        >>> outputs_of(lambda inputs: 2 * inputs, torch.tensor([[0.5, 1.0]]), None).tolist()
        [[1.0, 2.0]]
    """
    if precomputed is not None and isinstance(network, FieldNetwork):
        return network(inputs, precomputed)
    return network(inputs)


def one_step_later(inputs: Tensor, step: float) -> Tensor:
    """Return positions and times `[N, D]` with times that are a step later, without gradients."""
    later = inputs.detach().clone()
    later[:, -1] += step
    return later


def epoch_order(num_graphs: int, batch_size: int, epoch: int, seed: int) -> list[list[int]]:
    """Return which graphs form the mini-batches of an epoch, each graph once.

    The order depends on nothing but the arguments, so that a resumed run sees the same batches.

    Args:
        num_graphs: number of graphs.
        batch_size: graphs in a batch; the last one may be smaller.
        epoch: number of the epoch, from 0.
        seed: of the shuffle.

    Returns:
        Lists of indices into the dataset.

    Example:
        >>> batches = epoch_order(5, 2, epoch=0, seed=0)
        >>> [len(batch) for batch in batches], sorted(sum(batches, []))
        ([2, 2, 1], [0, 1, 2, 3, 4])
        >>> batches == epoch_order(5, 2, epoch=0, seed=0)
        True
    """
    generator = torch.Generator(device="cpu").manual_seed(1_000_003 * seed + epoch)
    order = torch.randperm(num_graphs, generator=generator, device="cpu").tolist()
    return [order[start : start + batch_size] for start in range(0, num_graphs, batch_size)]
