"""Pieces of a mesh near points: which triangles hold a point, which edge is nearest to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree


class Neighbourhoods:
    """Pieces by their middle and radius, in classes of like size, each with a k-d tree.

    A piece that holds a point has its middle within its own radius of it. One tree for all would
    have to look as far as the largest piece; in a class radii differ by a factor of two at most, so
    that few pieces are looked at in vain however much the mesh is graded.

    Args:
        middle: `[K, 2]`.
        radius: `[K]`, of circles around them that hold the pieces.
    """

    def __init__(self, middle: np.ndarray, radius: np.ndarray) -> None:
        size = np.floor(np.log2(np.maximum(radius, np.finfo(float).tiny))).astype(int)
        self._classes = []
        for one in np.unique(size):
            members = np.flatnonzero(size == one)
            self._classes.append((cKDTree(middle[members]), members, radius[members].max()))

    def pairs(self, x: np.ndarray, reach: float | np.ndarray = 0.0) -> Iterator[np.ndarray]:
        """Yield pairs `[2, P]` of points and pieces that may touch, a class at a time.

        Args:
            x: points `[M, 2]`.
            reach: added to the radius of the pieces, one number or `[M]`.
        """
        for tree, members, radius in self._classes:
            found = tree.query_ball_point(x, radius * (1 + 1e-9) + reach, return_sorted=False)
            count = np.fromiter(map(len, found), dtype=np.int64, count=len(x))
            if count.any():
                near = np.concatenate([np.asarray(each, dtype=np.int64) for each in found])
                yield np.stack([np.repeat(np.arange(len(x)), count), members[near]])


class TriangleFinder:
    """Finds the triangles that hold points, on the boundary too.

    Args:
        points: `[N, 2]`.
        triangles: `[M, 3]`, counterclockwise.
    """

    def __init__(self, points: np.ndarray, triangles: np.ndarray) -> None:
        corners = points[triangles]
        middle = corners.mean(axis=1)
        radius = np.linalg.norm(corners - middle[:, None], axis=2).max(axis=1)
        self._near = Neighbourhoods(middle, radius)
        self._first = corners[:, 0]
        # Rows of the inverse of the two edges from the first corner: the other two coordinates.
        edges = (corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1)
        self._inverse = np.linalg.inv(edges)

    def __call__(self, x: np.ndarray, slack: float = 1e-9) -> tuple[np.ndarray, np.ndarray]:
        """Return for each point a triangle `[K]`, -1 outside, and barycentric coordinates `[K, 3]`.

        Of several triangles, on an edge or at a node, it is the one that a point lies deepest in.

        Args:
            x: `[K, 2]`.
            slack: how far below 0 a coordinate may be, by which points on curved boundaries or
                moved by rounding still count.
        """
        triangle = np.full(len(x), -1, dtype=np.int64)
        weights = np.zeros((len(x), 3))
        depth = np.full(len(x), -np.inf)
        for point, near in self._near.pairs(x):
            two = np.einsum("pij,pj->pi", self._inverse[near], x[point] - self._first[near])
            three = np.concatenate([1.0 - two.sum(axis=1, keepdims=True), two], axis=1)
            lowest = three.min(axis=1)
            order = np.argsort(lowest, kind="stable")
            order = order[lowest[order] > depth[point[order]]]
            # Of the same point the last one stays, which lies deepest.
            depth[point[order]] = lowest[order]
            triangle[point[order]] = near[order]
            weights[point[order]] = three[order]
        outside = depth < -slack
        triangle[outside] = -1
        weights[outside] = 0.0
        return triangle, weights


class EdgeFinder:
    """Finds the nearest of some edges; one of length 0 is a point.

    Args:
        points: `[N, 2]`.
        edges: node numbers `[E, 2]`, E > 0.
    """

    def __init__(self, points: np.ndarray, edges: np.ndarray) -> None:
        ends = points[edges]
        self._start, self._along = ends[:, 0], ends[:, 1] - ends[:, 0]
        length = np.linalg.norm(self._along, axis=1)
        self._squared = np.where(length > 0.0, length**2, 1.0)
        self._near = Neighbourhoods(ends.mean(axis=1), length / 2)
        self._ends = cKDTree(ends.reshape(-1, 2))
        self._slack = 1e-12 * float(np.abs(ends).max())  # rounding of the circles' middles

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return for each point an edge `[K]`, how far along it, in [0, 1], and the distance `[K]`.

        Args:
            x: `[K, 2]`.
        """
        best, edge, share = np.full(len(x), np.inf), np.zeros(len(x), np.int64), np.zeros(len(x))
        if not len(x):
            return edge, share, best
        reach = self._ends.query(x)[0] * (1 + 1e-9) + self._slack
        for point, near in self._near.pairs(x, reach):
            to = x[point] - self._start[near]
            part = (to * self._along[near]).sum(axis=1) / self._squared[near]
            part = part.clip(0.0, 1.0)
            distance = np.linalg.norm(to - part[:, None] * self._along[near], axis=1)
            order = np.argsort(-distance, kind="stable")
            order = order[distance[order] < best[point[order]]]
            # Of the same point the last one stays, which is nearest.
            best[point[order]], edge[point[order]] = distance[order], near[order]
            share[point[order]] = part[order]
        return edge, share, best
