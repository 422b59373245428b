"""Meshes that tests write into files, by meshio, and one that needs no file."""

from pathlib import Path

import numpy as np
import pytest

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.meshes import BoundaryGroup, TriangleMesh
from solvers.operators.meshes import boundary_edges, turned

PLATE = Path(__file__).resolve().parents[2] / "data" / "plate.msh"
WIDTH, HEIGHT, RADIUS, CENTRE = 2.0, 1.0, 0.2, np.array([0.8, 0.5])

SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]], float)
FAN = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])


def meshio():
    return pytest.importorskip("meshio", reason="the extra mesh is not installed")


def write(file, points=SQUARE, triangles=FAN, more=(), space=True, **how):
    """Write a mesh as the ending says; `more` are blocks that stand before the triangles."""
    if space and np.shape(points)[1] == 2:
        points = np.column_stack([points, np.zeros(len(points))])
    written = {key: how.pop(key) for key in ("file_format", "binary") if key in how}
    cells = [*more, ("triangle", np.asarray(triangles))]
    meshio().Mesh(np.asarray(points), cells, **how).write(file, **written)
    return file


def refused(read, *arguments, **how):
    """Return the sentence with which a call is refused."""
    with pytest.raises(ArgumentError) as caught:
        read(*arguments, **how)
    return str(caught.value)


def ring(around=24, radii=(0.4, 0.6, 0.8, 1.0), centre=(1.0, 1.0)):
    """Return the mesh of a ring, made here and not read: no meshio is needed.

    Groups: `inner` and `outer`; `east`, the outer edges right of the centre; `spots`, the inner
    nodes without their edges, as some formats have them.
    """
    angle = 2 * np.pi * np.arange(around) / around
    rays = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.concatenate([np.asarray(centre) + radius * rays for radius in radii])
    here = np.arange(around * (len(radii) - 1))
    beside = here - here % around + (here + 1) % around
    triangles = np.concatenate(
        [
            np.stack([here, here + around, beside + around], axis=1),
            np.stack([here, beside + around, beside], axis=1),
        ]
    )
    triangles = turned(points, triangles)
    edges = boundary_edges(points, triangles)
    inner = (edges < around).all(axis=1)
    east = ~inner & (points[edges].mean(axis=1)[:, 0] > centre[0])
    none = np.empty((0, 2), dtype=np.int64)
    groups = {
        name: BoundaryGroup(np.unique(edges[chosen]), edges[chosen])
        for name, chosen in (("inner", inner), ("outer", ~inner), ("east", east))
    }
    groups["spots"] = BoundaryGroup(np.unique(edges[inner]), none)
    notes = ("1 node in no triangle dropped: 7.",)
    return TriangleMesh(points, triangles, edges, groups, notes, "ring.msh")
