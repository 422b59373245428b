"""Read a mesh file: triangles in the plane, whatever the format calls them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pinn_ext.checks import ArgumentError, check_switch
from pinn_ext.datasets.meshes.checks import overlap_problem
from pinn_ext.datasets.meshes.cleaning import Cleaned, cleaned
from pinn_ext.datasets.meshes.groups import boundary_groups, named_parts
from pinn_ext.datasets.meshes.meshio_files import FORMATS, read_quietly
from pinn_ext.datasets.meshes.triangle_mesh import TriangleMesh
from pinn_ext.datasets.outside_files import FileError, check_file, plural
from solvers.operators.meshes import THINNEST, boundary_edges, mesh_problem, turned

ENDINGS = tuple(FORMATS)
"""Endings of the names of files that can be read."""

_FLAT = 1e-9  # of the mesh's size: how far nodes may lie outside of one plane z = const
_LOWER = ("line", "vertex")


def read_mesh(path: str | Path, *, linearize: bool = False) -> TriangleMesh:
    """Read a triangle mesh in the plane.

    Nodes in no triangle are dropped, nodes at one place and triangles of the same nodes merged,
    triangles turned counterclockwise; `notes` of the mesh say so. Lines and points of the file make
    named groups where they lie on the boundary, which is that of the triangles themselves.

    Args:
        path: of a file whose ending is one of `ENDINGS`.
        linearize: whether triangles of higher order are taken by their corners; without it they are
            refused, as curved sides would become straight unseen.

    Returns:
        The mesh, in the units of the file.

    Raises:
        ArgumentError: if there is no such file, or not of these endings.
        FileError: if meshio cannot read it; there are cells of another kind than triangles, lines
            and points; nodes do not lie in a plane z = const or are not finite; triangles have no
            area, overlap, or share a part of an edge only.
        ValueError: if meshio is not installed, or h5py where the format needs it.

    Example:
        >>> import tempfile
        >>> import meshio
        >>> corners = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [5.0, 5.0, 0.0]]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     meshio.Mesh(corners, {"triangle": [[0, 1, 2]]}).write(f"{folder}/corner.vtu")
        ...     mesh = read_mesh(f"{folder}/corner.vtu")
        >>> mesh.area, mesh.notes
        (0.5, ('1 node in no triangle dropped: 3.',))
    """
    check_switch("linearize", linearize)
    path = check_file(path)
    if path.suffix.lower() not in FORMATS:
        wanted = f"end in one of {', '.join(ENDINGS)}"
        raise ArgumentError("path", wanted, f"{path.suffix!r} of {path.name}")
    file = read_quietly(path)
    triangles, notes = _triangles(path, file, linearize)
    points = _in_plane(path, np.asarray(file.points, dtype=np.float64), triangles)
    clean = cleaned(points, triangles)
    triangles, turn = _checked(path, clean)
    edges = boundary_edges(clean.points, triangles)
    if problem := overlap_problem(clean.points, triangles, edges):
        wanted, _, got = problem.partition(", got ")
        raise FileError(path, wanted, got)
    groups, more = boundary_groups(named_parts(file), clean.number, edges)
    notes = [*notes, *clean.notes, *turn, *more]
    mesh = TriangleMesh(
        clean.points, triangles, edges, groups, tuple(notes), str(path), clean.origin
    )
    count = int(mesh.parts.max()) + 1
    if count == 1:
        return mesh
    return replace(mesh, notes=(*notes, f"The mesh has {count} parts that share no node."))


def _triangles(path: Path, file: Any, linearize: bool) -> tuple[np.ndarray, list[str]]:
    """Return the triangles `[M, 3]` of all blocks, and a note if they were of higher order."""
    kinds = list(dict.fromkeys(block.type for block in file.cells if len(block.data)))
    able = [kind for kind in kinds if _is_triangle(kind)]
    if others := [kind for kind in kinds if kind not in able and not kind.startswith(_LOWER)]:
        count = sum(len(block.data) for block in file.cells if block.type == others[0])
        raise FileError(path, "hold triangles alone", f"{count} cells of the type {others[0]}")
    if not able:
        raise FileError(path, "hold triangles", " and ".join(kinds) or "no cells")
    curved = [kind for kind in able if kind != "triangle"]
    if curved and not linearize:
        wanted = "hold triangles of three nodes, unless `linearize` is true"
        raise FileError(path, wanted, f"cells of the type {curved[0]}")
    blocks = [np.asarray(b.data)[:, :3] for b in file.cells if b.type in able and len(b.data)]
    triangles = np.concatenate(blocks).astype(np.int64)
    if triangles.min() < 0 or triangles.max() >= len(file.points):
        wanted = f"name nodes from 0 to {len(file.points) - 1} in its triangles"
        raise FileError(path, wanted, f"{triangles.min()} to {triangles.max()}")
    note = f"Triangles of the type {', '.join(curved)} were taken by their corners."
    return triangles, [note] if curved else []


def _is_triangle(kind: str) -> bool:
    return re.fullmatch(r"triangle\d*", kind) is not None


def _in_plane(path: Path, points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return points `[N, 2]` of a mesh whose nodes in triangles have one z."""
    used = points[np.unique(triangles)]
    if not np.isfinite(used).all():
        bad = int((~np.isfinite(used)).any(axis=1).sum())
        raise FileError(path, "have finite nodes", f"{bad} that are not")
    extent = np.ptp(used, axis=0)
    if points.shape[1] == 3 and extent[2] > _FLAT * extent.max():
        low, high = used[:, 2].min(), used[:, 2].max()
        wanted = "be flat, with one z at all nodes, and no surface in space"
        raise FileError(path, wanted, f"z from {low:g} to {high:g}")
    if points.shape[1] not in (2, 3):
        raise FileError(path, "have nodes with two coordinates", f"{points.shape[1]}")
    return np.ascontiguousarray(points[:, :2])


def _checked(path: Path, clean: Cleaned) -> tuple[np.ndarray, list[str]]:
    """Return the triangles counterclockwise, and a note if some were not."""
    points, triangles = clean.points, clean.triangles
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    longest = np.max([np.linalg.norm(side, axis=1) for side in (b - a, c - b, a - c)], axis=0)
    thin = np.abs(area) <= THINNEST * longest**2
    if thin.any():
        nodes = ", ".join(map(str, clean.origin[triangles[thin.argmax()]]))
        which = plural(int(thin.sum()), "triangle")
        raise FileError(path, "have an area in each triangle", f"{which} without, of nodes {nodes}")
    if problem := mesh_problem(points, triangles):
        wanted = "hold a triangulation that operators can be made of"
        raise FileError(path, wanted, f"this ({problem.rstrip('.')})")
    notes = []
    if (area < 0).any() and (area > 0).any():
        clockwise = plural(int((area < 0).sum()), "triangle")
        notes.append(f"{clockwise} of {len(area)} turned counterclockwise.")
    return turned(points, triangles), notes
