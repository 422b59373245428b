"""Problems of a family as one batch: what a network that steps, and its loss terms, are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.families.nodes import relative_positions
from solvers.devices import on_cpu
from solvers.operators import GraphOperators
from solvers.rk4 import SemiDiscrete

_WEIGHTS = ("edge_laplacian", "edge_gradient", "boundary_mask", "operator_order")


@dataclass(frozen=True, eq=False)
class FamilyBatch:
    """What one step of a training needs of some problems, on one device and in one float type.

    A network is called as `network(batch, tau)` with `tau` `[N]` and returns the state `[N, 2]`
    that much later. It may use any of these attributes, which are called as torch-geometric calls
    them where that has a name for them.

    Attributes:
        x: state at the start `[N, 2]`.
        pos: positions `[N, dimension]`.
        edge_index: `[2, E]`, from the source to the target.
        edge_attr: relative position of the source and its distance `[E, dimension + 1]`, in units
            of the spacing.
        boundary_mask: `[N]`, True where the state stays what it is.
        batch: number of the graph in this batch, of each node `[N]`.
        parameters: constants of the equation that vary, of each graph `[G, p]`, in [-1, 1].
        rates: rates of change of `x` by the equation `[N, 2]`.
        equation: rates of change of any state on these nodes.
        inputs: time `[N, 1]` at which a training asks for the state, the same within a graph.
        step: length h of the Runge-Kutta step.
        numbers: of the graphs in their data set `[G]`.
        known: states that are known at another time, for data terms; mostly None.

    Example:
        >>> from pinn_ext.datasets.families import FamilyGraphs
        >>> from pinn_ext.losses.families_from_config import family_of
        >>> from pinn_ext.schema import Config
        >>> cfg = Config()
        >>> cfg.dataset.name, cfg.dataset.nodes_per_side = "family", 6
        >>> family = family_of(cfg)
        >>> graphs = list(FamilyGraphs(None, family, count=2))
        >>> batch = FamilyBatch.from_graphs(graphs, family, torch.tensor([0.1, 0.2]), step=0.01)
        >>> batch.x.shape, batch.rates.shape, batch.at(0.5).inputs.unique().tolist()
        (torch.Size([72, 2]), torch.Size([72, 2]), [0.5])
        >>> batch.free.shape, batch.row_points().shape, batch.precomputed
        (torch.Size([72]), torch.Size([72, 3]), None)
        >>> batch.from_state(2 * batch.x).rates.shape, batch.detached().inputs.requires_grad
        (torch.Size([72, 2]), False)
    """

    x: Tensor
    pos: Tensor
    edge_index: Tensor
    edge_attr: Tensor
    boundary_mask: Tensor
    batch: Tensor
    parameters: Tensor
    rates: Tensor
    equation: SemiDiscrete
    inputs: Tensor
    step: float
    numbers: Tensor
    known: KnownStates | None = None

    @classmethod
    def from_graphs(
        cls,
        graphs: Data | Batch | Sequence[Data],
        family: Family,
        times: Tensor,
        step: float,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> FamilyBatch:
        """Gather graphs into a batch.

        Args:
            graphs: torch-geometric graphs of `FamilyGraphs`, or of your own with the operators of
                `solvers.operators` and a state `x`; a batch of them or a sequence.
            family: gives the equation.
            times: one a graph `[G]`, or one for all.
            step: length h of the Runge-Kutta step.
            device: where the batch is to lie.
            dtype: floating-point type; None takes torch's default.

        Returns:
            The batch.

        Raises:
            ArgumentError: if a graph lacks something, has no nodes or numbers that are not finite.
        """
        dtype = dtype or torch.get_default_dtype()
        with on_cpu():  # what torch-geometric adds would lie on torch's default device
            if isinstance(graphs, Sequence):
                for graph in graphs:
                    check_graph(graph)
                graphs = Batch.from_data_list(list(graphs))
            check_graph(graphs)
            return cls._from_graph(graphs, family, times, step, torch.device(device), dtype)

    @classmethod
    def _from_graph(
        cls,
        graphs: Data,
        family: Family,
        times: Tensor,
        step: float,
        device: torch.device,
        dtype: torch.dtype,
    ) -> FamilyBatch:
        owner = getattr(graphs, "batch", None)
        owner = (
            torch.zeros(graphs.num_nodes, dtype=torch.int64, device="cpu")
            if owner is None
            else owner
        )
        count = int(owner[-1]) + 1
        parameters, numbers = by_graph(graphs, family, count)
        operators = GraphOperators.from_graph(graphs, check=False).to(device, dtype)
        edge_attr = _edge_attr(graphs, family).to(device, dtype)
        return cls.made(
            family, operators, graphs.edge_index.to(device), edge_attr,
            owner.to(device), graphs.x.to(device, dtype), parameters.to(device, dtype),
            times.to(device, dtype).expand(count), step, numbers.to(device),
        )  # fmt: skip

    @classmethod
    def made(
        cls,
        family: Family,
        operators: GraphOperators,
        edge_index: Tensor,
        edge_attr: Tensor,
        owner: Tensor,
        state: Tensor,
        parameters: Tensor,
        times: Tensor,
        step: float,
        numbers: Tensor,
    ) -> FamilyBatch:
        """Return the batch of what lies on its device already."""
        equation = family.equation(operators, parameters, owner)
        with torch.no_grad():
            rates = equation(0.0, state)
        return cls(
            state, operators.pos, edge_index, edge_attr, operators.boundary_mask, owner,
            parameters, rates, equation, times[owner][:, None], step, numbers,
        )  # fmt: skip

    def from_state(self, state: Tensor) -> FamilyBatch:
        """Return the same problems from another state `[N, 2]` at the start."""
        with torch.no_grad():
            rates = self.equation(0.0, state)
        return replace(self, x=state, rates=rates)

    def at(self, times: Tensor | float) -> FamilyBatch:
        """Return the same problems asked for at other times, one a graph `[G]` or one for all."""
        moments = torch.as_tensor(times, dtype=self.x.dtype, device=self.x.device)
        moments = moments.expand(len(self.numbers))
        return replace(self, inputs=moments[self.batch][:, None])

    def detached(self) -> FamilyBatch:
        """Return the batch with fresh inputs, for a step that asks for their gradients."""
        return replace(self, inputs=self.inputs.detach().clone())

    @property
    def free(self) -> Tensor:
        """Numbers `[n]` of the nodes that are not held by Dirichlet conditions."""
        return self.equation.operators.free_nodes

    def row_points(self, term: int = 0) -> Tensor:
        """Return the number of its problem, of its node, and the time, of each row of a term.

        Args:
            term: its index; all terms have the same rows.

        Returns:
            `[n, 3]`, a row for each node that is free.
        """
        graphs = torch.arange(len(self.numbers), device=self.batch.device)
        first = torch.searchsorted(self.batch, graphs)
        nodes = torch.arange(len(self.x), device=self.batch.device) - first[self.batch]
        places = torch.stack((self.numbers[self.batch], nodes), dim=1).to(self.x)
        return torch.cat((places, self.inputs.detach()), dim=1)[self.free]

    @property
    def precomputed(self) -> None:
        """Nothing is known of the network's part beforehand."""
        return None


