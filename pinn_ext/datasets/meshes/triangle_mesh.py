"""A plane triangle mesh with its boundary: points inside, means, and values between the nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components

from pinn_ext.checks import ArgumentError, check_choice, check_number
from pinn_ext.datasets.meshes.checks import loops
from pinn_ext.datasets.meshes.locating import EdgeFinder, TriangleFinder

_OUTSIDE = ("refuse", "nearest")


class BoundaryGroup(NamedTuple):
    """A named part of the boundary.

    Attributes:
        nodes: node numbers `[K]`, ascending.
        edges: `[E, 2]`, the domain to their left; none where the file names nodes alone.

    Example:
        >>> mesh = TriangleMesh(
        ...     points=np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
        ...     triangles=np.array([[0, 1, 2]]),
        ...     boundary_edges=np.array([[0, 1], [1, 2], [2, 0]]),
        ...     groups={"floor": BoundaryGroup(np.array([0, 1]), np.array([[0, 1]]))},
        ... )
        >>> mesh.group_mask("floor").tolist()
        [True, True, False]
    """

    nodes: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True, eq=False)
class TriangleMesh:
    """Triangles in the plane that share whole edges, in the units of length of their file.

    Attributes:
        points: `[N, 2]`, float64, all different and each in a triangle.
        triangles: node numbers `[M, 3]`, counterclockwise.
        boundary_edges: `[B, 2]`, edges of one triangle alone, the domain to their left.
        groups: named parts of the boundary.
        notes: what was done to the mesh on the way, a sentence each.
        source: path of the file.
        origin: number `[N]` that each node has in the file, from 0.

    Example:
        >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> sides = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
        >>> halves, floor = np.array([[0, 1, 2], [0, 2, 3]]), BoundaryGroup(sides[0], sides[:1])
        >>> square = TriangleMesh(corners, halves, sides, groups={"floor": floor})
        >>> square.area, square.contains([[0.5, 0.5], [1.5, 0.5]]).tolist()
        (1.0, [True, False])
        >>> square.interpolate(corners[:, 0], [[0.25, 0.75]]).tolist()
        [0.25]
        >>> square.areas.tolist(), square.lower, square.upper, square.parts.tolist()
        ([0.5, 0.5], (0.0, 0.0), (1.0, 1.0), [0, 0, 0, 0])
        >>> square.boundary_nodes.tolist(), [loop.tolist() for loop in square.boundary_loops]
        ([0, 1, 2, 3], [[0, 1, 2, 3]])
        >>> square.group_mask("floor").tolist()
        [True, True, False, False]
        >>> triangles, weights = square.locate([[0.75, 0.25], [2.0, 2.0]])
        >>> triangles.tolist(), weights[0].tolist()
        ([0, -1], [0.25, 0.5, 0.25])
        >>> square.contains(square.sample(3)).tolist()
        [True, True, True]
    """

    points: np.ndarray
    triangles: np.ndarray
    boundary_edges: np.ndarray
    groups: Mapping[str, BoundaryGroup] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    source: str = ""
    origin: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @cached_property
    def boundary_nodes(self) -> np.ndarray:
        """Nodes of the boundary edges `[K]`, ascending."""
        return np.unique(self.boundary_edges)

    @cached_property
    def boundary_loops(self) -> list[np.ndarray]:
        """Closed loops of boundary nodes `[L]`: counterclockwise but around holes."""
        return loops(self.boundary_edges)

    @cached_property
    def areas(self) -> np.ndarray:
        """Areas of the triangles `[M]`."""
        a, b, c = (self.points[self.triangles[:, k]] for k in range(3))
        return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])

    @property
    def area(self) -> float:
        """Area of all triangles."""
        return float(self.areas.sum())

    @cached_property
    def lower(self) -> tuple[float, float]:
        """Smallest coordinates."""
        low = self.points.min(axis=0)
        return float(low[0]), float(low[1])

    @cached_property
    def upper(self) -> tuple[float, float]:
        """Largest coordinates."""
        high = self.points.max(axis=0)
        return float(high[0]), float(high[1])

    @cached_property
    def parts(self) -> np.ndarray:
        """Number of the connected part that each node is in `[N]`, from 0."""
        ends = np.concatenate([self.triangles[:, :2], self.triangles[:, 1:]])
        shape = (len(self.points),) * 2
        joined = sp.coo_matrix((np.ones(len(ends)), ends.T), shape)
        return connected_components(joined, directed=False)[1]

    def group_mask(self, names: str | Iterable[str]) -> np.ndarray:
        """Return which nodes lie in one or several boundary groups, `[N]` bool.

        Args:
            names: of groups.

        Raises:
            ArgumentError: if there is no such group; the message lists those that there are.
        """
        mask = np.zeros(len(self.points), dtype=bool)
        for name in [names] if isinstance(names, str) else names:
            if not self.groups:
                raise ArgumentError("group", "name a group of the mesh, which has none", repr(name))
            mask[self.groups[check_choice("group", name, self.groups)].nodes] = True
        return mask

    def locate(self, x: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return the triangles `[K]` that points lie in, -1 outside, and their weights `[K, 3]`.

        Args:
            x: `[K, 2]`.

        Raises:
            ArgumentError: if the points have another shape or are not finite.
        """
        return self._finder(self._checked(x))

    def contains(self, x: ArrayLike) -> np.ndarray:
        """Return which points `[K, 2]` lie in a triangle or on the boundary, `[K]` bool."""
        return self.locate(x)[0] >= 0

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Return random points in the triangles, uniform by area.

        Args:
            count: number of points.
            seed: the same seed gives the same points.

        Returns:
            `[count, 2]`.

        Raises:
            ArgumentError: if one of them is no whole number in its range.
        """
        check_number("count", count, 1, integer=True)
        check_number("seed", seed, 0, integer=True)
        draw = np.random.default_rng(seed)
        triangle = draw.choice(len(self.triangles), size=count, p=self.areas / self.areas.sum())
        # The square root makes the corner's share uniform in area: Osada et al., Shape
        # distributions, ACM Trans. Graphics 21 (2002), equation (1).
        root, share = np.sqrt(draw.random(count)), draw.random(count)
        weights = np.stack([1.0 - root, root * (1.0 - share), root * share], axis=1)
        return np.einsum("kc,kcd->kd", weights, self.points[self.triangles[triangle]])

    def interpolate(self, values: ArrayLike, x: ArrayLike, outside: str = "refuse") -> np.ndarray:
        """Return values between the nodes, linear in each triangle.

        Args:
            values: at the nodes, `[N]` or `[N, F]`.
            x: `[K, 2]`.
            outside: what happens at points in no triangle: `"refuse"`, or `"nearest"`, which takes
                the value at the nearest point of the boundary (nodes of one mesh on a curved
                boundary lie a little outside of another one).

        Returns:
            `[K]` or `[K, F]`.

        Raises:
            ArgumentError: if values or points have another shape or are not finite, or a point
                lies outside.
        """
        check_choice("outside", outside, _OUTSIDE)
        at, given = self._checked(x), np.asarray(values, dtype=np.float64)
        if given.ndim not in (1, 2) or len(given) != len(self.points):
            wanted = f"have shape [{len(self.points)}] or [{len(self.points)}, F]"
            raise ArgumentError("values", wanted, list(given.shape))
        if not np.isfinite(given).all():
            bad = int((~np.isfinite(given)).sum())
            raise ArgumentError("values", "be finite", f"{bad} that are not")
        triangle, weights = self._finder(at)
        nodes = self.triangles[triangle]
        lost = np.flatnonzero(triangle < 0)
        if lost.size and outside == "refuse":
            point = ", ".join(f"{value:g}" for value in at[lost[0]])
            raise ArgumentError("x", "lie in the mesh", f"{lost.size} outside, the first ({point})")
        if lost.size:
            edge, share, _ = self.boundary_finder(at[lost])
            ends = self.boundary_edges[edge]
            nodes[lost] = np.concatenate([ends, ends[:, :1]], axis=1)
            weights[lost] = np.stack([1.0 - share, share, np.zeros_like(share)], axis=1)
        return np.einsum("kc,kc...->k...", weights, given[nodes])

    @cached_property
    def _finder(self) -> TriangleFinder:
        return TriangleFinder(self.points, self.triangles)

    @cached_property
    def boundary_finder(self) -> EdgeFinder:
        """Finds the nearest of the boundary edges, by their numbers."""
        return EdgeFinder(self.points, self.boundary_edges)

    def _checked(self, x: ArrayLike) -> np.ndarray:
        points = np.asarray(x, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ArgumentError("x", "have shape [K, 2]", list(points.shape))
        if not np.isfinite(points).all():
            raise ArgumentError("x", "be finite", f"{(~np.isfinite(points)).sum()} that are not")
        return points
