"""Points, triangles and masks as users give them, checked."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from torch import Tensor

from . import meshes

Array = np.ndarray | Tensor


def array(values: Array) -> np.ndarray:
    """A numpy array of what may be a tensor."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def points_of(points: Array) -> np.ndarray:
    """Points [N, d] in float64.

    Args:
        points: [N, d], d from 1 to 3.

    Returns:
        The same as an array.

    Raises:
        ValueError: If they are misshapen, not finite, or not all different.
    """
    x = array(points)
    if x.ndim != 2 or not 1 <= x.shape[1] <= 3 or not len(x):
        raise ValueError(f"`points` must have shape [N, 1 to 3] with N > 0, got {list(x.shape)}.")
    x = np.ascontiguousarray(x, dtype=np.float64)
    if bad := int((~np.isfinite(x)).any(axis=1).sum()):
        raise ValueError(f"`points` must be finite, got {bad} points that are not.")
    with np.errstate(over="ignore"):
        size = float(np.ptp(x, axis=0).max())
    if len(x) > 1 and size and not 1e-150 < size < 1e150:
        raise ValueError(
            "`points` must span 1e-150 to 1e150 units of length, as derivatives divide by its "
            f"square, got {size:.1e}: choose other units."
        )
    distance, nearest = cKDTree(x).query(x, min(2, len(x)))
    if len(x) > 1:
        # Coinciding points may each come first in their own list.
        same = distance[:, 1] <= 1e-12 * size
        if same.any():
            first = int(same.argmax())
            other = nearest[first][nearest[first] != first][0]
            raise ValueError(
                "`points` must all be different (by 1e-12 of the domain's size), got "
                f"{int(same.sum())} that are not, the first are nodes {first} and {other}."
            )
    return x


def mesh_of(points: Array, triangles: Array) -> tuple[np.ndarray, np.ndarray]:
    """Points [N, 2] and triangles [T, 3] of a mesh.

    Args:
        points: [N, 2].
        triangles: [T, 3].

    Returns:
        The same as arrays.

    Raises:
        ValueError: If they are no triangulation.
    """
    x, t = points_of(points), array(triangles)
    if problem := meshes.mesh_problem(x, t):
        raise ValueError(problem)
    return x, t.astype(np.int64)


def mask_of(name: str, mask: Array | None, num_nodes: int) -> np.ndarray:
    """A mask [N] of nodes.

    Args:
        name: What the user calls it.
        mask: [N] bool; None masks no node.
        num_nodes: N.

    Returns:
        The same as an array.

    Raises:
        ValueError: If it is of another type or shape.
    """
    if mask is None:
        return np.zeros(num_nodes, dtype=bool)
    given = array(mask)
    if given.dtype != bool or given.shape != (num_nodes,):
        raise ValueError(
            f"`{name}` must be bool of shape [{num_nodes}], got {given.dtype} of shape "
            f"{list(given.shape)}."
        )
    return given


def sides_of_mesh(
    boundary: str | Array, num_nodes: int, nodes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Masks [N] of the Dirichlet and of the Neumann nodes.

    Args:
        boundary: "dirichlet", "neumann", or [N] bool, the Dirichlet nodes.
        num_nodes: N.
        nodes: Numbers of the boundary nodes.

    Returns:
        Two masks.

    Raises:
        ValueError: If `boundary` is something else.
    """
    outer = np.zeros(num_nodes, dtype=bool)
    outer[nodes] = True
    if isinstance(boundary, str):
        if boundary not in ("dirichlet", "neumann"):
            raise ValueError(
                f"`boundary` must be dirichlet, neumann or a mask of Dirichlet nodes, "
                f"got {boundary!r}."
            )
        given = outer if boundary == "dirichlet" else np.zeros_like(outer)
    else:
        given = mask_of("boundary", boundary, num_nodes)
    return given, outer & ~given
