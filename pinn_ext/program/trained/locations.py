"""Where fields are asked for: a grid, points from a file, or the nodes of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.meshes import read_mesh
from pinn_ext.datasets.outside_files import MOST_NUMBERS, plural
from pinn_ext.datasets.point_files import read_points
from pinn_ext.program.trained.trained_run import TrainedRun


@dataclass(frozen=True)
class Locations:
    """Positions, and how they are joined.

    Attributes:
        x: `[N, d]`, float64.
        inside: which of them lie in the domain `[N]`.
        kind: what meshio calls the cells: `line`, `quad`, `hexahedron`, `triangle` or `vertex`.
        cells: numbers of the points of each cell `[M, K]`; those of a grid whose points all lie in
            the domain, if there are any.
        notes: what was done to the points on the way, a sentence each.
    """

    x: np.ndarray
    inside: np.ndarray
    kind: str
    cells: np.ndarray
    notes: tuple[str, ...] = ()


def on_grid(run: TrainedRun, per_side: int | None = None) -> Locations:
    """Return the points of a regular grid on the box of the system.

    Args:
        run: gives the box and the domain in it.
        per_side: points along each side; None takes the default of `TrainedRun.grid`.

    Returns:
        Points, joined to lines, squares or cubes.

    Raises:
        ArgumentError: if it is no whole number of at least 2, or there would be too many.
    """
    dimension, count = run.system.dimension, run.points_per_side(per_side)
    if count**dimension > MOST_NUMBERS:
        wanted = f"give at most {MOST_NUMBERS:.2g} points"
        raise ArgumentError("grid", wanted, f"{count}^{dimension}")
    x = run.grid(count)
    inside = run.contains(x)
    cells = _grid_cells(count, dimension)
    whole = cells[inside[cells].all(axis=1)]
    kind = {1: "line", 2: "quad"}.get(dimension, "hexahedron")
    return Locations(x, inside, kind, whole if len(whole) else cells)


def _grid_cells(count: int, dimension: int) -> np.ndarray:
    """Return the cells `[M, 2^d]` of a grid, corners in the order of VTK: once around each face."""
    numbers = np.arange(count**dimension).reshape((count,) * dimension)
    low, high = slice(None, -1), slice(1, None)
    corners: list[tuple[slice, ...]] = [(low,), (high,)]
    if dimension > 1:
        around = [(low, low), (high, low), (high, high), (low, high)]
        rest: list[tuple[slice, ...]] = corners if dimension == 3 else [()]
        corners = [(*face, *end) for end in rest for face in around]
    return np.stack([numbers[corner].ravel() for corner in corners], axis=1)


def at_points(run: TrainedRun, path: str | Path) -> Locations:
    """Return points from a file.

    Args:
        run: gives the domain.
        path: see `pinn_ext.datasets.point_files.read_points`.

    Returns:
        Points that are not joined.
    """
    x = read_points(path, run.system.dimension)
    return Locations(x, run.contains(x), "vertex", np.arange(len(x))[:, None])


def on_mesh(run: TrainedRun, path: str | Path) -> Locations:
    """Return the nodes of a triangle mesh from a file.

    Args:
        run: gives the domain.
        path: see `pinn_ext.datasets.meshes.read_mesh`.

    Returns:
        Nodes, joined to triangles.

    Raises:
        ArgumentError: if the run is not one in the plane, or the file is refused.
    """
    dimension = run.system.dimension
    if dimension != 2:
        got = f"a run in {plural(dimension, 'dimension')}"
        raise ArgumentError("path", "be asked for in two dimensions", got)
    mesh = read_mesh(path)
    return Locations(mesh.points, run.contains(mesh.points), "triangle", mesh.triangles, mesh.notes)
