"""A measured or computed field as the initial state of a system: linear between its points."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.spatial import Delaunay, QhullError
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.meshes import TriangleMesh
from pinn_ext.datasets.once_per_points import OncePerPoints
from pinn_ext.datasets.outside_files import plural
from pinn_ext.datasets.reference_files import read_reference
from pinn_ext.systems import System
from solvers.operators.meshes import THINNEST, boundary_edges, turned

_NEAR = 1e-9  # of the field's extent, by which points count as inside
_MARGIN = 0.5  # of a period, that is repeated beyond its ends

_Between = tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]
"""Values `[K, 2]` at positions `[K, d]`, and which positions lie outside of the points `[K]`."""


class InitialState:
    """Fields u and v at t = 0 from values at points, linear between them.

    On a regular grid they are linear along each axis; in the plane, elsewhere, in each triangle of
    the Delaunay triangulation. Outside they are those of the nearest place on the points' hull.

    Args:
        x: points `[N, d]`, all different.
        fields: u and v there `[N, 2]`.
        source: where they come from, for messages.
        periods: by axis, the lower end and the length of a period.

    Raises:
        ArgumentError: if there are too few points, or points on a line in the plane.

    Example:
        >>> import torch
        >>> x = np.linspace(0.0, 1.0, 5)[:, None]
        >>> state = InitialState(x, np.hstack((x, x**2)), source="probe.csv")
        >>> state(torch.tensor([[0.25], [0.375]])).tolist()
        [[0.25, 0.0625], [0.375, 0.15625]]
        >>> state.notes(torch.tensor([[0.5], [2.0]]))[0]
        '1 of 2 nodes lie outside of the points of probe.csv and start from the values at the
        nearest place of their hull.'
    """

    def __init__(
        self,
        x: np.ndarray,
        fields: np.ndarray,
        source: str = "",
        periods: Mapping[int, tuple[float, float]] | None = None,
    ) -> None:
        self.source = source
        self.digest = hashlib.sha256(x.tobytes() + fields.tobytes()).hexdigest()
        for axis, (low, length) in (periods or {}).items():
            x, fields = _repeated(x, fields, axis, low, length)
        self._size = float(np.ptp(x, axis=0).max())
        values, self._outside = _between(x, fields, _NEAR * self._size, source)
        self._values = OncePerPoints(values)

    def __call__(self, x: Tensor) -> Tensor:
        """Return u and v `[K, 2]` at positions `[K, d]`, as constants."""
        return self._values(x)

    def notes(self, x: Tensor) -> list[str]:
        """Return what a user should know of the state at some nodes `[K, d]`, a sentence each."""
        outside = int(self._outside(x.detach().cpu().double().numpy()).sum())
        if not outside:
            return []
        return [
            f"{outside} of {plural(len(x), 'node')} lie outside of the points of {self.source} and "
            "start from the values at the nearest place of their hull."
        ]


def read_initial_state(
    path: str | Path,
    system: System,
    columns: Mapping[str, str] | None = None,
    time: float | None = None,
) -> InitialState:
    """Read an initial state from a file that `read_reference` reads.

    Args:
        path: of the file.
        system: gives the number of dimensions, and along which axes it is periodic.
        columns: as in `read_reference`.
        time: of the file, that is to be t = 0; None is its first one.

    Returns:
        The state.

    Raises:
        ArgumentError: if the file cannot be read, lacks a field or that time, or does not fit the
            system.
        ValueError: if the file needs a package that is not installed.

    Example:
        >>> import tempfile, torch
        >>> from pinn_ext import systems
        >>> rows = "x,u,v 0.0,0,0 0.25,1,0 0.5,2,0 0.75,3,0 1.0,4,0"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "probe.csv").write_text(rows.replace(" ", chr(10)))
        ...     system = systems.create("coupled_burgers", boundary="dirichlet")
        ...     state = read_initial_state(Path(folder, "probe.csv"), system)
        >>> state(torch.tensor([[0.375]])).tolist()
        [[1.5, 0.0]]
    """
    data = read_reference(path, columns=columns, dimension=system.dimension, time=time or 0.0)
    try:
        data = data.at(data.times[0] if time is None else time)
    except ArgumentError as error:
        raise error.renamed("time") from None
    x, _, fields = data.samples()
    periods = {
        axis: (system.lower[axis], system.upper[axis] - system.lower[axis])
        for axis in system.periodic_axes
    }
    return InitialState(x, fields, data.source, periods)


def _repeated(
    x: np.ndarray, fields: np.ndarray, axis: int, low: float, length: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return points moved into one period, each once, and those near its ends beyond them too."""
    moved = x.copy()
    part = np.mod((x[:, axis] - low) / length, 1.0)
    part[part > 1.0 - _NEAR] = 0.0
    moved[:, axis] = low + part * length
    _, first = np.unique(np.round(moved / (_NEAR * length)), axis=0, return_index=True)
    first.sort()
    moved, fields, part = moved[first], fields[first], part[first]
    pieces = [(moved, fields)]
    for beyond, shift in ((part < _MARGIN, length), (part > 1.0 - _MARGIN, -length)):
        copies = moved[beyond]
        copies[:, axis] += shift
        pieces.append((copies, fields[beyond]))
    return np.concatenate([p for p, _ in pieces]), np.concatenate([f for _, f in pieces])


def _between(x: np.ndarray, fields: np.ndarray, near: float, source: str) -> _Between:
    """Return what is linear between points, and says which positions lie outside."""
    axes = [np.unique(column) for column in x.T]
    sizes = [len(axis) for axis in axes]
    if min(sizes) > 1 and np.prod(sizes, dtype=object) == len(x):
        return _on_grid(axes, fields[np.lexsort(x.T[::-1])], near)
    if x.shape[1] == 2:
        return _on_triangles(x, fields, source)
    wanted = "hold two points, or in space a regular grid,"
    raise ArgumentError("path", wanted, f"{plural(len(x), 'point')} in {source}")


def _on_grid(axes: Sequence[np.ndarray], fields: np.ndarray, near: float) -> _Between:
    low, high = (np.array([axis[end] for axis in axes]) for end in (0, -1))
    inner = RegularGridInterpolator(axes, fields.reshape(*map(len, axes), 2))

    def values(x: np.ndarray) -> np.ndarray:
        return inner(x.clip(low, high)).reshape(len(x), 2)

    def outside(x: np.ndarray) -> np.ndarray:
        beyond: np.ndarray = (x < low - near) | (x > high + near)
        return np.asarray(beyond.any(axis=1))

    return values, outside


def _on_triangles(x: np.ndarray, fields: np.ndarray, source: str) -> _Between:
    try:
        triangles = Delaunay(x).simplices.astype(np.int64)
    except (QhullError, ValueError):
        wanted = "hold points that do not lie on one line"
        raise ArgumentError("path", wanted, f"{len(x)} in {source}") from None
    triangles = turned(x, triangles)
    a, b, c = (x[triangles[:, k]] for k in range(3))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    longest = np.max([np.linalg.norm(e, axis=1) for e in (b - a, c - b, a - c)], axis=0)
    triangles = triangles[area > 100 * THINNEST * longest**2]  # flat ones lie along the hull
    mesh = TriangleMesh(x, triangles, boundary_edges(x, triangles))

    def values(at: np.ndarray) -> np.ndarray:
        return mesh.interpolate(fields, at, outside="nearest")

    def outside(at: np.ndarray) -> np.ndarray:
        return ~mesh.contains(at)

    return values, outside
