"""The graph of fitted derivatives, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import polynomial_fit
from .inputs import Array, array, mask_of


def fitted_arrays(
    x: np.ndarray,
    order: int,
    neighbours_of: polynomial_fit.Neighbours,
    dirichlet: Array | None,
    normals: Array | None,
    neighbours: int | None,
) -> dict[str, Any]:
    """Attributes of a graph of scattered points, see `solvers.operators.cloud_graph`.

    Args:
        x: [N, d] points, checked.
        order: Order of accuracy.
        neighbours_of: See `polynomial_fit.fit`.
        dirichlet: [N] bool, or None.
        normals: [N, d] where slopes are given, or None.
        neighbours: Neighbours to start with, or None.

    Returns:
        Arrays by attribute.

    Raises:
        ValueError: If an argument is misshapen or out of range, or the neighbours do not determine
            the polynomials.
    """
    n, dimension = x.shape
    if order not in polynomial_fit.ORDERS:
        raise ValueError(
            f"`order` must be one of {', '.join(map(str, polynomial_fit.ORDERS))}, got {order!r}."
        )
    given = mask_of("dirichlet", dirichlet, n)
    slopes = np.zeros_like(x) if normals is None else array(normals).astype(np.float64)
    if slopes.shape != x.shape or not np.isfinite(slopes).all():
        raise ValueError(
            f"`normals` must be finite and have shape {list(x.shape)}, got {list(slopes.shape)}."
        )
    slopes = np.where(given[:, None], 0.0, slopes)
    size = np.linalg.norm(slopes, axis=1, keepdims=True)
    slopes = np.divide(slopes, size, out=np.zeros_like(slopes), where=size > 0)
    need = len(polynomial_fit.powers(dimension, order + 1))
    count = polynomial_fit.COUNTS[dimension][order] if neighbours is None else neighbours
    # Small node sets have fewer nodes than a fit would like, but perhaps as many as it needs.
    count = min(count, n - 1) if neighbours is None else count
    if not need <= count <= n - 1:
        raise ValueError(
            f"`neighbours` must be at least {need}, what order {order} needs in {dimension} "
            f"dimensions, and at most {n - 1}, the other nodes there are, got {count}."
        )
    free = np.flatnonzero(~given)
    found = polynomial_fit.fit(x, order, neighbours_of, count, slopes, free)
    target, slot = np.nonzero(found.neighbours >= 0)
    at = np.flatnonzero(size[:, 0] > 0)
    return {
        "pos": x,
        "edge_index": np.stack([found.neighbours[target, slot], target]),
        "edge_laplacian": found.laplacian[target, slot],
        "edge_gradient": found.gradient[target, slot],
        "boundary_mask": given,
        "flux_index": np.stack([at, at]),
        "flux_normal": slopes[at],
        "flux_laplacian": found.flux_laplacian[at],
        "flux_gradient": found.flux_gradient[at],
    }
