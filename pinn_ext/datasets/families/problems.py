"""The problems of one split of a family, made one after the other, however they are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from pinn_ext.checks import ArgumentError, check_choice, check_number
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.families.trajectories import NoTrajectory, convergence, trajectory
from solvers.operators import GraphOperators
from solvers.operators.graph_data import OperatorGraph

SPLITS = ("train", "validation", "test")
"""What problems are for; those of the first have no reference trajectories."""
_OWN = ("x", "parameters", "number", "y")  # what a problem has where all have the same nodes


class Problems:
    """Makes the problems of a split.

    Args:
        family: what the problems are.
        split: one of `SPLITS`; problems of two of them are never the same.
        count: how many; the first ones do not depend on it.
        advance: is called after each reference trajectory, with their number so far.

    Attributes:
        nodes: the graph that all problems share, None where each has its own, or before any of them
            is made.
        converged: see `FamilyGraphs`, None before the first is made.

    Raises:
        ArgumentError: if an argument is out of range.
    """

    def __init__(
        self, family: Family, split: str, count: int, advance: Callable[[int], None] | None = None
    ) -> None:
        check_choice("split", split, SPLITS)
        check_number("count", count, 1, integer=True)
        self.family, self.split, self.count = family, split, int(count)
        self.nodes: Data | None = None
        self.converged: float | None = None
        self._advance = advance

    @property
    def described(self) -> dict[str, Any]:
        """All that decides the problems, as plain values."""
        return {**self.family.description(), "split": self.split, "count": self.count}

    def __iter__(self) -> Iterator[Data]:
        """Yield what each problem does not share with the others.

        Raises:
            ArgumentError: if one has no solution as far as its trajectory is to go.
        """
        if self.family.nodes.shared:
            self.nodes = self.family.nodes.graph(self.family.system, 0)
        for number in range(self.count):
            yield self._graph(number)

    def _graph(self, number: int) -> Data:
        graph = self.family.problem(SPLITS.index(self.split), number, self.nodes)
        graph.number = torch.tensor([number], dtype=torch.int64, device="cpu")
        if self.split != "train":
            graph.y = self._trajectory(graph, number)
            if self._advance is not None:
                self._advance(number + 1)
        if self.nodes is None:
            return graph
        return OperatorGraph(**{key: graph[key] for key in _OWN if key in graph})

    def _trajectory(self, graph: Data, number: int) -> Tensor:
        family = self.family
        operators = GraphOperators.from_graph(graph, check=False)
        equation = family.equation(operators, graph.parameters)
        try:
            found = trajectory(equation, graph.x, family.horizon, family.steps)
            if number == 0:
                self.converged = convergence(equation, graph.x, found, family.horizon)
        except NoTrajectory as error:
            wanted = f"be shorter: {self.split} problem {number} cannot be followed ({error})"
            got = f"{family.horizon:g} times {family.steps}"
            raise ArgumentError("horizon", wanted, got) from None
        return found


def with_nodes(graph: Data, nodes: Data | None) -> Data:
    """Add the nodes that all problems share to a problem, in place.

    Args:
        graph: what it does not share.
        nodes: the graph that all share, None where it is whole already.

    Returns:
        The same.
    """
    for key, value in ({} if nodes is None else nodes.to_dict()).items():
        graph[key] = value
    return graph
