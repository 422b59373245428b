"""Meshes that tests write into files, by meshio."""

from pathlib import Path

import numpy as np
import pytest

from pinn_ext.checks import ArgumentError

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
