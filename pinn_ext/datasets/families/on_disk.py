"""Problems of a family beyond memory: torch-geometric's data set in a database, read as needed."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, OnDiskDataset, SQLiteDatabase

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families import cache
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.families.problems import Problems, with_nodes
from pinn_ext.files import PART, exists
from solvers.devices import on_cpu
from solvers.operators.graph_data import OperatorGraph

_SCHEMA = {
    "graph": {"dtype": torch.uint8, "size": (-1,)}
}  # bytes, which torch-geometric pickles not
_CHUNK = 64  # problems that are in memory at once while they are made
_BLOCK = 2**20


class FamilyGraphsOnDisk(OnDiskDataset):
    """The problems of a family in an SQLite database, of which those asked for are in memory.

    What each problem holds is what `FamilyGraphs` holds of it, bit for bit. They are made once, 64
    at a time, and written to `root/processed/`: the database, and beside it a small file with its
    version, digest and the nodes that all problems share. The database is read through once when it
    is opened; one that is damaged or of another version is made again, with a warning.

    Args:
        root: folder of the files, made where it is not there.
        family: what the problems are.
        split: one of `SPLITS`.
        count: how many.

    Attributes:
        nodes: the graph that all problems share, None where each has its own.
        converged: see `FamilyGraphs`.

    Raises:
        ArgumentError: if an argument is out of range, the folder cannot be written, or a problem
            has no solution as far as its trajectory is to go.

    Example:
        >>> import tempfile
        >>> from pinn_ext.losses.families_from_config import family_of
        >>> from pinn_ext.schema import Config
        >>> cfg = Config()
        >>> cfg.dataset.name, cfg.dataset.nodes_per_side = "family", 6
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     graphs = FamilyGraphsOnDisk(folder, family_of(cfg), count=2)
        ...     len(graphs), graphs.get(1).x.shape
        (2, torch.Size([36, 2]))
    """

    def __init__(
        self, root: str | Path, family: Family, split: str = "train", count: int = 100
    ) -> None:
        problems = Problems(family, split, count)
        self.family, self.split, self.count = family, split, problems.count
        folder = cache.folder_of(root)
        if folder is None:
            raise ArgumentError("root", "name a folder for what is kept on disk", "None")
        self._described = {**problems.described, "stored": "database"}
        self._about = folder / cache.name_of(self._described)
        with cache.writing(folder):
            super().__init__(str(folder.parent), schema=_SCHEMA, log=False)
            content = self._kept(problems)
        self.nodes = None if content["nodes"] is None else OperatorGraph(**content["nodes"])
        self.converged: float | None = content["converged"]

    @property
    def processed_file_names(self) -> str:
        """The database."""
        return self._about.with_suffix(".db").name

    def serialize(self, data: Data) -> dict[str, Tensor]:
        """Return a problem as bytes."""
        return _as_bytes(data)

    def deserialize(self, data: dict[str, Tensor]) -> Data:
        """Return the problem of some bytes; no code in them is run."""
        buffer = io.BytesIO(data["graph"].numpy().tobytes())
        return OperatorGraph(**torch.load(buffer, map_location="cpu", weights_only=True))

    def get(self, idx: int) -> Data:
        """Return one problem, with the nodes that all of them share."""
        return with_nodes(super().get(idx), self.nodes)

    def _kept(self, problems: Problems) -> dict[str, Any]:
        """Return what is known of the database; make it where it cannot be used."""
        path = Path(self.processed_paths[0])
        try:
            content = cache.read(self._about, self._described)
            if not exists(path) or _digest(path) != content["sha256"]:
                raise cache.Unusable(f"{path} is damaged (its digest is another one)")
        except cache.Unusable as error:
            if exists(path) or exists(self._about):
                cache.warn(error)
            content = _write(path, problems)
            cache.write(self._about, self._described, content)
        return content


def _write(path: Path, problems: Problems) -> dict[str, Any]:
    """Make the problems and write them; the database is there whole or not at all."""
    part = path.with_name(path.name + PART)
    part.unlink(missing_ok=True)
    database = SQLiteDatabase(str(part), FamilyGraphsOnDisk.__name__, _SCHEMA)
    first = 0
    with on_cpu():
        for chunk in _chunks(iter(problems)):
            numbers = range(first, first + len(chunk))
            database.multi_insert(numbers, [_as_bytes(graph) for graph in chunk])
            first += len(chunk)
    database.close()
    os.replace(part, path)
    return {
        "sha256": _digest(path),
        "nodes": None if problems.nodes is None else problems.nodes.to_dict(),
        "converged": problems.converged,
    }


def _as_bytes(graph: Data) -> dict[str, Tensor]:
    buffer = io.BytesIO()
    torch.save(graph.to_dict(), buffer)
    return {"graph": torch.frombuffer(buffer.getbuffer(), dtype=torch.uint8)}


def _chunks(graphs: Iterator[Data]) -> Iterator[list[Data]]:
    while chunk := list(itertools.islice(graphs, _CHUNK)):
        yield chunk


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
