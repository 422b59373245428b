"""What a file's mesh has too much of is dropped or merged, and said."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from pinn_ext.datasets.outside_files import plural

_SAME = 1e-12  # of the mesh's size, as `solvers.operators` tells points apart
_LISTED = 5


class Cleaned(NamedTuple):
    """A mesh without nodes outside of triangles, and without anything twice.

    Attributes:
        points: `[N, d]`.
        triangles: `[M, 3]`.
        origin: number `[N]` of each node in the file.
        number: what each node of the file is called now, -1 for dropped ones.
        notes: what was done, a sentence each.
    """

    points: np.ndarray
    triangles: np.ndarray
    origin: np.ndarray
    number: np.ndarray
    notes: list[str]


def cleaned(points: np.ndarray, triangles: np.ndarray) -> Cleaned:
    """Drop orphan nodes, and merge nodes at the same place and triangles of the same nodes.

    Args:
        points: `[N, d]`, those in triangles finite.
        triangles: `[M, 3]`, numbers of points.

    Returns:
        The mesh that is left, and what was done.
    """
    notes = []
    used = np.unique(triangles)
    orphans = np.setdiff1d(np.arange(len(points)), used)
    if orphans.size:
        more = len(orphans) - _LISTED
        first = ", ".join(map(str, orphans[:_LISTED])) + (f" and {more} more" if more > 0 else "")
        notes.append(f"{plural(len(orphans), 'node')} in no triangle dropped: {first}.")
    first_of = _first_at_its_place(points[used])
    kept = np.unique(first_of)
    if merged := len(used) - len(kept):
        notes.append(f"{plural(merged, 'node')} at the place of another one merged with it.")
    number = np.full(len(points), -1, dtype=np.int64)
    number[used] = np.searchsorted(kept, first_of)
    triangles = number[triangles]
    _, alone = np.unique(np.sort(triangles, axis=1), axis=0, return_index=True)
    if again := len(triangles) - len(alone):
        notes.append(f"{plural(again, 'triangle')} of the same nodes as another one dropped.")
    origin = used[kept]
    return Cleaned(points[origin], triangles[np.sort(alone)], origin, number, notes)


def _first_at_its_place(x: np.ndarray) -> np.ndarray:
    """Return for each point `[N]` the lowest number of those at its place."""
    size = float(np.ptp(x, axis=0).max())
    pairs = cKDTree(x).query_pairs(_SAME * size, output_type="ndarray")
    if not len(pairs):
        return np.arange(len(x))
    joined = sp.coo_matrix((np.ones(len(pairs)), pairs.T), (len(x),) * 2)
    _, label = connected_components(joined, directed=False)
    _, first = np.unique(label, return_index=True)
    return first[label]
