"""The problems of a family as torch-geometric graphs, processed once and kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch_geometric.data import Data, InMemoryDataset

from pinn_ext.datasets.families import cache
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.families.problems import SPLITS, Problems, with_nodes
from pinn_ext.files import exists
from solvers.devices import on_cpu
from solvers.operators import GraphOperators
from solvers.operators.graph_data import OperatorGraph

__all__ = ["SPLITS", "FamilyGraphs"]


class FamilyGraphs(InMemoryDataset):
    """Some problems of a family, a graph each.

    A graph carries `pos` `[n, dimension]`, the edges with the weights of the operators, `edge_attr`
    `[E, dimension + 1]` (relative position and length in units of the spacing), `boundary_mask`
    `[n]`, the state at the start `x` `[n, 2]`, `parameters` `[1, p]`, its `number` `[1]`, and in
    validation and test the reference trajectory `y` `[n, steps + 1, 2]`; all in float64.

    They are made once and written to `root/processed/`, in a file named after all that decides
    them. A file that is damaged or of another version is made again, with a warning.

    Args:
        root: folder of the files, made where it is not there; None keeps nothing.
        family: what the problems are.
        split: one of `SPLITS`; problems of two of them are never the same.
        count: how many; the first ones do not depend on it.
        advance: is called after each reference trajectory, with their number so far.

    Attributes:
        nodes: the graph that all problems share, None where each has its own.
        converged: by how much the first trajectory changes under a hundred times the tolerance, the
            largest relative L2 difference of a field at a time; None in training.

    Raises:
        ArgumentError: if an argument is out of range, the folder cannot be written, or a problem
            has no solution as far as its trajectory is to go.

    Example:
        >>> import torch
        >>> from pinn_ext.losses.families_from_config import family_of
        >>> from pinn_ext.schema import Config
        >>> cfg = Config()
        >>> cfg.dataset.name, cfg.dataset.nodes_per_side = "family", 6
        >>> few, more = (FamilyGraphs(None, family_of(cfg), count=count) for count in (2, 3))
        >>> len(more), more[0].x.shape, torch.equal(few[1].x, more[1].x)
        (3, torch.Size([36, 2]), True)
        >>> more.operators(more.get(0)).num_nodes
        36
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
        problems = Problems(family, split, count, advance)
        self.family, self.split, self.count = family, split, problems.count
        folder = cache.folder_of(root)
        # No root for torch-geometric, and no `process`: it would write files of its own, run what
        # it finds in them, and take a folder named ??? where none is given.
        super().__init__(None, log=False)
        content = _made(problems) if folder is None else _kept(folder, problems)
        self._data = OperatorGraph(**content["data"])
        self.slices = content["slices"]
        self.nodes = None if content["nodes"] is None else OperatorGraph(**content["nodes"])
        self.converged: float | None = content["converged"]

    def get(self, idx: int) -> Data:
        """Return one problem, with the nodes that all of them share."""
        return with_nodes(super().get(idx), self.nodes)

    def operators(self, graph: Data) -> GraphOperators:
        """Return the operators of a graph that is known to be whole."""
        return GraphOperators.from_graph(graph, check=False)


def _made(problems: Problems) -> dict[str, Any]:
    """Make the problems; return what is kept of them."""
    with on_cpu():  # torch-geometric does not say where its slices are to lie
        data, slices = InMemoryDataset.collate(list(problems))
    return {
        "data": data.to_dict(),
        "slices": None if slices is None else dict(slices),  # of one graph there are none
        "nodes": None if problems.nodes is None else problems.nodes.to_dict(),
        "converged": problems.converged,
    }


def _kept(folder: Path, problems: Problems) -> dict[str, Any]:
    """Return the content of the file; make it where it is not there or cannot be used."""
    described = problems.described
    path = folder / cache.name_of(described)
    try:
        return cache.read(path, described)
    except cache.Unusable as error:
        if exists(path):
            cache.warn(error)
    content = _made(problems)
    cache.write(path, described, content)
    return content
