"""Generalised finite differences: derivatives of a polynomial fitted to a node's neighbours.

The weights at a node reproduce every polynomial up to degree p + 1 (Laplacian of order p) or p
(gradient) and are, among all that do, the smallest in a norm that makes far neighbours dear. That
is the weighted least-squares fit through the node's own value: Benito, Urena, Gavete, Appl. Math.
Modelling 25 (2001), 1039; Lancaster and Salkauskas, Math. Comp. 37 (1981), 141 for its norm.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

ORDERS = (2, 4)
# Neighbours that a fit starts with: about twice its coefficients, as fewer diverge in places.
COUNTS = {1: {2: 6, 4: 10}, 2: {2: 18, 4: 36}, 3: {2: 44, 4: 120}}
# A fit takes more neighbours where its scaled matrix is worse conditioned than this, ...
CONDITION_LIMIT = 1e4
# ... or where sum |w| / sum w of its Laplacian is larger (1 if no weight is negative). One-sided
# stencils beside a boundary are; left alone, they put eigenvalues into the right half plane.
SIGN_LIMIT = 3.0
# Neighbours nearer than this part of the farthest one's distance count alike. Otherwise a very near
# one gets a large weight of any sign: growing modes on random points, and steps a third as long.
_NEAR = 0.4
_ROUNDS = 3
_CHUNK = 1 << 21  # entries of the matrices in work at a time

Neighbours = Callable[[np.ndarray, int], np.ndarray]


@dataclass
class Fit:
    """Weights of one node set, padded to the largest number of neighbours.

    Attributes:
        neighbours: [N, K] node numbers, -1 where padded.
        laplacian: [N, K] weights of the differences to the neighbours, in 1 / length^2.
        gradient: [N, K, d], in 1 / length.
        flux_laplacian: [N] weight of a given slope along the normal, in 1 / length.
        flux_gradient: [N, d] the same in the gradient, dimensionless.
    """

    neighbours: np.ndarray
    laplacian: np.ndarray
    gradient: np.ndarray
    flux_laplacian: np.ndarray
    flux_gradient: np.ndarray


def powers(dimension: int, degree: int) -> np.ndarray:
    """Exponents `[m, d]` of all monomials of degree 1 to `degree`, the lower degrees first."""
    every = itertools.product(range(degree + 1), repeat=dimension)
    kept = sorted((p for p in every if 1 <= sum(p) <= degree), key=lambda p: (sum(p), p[::-1]))
    return np.array(kept)


def fit(
    points: np.ndarray,
    order: int,
    neighbours_of: Neighbours,
    count: int,
    normals: np.ndarray,
    nodes: np.ndarray,
) -> Fit:
    """Weights at some of the nodes; the others are left without neighbours.

    Args:
        points: [N, d].
        order: 2 or 4.
        neighbours_of: Node numbers `[n]` and a count to neighbours `[n, at least count]`, the
            nearest first, -1 where there are none.
        count: Neighbours to start with.
        normals: [N, d] unit normals where the slope is given, 0 elsewhere.
        nodes: [n] numbers of the nodes to fit at.

    Returns:
        The weights.

    Raises:
        ValueError: If some nodes' neighbours do not determine a polynomial.
    """
    num_nodes, dimension = points.shape
    exponents = powers(dimension, order + 1)
    state = _State(num_nodes, dimension)
    for _ in range(_ROUNDS):
        size = max(1, _CHUNK // ((count + 1) * len(exponents)))
        for start in range(0, len(nodes), size):
            chunk = nodes[start : start + size]
            near = neighbours_of(chunk, count)
            state.keep(chunk, near, *_weights(points, exponents, order, chunk, near, normals))
        nodes, tried = nodes[state.sign[nodes] > SIGN_LIMIT], count
        count = min(count + (count + 1) // 2, num_nodes - 1)
        if not nodes.size or count == tried:
            break
    lost = nodes[state.condition[nodes] > CONDITION_LIMIT]
    if lost.size:
        raise ValueError(
            f"`points` must let the {tried} neighbours of each node determine the "
            f"{len(exponents)} coefficients of a polynomial of degree {order + 1} (condition at "
            f"most {CONDITION_LIMIT:.0e}), got {state.condition[lost[0]]:.1e} at node {lost[0]} "
            f"and {lost.size} such nodes: do they lie on a line or on few circles?"
        )
    return state.fit


class _State:
    """The best fit of each node so far."""

    def __init__(self, num_nodes: int, dimension: int) -> None:
        self.sign = np.full(num_nodes, np.inf)
        self.condition = np.full(num_nodes, np.inf)
        self.fit = Fit(
            np.full((num_nodes, 0), -1, dtype=np.int64),
            np.zeros((num_nodes, 0)),
            np.zeros((num_nodes, 0, dimension)),
            np.zeros(num_nodes),
            np.zeros((num_nodes, dimension)),
        )

    def keep(
        self,
        nodes: np.ndarray,
        near: np.ndarray,
        condition: np.ndarray,
        laplacian: np.ndarray,
        gradient: np.ndarray,
    ) -> None:
        """Take fits in where they are better; the last column holds the given slope."""
        fit, width = self.fit, near.shape[1]
        if extra := max(0, width - fit.neighbours.shape[1]):
            pad = ((0, 0), (0, extra))
            fit.neighbours = np.pad(fit.neighbours, pad, constant_values=-1)
            fit.laplacian = np.pad(fit.laplacian, pad)
            fit.gradient = np.pad(fit.gradient, (*pad, (0, 0)))
        total = laplacian[:, :-1].sum(axis=1)
        size = np.abs(laplacian[:, :-1]).sum(axis=1)
        # Weights of a sum below rounding have no sign: the worst of all, in any units.
        sign = np.divide(size, total, out=np.full_like(size, 1e300), where=total > 1e-16 * size)
        sign = np.where(condition <= CONDITION_LIMIT, sign, np.inf)
        better = sign < self.sign[nodes]
        self.condition[nodes] = np.minimum(condition, self.condition[nodes])
        rows = nodes[better]
        self.sign[rows] = sign[better]
        fit.neighbours[rows] = -1
        fit.neighbours[rows, :width] = near[better]
        for name, values in (("laplacian", laplacian), ("gradient", gradient)):
            table = getattr(fit, name)
            table[rows] = 0.0
            table[rows, :width] = values[better, :-1]
            getattr(fit, f"flux_{name}")[rows] = values[better, -1]


def _weights(
    points: np.ndarray,
    exponents: np.ndarray,
    order: int,
    nodes: np.ndarray,
    near: np.ndarray,
    normals: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Condition, Laplacian and gradient weights by QR factors of the neighbours' monomials."""
    m, size = len(exponents), len(nodes)
    there = near >= 0
    offsets = np.where(there[..., None], points[near] - points[nodes, None], 0.0)
    distances = np.sqrt((offsets**2).sum(axis=2))
    reach = distances.max(axis=1, initial=1e-300)[:, None]
    # The nearer a neighbour, the cheaper its weight: theta is the norm's inverse.
    theta = np.where(there, reach / np.maximum(distances, _NEAR * reach), 0.0)
    theta = np.concatenate([theta, theta.max(axis=1, initial=1.0, keepdims=True)], axis=1)
    # A given slope is one more datum: the derivative of the polynomial along the normal.
    linear = exponents.sum(axis=1) == 1
    slope = np.zeros((size, 1, m))
    slope[:, 0, linear] = normals[nodes] @ exponents[linear].T
    rows = np.concatenate([_monomials(offsets / reach[..., None], exponents), slope], axis=1)
    rows *= theta[..., None]
    norms = np.maximum(np.linalg.norm(rows, axis=1), 1e-300)
    if rows.shape[1] < m:
        empty = np.zeros((size, rows.shape[1]))
        return np.full(size, np.inf), empty, np.zeros((*empty.shape, points.shape[1]))
    # Columns of one size, so that the condition tells geometry from units.
    q, r = torch.linalg.qr(torch.from_numpy(rows / norms[:, None]))
    condition = _condition(r.numpy())
    identity = torch.eye(m, dtype=torch.float64, device=r.device)
    r[torch.from_numpy(condition > CONDITION_LIMIT)] = identity
    second = 2.0 * ((exponents == 2).any(axis=1) & (exponents.sum(axis=1) == 2))
    laplacian = _smallest(q, r, second / norms, m) * theta / reach**2
    low = int((exponents.sum(axis=1) <= order).sum())
    gradient = np.stack(
        [_smallest(q, r, e * linear / norms, low) * theta / reach for e in exponents.T], axis=2
    )
    laplacian[:, -1] *= reach[:, 0]  # a slope is one power of length less than a value
    gradient[:, -1] *= reach
    # Along the normal the gradient is the given slope, not what the fit makes of it.
    normal = normals[nodes]
    gradient -= (gradient @ normal[:, :, None]) * normal[:, None]
    gradient[:, -1] += normal
    return condition, laplacian, gradient


