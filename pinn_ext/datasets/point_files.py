"""Points that somebody wants fields at, from a file: tables, arrays, or the nodes of a mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.meshes.meshio_files import FORMATS, read_quietly
from pinn_ext.datasets.outside_files import FileError, check_file, plural
from pinn_ext.datasets.reference_files.arrays import numbers_of
from pinn_ext.datasets.reference_files.mat import mat_arrays
from pinn_ext.datasets.reference_files.names import AXES, FIELDS, find, lacking, role_of
from pinn_ext.datasets.reference_files.npz import npz_arrays
from pinn_ext.datasets.reference_files.samples import check_dimension, check_finite
from pinn_ext.datasets.reference_files.text import read_table

_TABLES = (".csv", ".tsv", ".txt", ".dat")
_ARRAYS = {".npz": npz_arrays, ".mat": mat_arrays}
ENDINGS = (*_TABLES, *_ARRAYS, *FORMATS)
"""Endings of the names of files that can be read."""


def read_points(path: str | Path, dimension: int) -> np.ndarray:
    """Read positions.

    Tables have columns x, y, z by name, or nothing else; npz and mat an array `x` `[N, d]`, or one
    for each axis; of files that meshio reads the nodes are taken. Other columns and arrays are left
    alone.

    Args:
        path: of the file.
        dimension: number d of space dimensions.

    Returns:
        `[N, d]`, float64, in the file's order and units.

    Raises:
        ArgumentError: if there is no such file, or its ending is of another kind.
        FileError: if it holds no finite positions in this number of dimensions.
        ValueError: if the file needs a package that is not installed.
    """
    path = check_file(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        wanted = f"end in one of {', '.join(ENDINGS)}"
        raise ArgumentError("path", wanted, f"{path.suffix!r} of {path.name}")
    if ending in _TABLES:
        return _of_table(path, dimension)
    read = _of_arrays if ending in _ARRAYS else _of_nodes
    points = read(path, dimension)
    check_dimension(path, points.shape[1], dimension)
    check_finite(path, points, lambda row, column: f"point {row + 1}, {AXES[column]}")
    if not points.size:
        raise FileError(path, "hold points", "none")
    return points


def _of_table(path: Path, dimension: int) -> np.ndarray:
    table = read_table(path)
    if table.columns is None:
        wanted = f"have {plural(dimension, 'column')} where it names none"
        if table.values.shape[1] != dimension:
            raise FileError(path, wanted, table.values.shape[1])
        places = list(range(dimension))
    else:
        names = [head.name for head in table.columns]
        found = _axes(path, names)
        check_dimension(path, len(found), dimension)
        places = [names.index(name) for name in found]
    points = table.values[:, places]
    check_finite(path, points, lambda row, column: f"line {table.lines[row]}, {AXES[column]}")
    return points


def _axes(path: Path, names: list[str]) -> list[str]:
    """Return the names of x, y and z, as many as there are."""
    able = [name for name in names if role_of(name) in AXES]
    found = find(path, able, {}, optional=FIELDS)
    for axis, role in enumerate(found):
        if role != AXES[axis]:
            raise FileError(path, *lacking([AXES[axis]], names))
    if not found:
        raise FileError(path, *lacking(["x"], names))
    return list(found.values())


def _of_arrays(path: Path, dimension: int) -> np.ndarray:
    arrays = _ARRAYS[path.suffix.lower()](path)
    columns = [numbers_of(path, arrays, name) for name in _axes(path, list(arrays))]
    if any(np.iscomplexobj(column) for column in columns):
        raise FileError(path, "hold real positions", "complex ones")
    if len(columns) > 1:
        if len({column.size for column in columns}) > 1:
            wanted = "have a number for each point along each axis"
            raise FileError(path, wanted, " and ".join(str(column.size) for column in columns))
        return np.stack([column.ravel() for column in columns], axis=1)
    (points,) = columns
    listed = points.ndim == 2 and (points.shape[1] == dimension or min(points.shape) > 1)
    return points if listed else points.reshape(-1, 1)


def _of_nodes(path: Path, dimension: int) -> np.ndarray:
    """Return the nodes; coordinates at the end that are the same everywhere are left out."""
    points = np.asarray(read_quietly(path).points, dtype=np.float64)
    constant = points.shape[1] > dimension and len(points)
    if constant and not np.ptp(points[:, dimension:], axis=0).any():
        return points[:, :dimension]
    return points