class KnownStates(NamedTuple):
    """States whose later states are known.

    Attributes:
        batch: the states, asked for at the times of the later ones; as many rows as the batch whose
            `known` it is.
        later: the known states at these times `[N, 2]`.
    """

    batch: FamilyBatch
    later: Tensor


def check_graph(graph: Data) -> None:
    """Refuse a graph, or a batch of graphs, on which no state can be stepped.

    Args:
        graph: of torch-geometric.

    Raises:
        ArgumentError: if it lacks positions, edges, operators or a state, has no nodes, or holds
            numbers that are not finite.

    Example:
        >>> from torch_geometric.data import Data
        >>> check_graph(Data(pos=torch.zeros(4, 2)))
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `graph` must have pos, edge_index and x (the state [n,
        2]), got one without edge_index.
    """
    for key in ("pos", "edge_index", "x"):
        if getattr(graph, key, None) is None:
            wanted = "have pos, edge_index and x (the state [n, 2])"
            raise ArgumentError("graph", wanted, f"one without {key}")
    count = len(graph.pos)
    if not count:
        raise ArgumentError("graph", "have nodes", "one of 0 nodes")
    if graph.x.shape != (count, 2):
        wanted = f"have a state x of shape [{count}, 2], u and v at each node"
        raise ArgumentError("graph", wanted, list(graph.x.shape))
    if not graph.edge_index.numel():
        raise ArgumentError("graph", "have edges", "one of 0 edges")
    if absent := [key for key in _WEIGHTS if key not in graph]:
        wanted = "have the weights of operators, as grid_graph, cloud_graph and the others of "
        wanted += "solvers.operators make them"
        raise ArgumentError("graph", wanted, f"one without {', '.join(absent)}")
    for key in ("pos", "x"):
        if bad := int((~torch.isfinite(graph[key])).sum()):
            raise ArgumentError("graph", f"be finite in {key}", f"{bad} numbers that are not")


def by_graph(graphs: Data, family: Family, count: int) -> tuple[Tensor, Tensor]:
    """Return parameters `[G, p]` and numbers `[G]` of graphs, which a user's own may lack."""
    wanted = len(family.varied)
    parameters = getattr(graphs, "parameters", None)
    if parameters is None:
        parameters = torch.zeros(count, 0, dtype=torch.float64, device="cpu")
    if parameters.shape != (count, wanted):
        names = ", ".join(family.varied) or "none"
        said = f"have parameters [{count}, {wanted}], of the constants that vary ({names})"
        raise ArgumentError("graph", said, list(parameters.shape))
    numbers = getattr(graphs, "number", None)
    return parameters, torch.arange(count, device="cpu") if numbers is None else numbers


def _edge_attr(graphs: Data, family: Family) -> Tensor:
    """Return relative positions along edges, which a user's own graphs may lack."""
    edge_attr = getattr(graphs, "edge_attr", None)
    if edge_attr is None:
        spacing = family.nodes.spacing(family.system)
        return relative_positions(graphs, spacing, family.nodes.periods(family.system))
    wanted = [graphs.edge_index.shape[1], graphs.pos.shape[1] + 1]
    if list(edge_attr.shape) != wanted:
        said = f"have edge_attr {wanted}, relative position and length, or none"
        raise ArgumentError("graph", said, list(edge_attr.shape))
    return edge_attr
