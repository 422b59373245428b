"""Named parts of a mesh as files have them: Gmsh's physical groups, MED's families, sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pinn_ext.datasets.meshes.triangle_mesh import BoundaryGroup

_OWN = "gmsh:"  # names that meshio gives itself


@dataclass
class Part:
    """What a name stands for, in the numbering of the file.

    Attributes:
        edges: `[E, 2]` node numbers, of lines.
        nodes: `[K]` node numbers, of points that are named themselves.
        triangles: whether it names triangles too, which are no part of a boundary.
    """

    edges: list[np.ndarray] = field(default_factory=list)
    nodes: list[np.ndarray] = field(default_factory=list)
    triangles: bool = False


def named_parts(mesh: Any) -> dict[str, Part]:
    """Return the named parts of a `meshio.Mesh`.

    Blocks of cells are told apart by their type, as formats have them in any order. A physical
    group of Gmsh that has a number alone is called by it.
    """
    parts: dict[str, Part] = {}
    for name, block, chosen in (*_of_sets(mesh), *_of_gmsh(mesh), *_of_med(mesh)):
        cells = np.asarray(block.data)[chosen]
        if not len(cells):
            continue
        part = parts.setdefault(name, Part())
        if block.type.startswith("line"):
            part.edges.append(cells[:, :2].astype(np.int64))
        elif block.type == "vertex":
            part.nodes.append(cells.reshape(-1).astype(np.int64))
        else:
            part.triangles = True
    for name, nodes in _of_points(mesh):
        if len(nodes):
            parts.setdefault(name, Part()).nodes.append(np.asarray(nodes, dtype=np.int64).ravel())
    return parts


def _of_sets(mesh: Any) -> Iterator[tuple[str, Any, np.ndarray]]:
    for name, chosen in (mesh.cell_sets or {}).items():
        if not name.startswith(_OWN):
            for block, indices in zip(mesh.cells, chosen, strict=False):
                if indices is not None:
                    yield name, block, np.asarray(indices, dtype=np.int64)


def _of_gmsh(mesh: Any) -> Iterator[tuple[str, Any, np.ndarray]]:
    """Yield what has a physical number, but not what was among the sets, where a name is."""
    names = {
        (int(value[0]), int(value[1])): name
        for name, value in mesh.field_data.items()
        if np.shape(value) == (2,)
    }
    in_sets = set(mesh.cell_sets or {})
    for block, tags in zip(mesh.cells, mesh.cell_data.get("gmsh:physical", ()), strict=False):
        for tag in np.unique(tags):
            name = names.get((int(tag), block.dim), str(int(tag)))
            if tag and name not in in_sets:
                yield name, block, np.flatnonzero(tags == tag)


def _of_med(mesh: Any) -> Iterator[tuple[str, Any, np.ndarray]]:
    families: Mapping[int, list[str]] = getattr(mesh, "cell_tags", None) or {}
    for block, tags in zip(mesh.cells, mesh.cell_data.get("cell_tags", ()), strict=False):
        for tag, names in families.items():
            for name in names:
                yield name, block, np.flatnonzero(np.asarray(tags) == tag)


def _of_points(mesh: Any) -> Iterator[tuple[str, np.ndarray]]:
    yield from (mesh.point_sets or {}).items()
    families: Mapping[int, list[str]] = getattr(mesh, "point_tags", None) or {}
    tags = mesh.point_data.get("point_tags")
    if tags is not None:
        for tag, names in families.items():
            for name in names:
                yield name, np.flatnonzero(np.asarray(tags).ravel() == tag)


def boundary_groups(
    parts: Mapping[str, Part], number: np.ndarray, boundary: np.ndarray
) -> tuple[dict[str, BoundaryGroup], list[str]]:
    """Return the parts that lie on the boundary, and sentences about those that do not.

    Args:
        parts: in the numbering of the file.
        number: what each node of the file is called in the mesh, -1 for dropped ones.
        boundary: edges of the mesh `[B, 2]`.
    """
    count = int(number.max()) + 1
    keys = _keys(boundary, count)
    order = keys.argsort()
    outer = np.unique(boundary)
    groups, inner, regions = {}, [], []
    for name, part in parts.items():
        edges = number[np.concatenate([*part.edges, np.empty((0, 2), np.int64)])]
        edges = edges[(edges >= 0).all(axis=1)]
        wanted = np.unique(_keys(edges, count))
        place = np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)
        on = order[place][keys[order[place]] == wanted]
        named = number[np.concatenate([*part.nodes, np.empty(0, np.int64)])]
        nodes = np.intersect1d(np.concatenate([boundary[on].ravel(), named]), outer)
        dropped = len(wanted) - len(on)
        if len(nodes):
            groups[name] = BoundaryGroup(nodes, boundary[np.sort(on)])
        if dropped or (part.nodes and not len(nodes)):
            inner.append(f"{name} ({dropped} edges)" if dropped else name)
        if part.triangles:
            regions.append(name)
    notes = []
    if inner:
        notes.append(f"Parts that are not on the boundary were left out: {', '.join(inner)}.")
    if regions:
        notes.append(f"Names of triangles are not used: {', '.join(regions)}.")
    return groups, notes


def _keys(edges: np.ndarray, count: int) -> np.ndarray:
    low, high = np.sort(edges, axis=1).T
    return low * count + high
