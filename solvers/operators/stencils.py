"""Finite-difference weights on a line, solved in rational arithmetic.

A line has unit spacing and nodes 0 … n - 1. The weights of order p reproduce every polynomial up to
degree p (first derivative) or p + 1 (second derivative); beside a side that is not periodic the
stencil is moved inwards, and on a Neumann side it takes the given slope in, in the place of one
value. The method of undetermined coefficients: LeVeque, Finite Difference Methods (2007), section
1.5; the same weights as Fornberg, Math. Comp. 51 (1988), 699, where no slope is used.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

ORDERS = (2, 4, 6)
SIDES = ("periodic", "dirichlet", "neumann")


@functools.lru_cache(maxsize=256)
def derivative_weights(
    nodes: tuple[int, ...], slopes: tuple[int, ...], derivative: int
) -> tuple[list[float], list[float]]:
    """Weights of values and slopes that give a derivative at 0.

    Args:
        nodes: Positions where the value is used.
        slopes: Positions where the first derivative is used.
        derivative: Which derivative, 1 or 2.

    Returns:
        Weights of the values and of the slopes, exact for polynomials of a degree below their
        number.

    Example:
        >>> derivative_weights((-1, 0, 1), (), 2), derivative_weights((0, 1), (0,), 2)
        (([1.0, -2.0, 1.0], []), ([-2.0, 2.0], [-2.0]))
    """
    size = len(nodes) + len(slopes)
    rows = []
    for q in range(size):
        row = [Fraction(x) ** q for x in nodes]
        row += [Fraction(q) * Fraction(x) ** (q - 1) if q else Fraction(0) for x in slopes]
        rows.append([*row, Fraction(derivative if q == derivative == 2 else int(q == derivative))])
    for pivot in range(size):
        best = next(r for r in range(pivot, size) if rows[r][pivot])
        rows[pivot], rows[best] = rows[best], rows[pivot]
        rows[pivot] = [x / rows[pivot][pivot] for x in rows[pivot]]
        for r in range(size):
            if r != pivot and (factor := rows[r][pivot]):
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[pivot], strict=True)]
    weights = [float(row[-1]) for row in rows]
    return weights[: len(nodes)], weights[len(nodes) :]


def fewest_nodes(order: int, sides: Sequence[str]) -> int:
    """Smallest number of nodes of a line, given its order and its two sides."""
    if sides[0] == "periodic":
        return order + 1
    return 3 if order == 2 else order + 2


@dataclass
class Line:
    """Derivatives along a line of unit spacing, as lists of entries.

    Attributes:
        source: [E] node j of an entry.
        target: [E] node i; ascending.
        second: [E] weight of `u_j - u_i` in the second derivative.
        first: [E] the same in the first derivative.
        side: [F] which side an entry of a given slope belongs to, 0 or 1.
        slope_target: [F] node i of such an entry.
        slope_second: [F] weight of the slope (inwards at side 0, outwards at side 1).
        slope_first: [F] the same in the first derivative.
    """

    source: np.ndarray
    target: np.ndarray
    second: np.ndarray
    first: np.ndarray
    side: np.ndarray
    slope_target: np.ndarray
    slope_second: np.ndarray
    slope_first: np.ndarray


def line(count: int, order: int, sides: Sequence[str]) -> Line:
    """Derivatives along a line; those at Dirichlet nodes have weight zero.

    Args:
        count: Number of nodes, at least `fewest_nodes(order, sides)`.
        order: 2, 4 or 6.
        sides: What the two sides are, of `SIDES`.

    Returns:
        The entries, node by node from left to right.
    """
    entries: list[tuple[int, int, float, float]] = []
    slopes: list[tuple[int, int, float, float]] = []
    half = order // 2
    for i in range(count):
        if sides[0] == "periodic" or half <= i < count - half:
            reach = [k for k in range(-half, half + 1)]
            central2, central1 = (derivative_weights(tuple(reach), (), m)[0] for m in (2, 1))
            rows = zip(reach, central2, central1, strict=True)
            entries += [((i + k) % count, i, w2, w1) for k, w2, w1 in rows if k]
            continue
        side = int(i > count - 1 - i)
        end = side * (count - 1)
        # On Dirichlet nodes nothing is computed; the edges stay, as the graph is undirected.
        given = i == end and sides[side] == "dirichlet"
        inwards = -1 if side else 1
        second, slope2 = _beside(end - i, inwards, order + 2, 2, sides[side])
        first, slope1 = _beside(end - i, inwards, order + 1, 1, sides[side])
        for k in sorted((set(second) | set(first)) - {0}):
            if given and abs(k) > half:
                continue
            zero = 0.0 if given else 1.0
            entries.append((i + k, i, zero * second.get(k, 0.0), zero * first.get(k, 0.0)))
        if sides[side] == "neumann":
            slopes.append((side, i, slope2, slope1))
    columns = [np.array(c) for c in zip(*entries, strict=True)]
    extra = [np.array(c) for c in zip(*slopes, strict=True)] if slopes else [np.empty(0)] * 4
    source, target = (c.astype(np.int64) for c in columns[:2])
    side_of, slope_target = (c.astype(np.int64) for c in extra[:2])
    return Line(source, target, columns[2], columns[3], side_of, slope_target, extra[2], extra[3])


def _beside(
    end: int, inwards: int, size: int, derivative: int, side: str
) -> tuple[dict[int, float], float]:
    """Weights by distance, and that of the slope, of a stencil that starts at a side."""
    slopes = (end,) if side == "neumann" else ()
    nodes = tuple(end + inwards * k for k in range(size - len(slopes)))
    values, given = derivative_weights(nodes, slopes, derivative)
    return dict(zip(nodes, values, strict=True)), sum(given)
