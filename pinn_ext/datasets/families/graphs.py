"""The problems of a family as torch-geometric graphs, processed once and kept in a file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, InMemoryDataset

from pinn_ext.checks import ArgumentError, check_choice, check_number
from pinn_ext.datasets.families import cache
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.families.trajectories import NoTrajectory, convergence, trajectory
from solvers.devices import on_cpu
from solvers.operators import GraphOperators
from solvers.operators.graph_data import OperatorGraph

SPLITS = ("train", "validation", "test")
"""What problems are for; those of the first have no reference trajectories."""


class FamilyGraphs(InMemoryDataset):
    """Some problems of a family, a graph each.

    A graph carries `pos` `[n, dimension]`, the edges with the weights of the operators, `edge_attr`
    `[E, dimension + 1]` (relative position and length in units of the spacing), `boundary_mask`
    `[n]`, the state at the start `x` `[n, 2]`, `parameters` `[1, p]`, its `number` `[1]`, and in
    validation and test the reference trajectory `y` `[n, steps + 1, 2]`; all in float64.

    They are made once and written to `root/processed/`, in a file named after all that decides
    them. A file that is damaged or of another version is made again, with a warning.

    Args:
        root: folder of the files; None keeps nothing.
        family: what the problems are.
        split: one of `SPLITS`; problems of two of them are never the same.
        count: how many; the first ones do not depend on it.
        advance: is called after each reference trajectory, with their number so far.

    Attributes:
        nodes: the graph that all problems share, None where each has its own.
        converged: by how much the first trajectory changes under a hundred times the tolerance, the
            largest relative L2 difference of a field at a time; None in training.

    Raises:
        ArgumentError: if an argument is out of range, or a problem has no solution as far as its
            trajectory is to go.

    Example:
        >>> from pinn_ext.losses.families_from_config import family_of
        >>> from pinn_ext.schema import Config
        >>> cfg = Config()
        >>> cfg.dataset.name, cfg.dataset.nodes_per_side = "family", 6
        >>> few, more = (FamilyGraphs(None, family_of(cfg), count=count) for count in (2, 3))
        >>> len(more), more[0].x.shape, torch.equal(few[1].x, more[1].x)
        (3, torch.Size([36, 2]), True)
    """

    def __init__(
        self,
        root: str | Path | None,
        family: Family,
        split: str = "train",
        count: int = 100,
        *,
        advance: Callable[[int], None] | None = None,
    ) -> None:
        check_choice("split", split, SPLITS)
        check_number("count", count, 1, integer=True)
        self.family, self.split, self.count = family, split, int(count)
        self.nodes: Data | None = None
        self.converged: float | None = None
        self._advance = advance
        self._made: dict[str, Any] | None = None
        super().__init__(None if root is None else str(root), log=False)
        if root is None:
            self.process()
        content = self._read() if self._made is None else self._made
        self._made = None
        self._data = OperatorGraph(**content["data"])
        self.slices = content["slices"]
        self.nodes = None if content["nodes"] is None else OperatorGraph(**content["nodes"])
        self.converged = content["converged"]

    @property
    def described(self) -> dict[str, Any]:
        """All that decides the problems, as plain values."""
        return {**self.family.description(), "split": self.split, "count": self.count}

    @property
    def processed_file_names(self) -> list[str]:
        """The file that the problems are kept in."""
        return [cache.name_of(self.described)]

    def process(self) -> None:
        """Make the problems, and write them unless nothing is to be kept."""
        self._made = self._processed()
        if self.root is None:
            return
        try:
            cache.write(Path(self.processed_paths[0]), self.described, self._made)
        except OSError as error:
            wanted = "be a folder that can be written"
            raise ArgumentError("root", wanted, f"{self.root} ({error.strerror})") from None

    def _processed(self) -> dict[str, Any]:
        with on_cpu():  # torch-geometric does not say where its slices are to lie
            if not self.family.nodes.own:
                self.nodes = self.family.nodes.graph(self.family.system, 0)
            data, slices = self.collate([self._graph(i) for i in range(self.count)])
        return {
            "data": data.to_dict(),
            "slices": None if slices is None else dict(slices),  # of one graph there are none
            "nodes": None if self.nodes is None else self.nodes.to_dict(),
            "converged": self.converged,
        }

    def get(self, idx: int) -> Data:
        """Return one problem, with the nodes that all of them share."""
        graph = super().get(idx)
        for key, value in ({} if self.nodes is None else self.nodes.to_dict()).items():
            graph[key] = value
        return graph

    def operators(self, graph: Data) -> GraphOperators:
        """Return the operators of a graph that is known to be whole."""
        return GraphOperators.from_graph(graph, check=False)

    def _graph(self, number: int) -> Data:
        """Return what a problem does not share with the others."""
        family = self.family
        graph = family.problem(SPLITS.index(self.split), number, self.nodes)
        graph.number = torch.tensor([number], dtype=torch.int64, device="cpu")
        if self.split != "train":
            graph.y = self._trajectory(graph, number)
            if self._advance is not None:
                self._advance(number + 1)
        if self.nodes is None:
            return graph
        own = ("x", "parameters", "number", "y")
        return OperatorGraph(**{key: graph[key] for key in own if key in graph})

    def _trajectory(self, graph: Data, number: int) -> Tensor:
        family = self.family
        equation = family.equation(self.operators(graph), graph.parameters)
        try:
            found = trajectory(equation, graph.x, family.horizon, family.steps)
            if number == 0:
                self.converged = convergence(equation, graph.x, found, family.horizon)
        except NoTrajectory as error:
            wanted = f"be shorter: {self.split} problem {number} cannot be followed ({error})"
            got = f"{family.horizon:g} times {family.steps}"
            raise ArgumentError("horizon", wanted, got) from None
        return found

    def _read(self) -> dict[str, Any]:
        """Return the content of the file; make it again where it cannot be used."""
        try:
            return cache.read(Path(self.processed_paths[0]), self.described)
        except cache.Unusable as error:
            warnings.warn(f"{error}: it is made again.", RuntimeWarning, stacklevel=3)
        self.process()
        return self._read() if self._made is None else self._made