def _monomials(x: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Monomials [n, k, m] of scaled offsets [n, k, d]."""
    powers_of = [np.ones_like(x)]
    for _ in range(int(exponents.max())):
        powers_of.append(powers_of[-1] * x)
    result = np.ones((*x.shape[:2], len(exponents)))
    for column, exponent in enumerate(exponents):
        for axis, power in enumerate(exponent):
            if power:
                result[..., column] *= powers_of[power][..., axis]
    return result


def _condition(r: np.ndarray) -> np.ndarray:
    """Condition numbers (Frobenius, over m) of triangular matrices [n, m, m]."""
    diagonal = np.abs(np.diagonal(r, axis1=1, axis2=2))
    singular = diagonal.min(axis=1) <= 1e-13 * diagonal.max(axis=1)
    safe = np.where(singular[:, None, None], np.eye(r.shape[1]), r)
    inverse = np.linalg.inv(safe)
    value = np.linalg.norm(safe, axis=(1, 2)) * np.linalg.norm(inverse, axis=(1, 2)) / r.shape[1]
    return np.where(singular, np.inf, value)


def _smallest(q: torch.Tensor, r: torch.Tensor, moments: np.ndarray, size: int) -> np.ndarray:
    """Smallest weights [n, k] with given moments over the first monomials: `Q R^-T c`."""
    right = torch.from_numpy(np.ascontiguousarray(moments[:, :size, None]))
    y = torch.linalg.solve_triangular(r[:, :size, :size].mT, right, upper=False)
    return (q[:, :, :size] @ y)[..., 0].numpy()
