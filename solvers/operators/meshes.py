"""Triangulations: checks, boundary, rings of neighbours, and the linear finite element."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

# A triangle's area over the square of its longest edge; 0.43 if equilateral.
THINNEST = 1e-10


def mesh_problem(points: np.ndarray, triangles: np.ndarray) -> str | None:
    """Say what is wrong with a triangulation, or None; the caller raises."""
    if triangles.ndim != 2 or triangles.shape[1] != 3 or not len(triangles):
        return f"`triangles` must have shape [T, 3] with T > 0, got {list(triangles.shape)}."
    if points.ndim != 2 or points.shape[1] != 2:
        return f"`points` must have shape [N, 2], got {list(points.shape)}."
    if not np.issubdtype(triangles.dtype, np.integer):
        return f"`triangles` must be whole numbers, got {triangles.dtype}."
    low, high = triangles.min(), triangles.max()
    if low < 0 or high >= len(points):
        return f"`triangles` must lie in [0, {len(points)}), got {low} to {high}."
    outside = np.setdiff1d(np.arange(len(points)), triangles)
    if outside.size:
        return (
            "`triangles` must use every node, got "
            f"{outside.size} nodes outside every triangle, the first is node {outside[0]}."
        )
    area, longest = _areas(points, triangles)
    thin = np.abs(area) <= THINNEST * longest**2
    if thin.any():
        first = int(thin.argmax())
        return (
            f"`triangles` must have an area above {THINNEST:.0e} of their longest edge squared, "
            f"got {area[first]:.1e} in triangle {first} and {thin.sum()} such triangles."
        )
    half = _half_edges(turned(points, triangles)).astype(np.int64)
    _, count = np.unique(_keys(np.sort(half, axis=1), len(points)), return_counts=True)
    if count.max() > 2:
        return f"`triangles` must share an edge between two at most, got {count.max()} on one edge."
    _, count = np.unique(_keys(half, len(points)), return_counts=True)
    if folded := int((count > 1).sum()):
        return (
            "`triangles` must not overlap, got "
            f"{folded} edges of {len(count)} with two triangles on the same side."
        )
    return None


def _areas(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    return area, np.max([np.linalg.norm(e, axis=1) for e in (b - a, c - b, a - c)], axis=0)


def turned(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Triangles counterclockwise, each of them turned if need be."""
    area, _ = _areas(points, triangles)
    return np.where(area[:, None] > 0, triangles, triangles[:, ::-1])


def _keys(edges: np.ndarray, num_nodes: int) -> np.ndarray:
    """A number [E] for each edge [E, 2] and its direction."""
    return edges[:, 0] * num_nodes + edges[:, 1]


def _half_edges(triangles: np.ndarray) -> np.ndarray:
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])


def boundary_edges(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Edges [B, 2] of one triangle only, the domain to their left."""
    half = _half_edges(turned(points, triangles)).astype(np.int64)
    back = _keys(half[:, ::-1], len(points))
    return half[~np.isin(_keys(half, len(points)), back)]


def edge_normals(points: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outward unit normals [B, 2] and lengths [B] of boundary edges."""
    along = points[edges[:, 1]] - points[edges[:, 0]]
    length = np.linalg.norm(along, axis=1)
    return np.stack([along[:, 1], -along[:, 0]], axis=1) / length[:, None], length


def node_normals(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Outward unit normals [N, 2] of boundary nodes, the mean of their two edges'; 0 inside."""
    normal, _ = edge_normals(points, edges)
    total = np.zeros_like(points)
    for end in (0, 1):
        np.add.at(total, edges[:, end], normal)
    size = np.linalg.norm(total, axis=1, keepdims=True)
    return np.divide(total, size, out=np.zeros_like(total), where=size > 1e-12)


class Rings:
    """Neighbours of nodes by rings of triangles: those that share one, then their neighbours."""

    def __init__(self, points: np.ndarray, triangles: np.ndarray) -> None:
        half = _half_edges(triangles)
        n = len(points)
        ones = np.ones(len(half), dtype=np.float32)
        one_way = sp.csr_matrix((ones, (half[:, 0], half[:, 1])), (n, n))
        self._points = points
        self._ring = (one_way + one_way.T + sp.identity(n, dtype=np.float32, format="csr")).tocsr()

    def __call__(self, nodes: np.ndarray, count: int) -> np.ndarray:
        """The nearest `count` nodes [n, count] of as few whole rings as hold so many.

        Args:
            nodes: [n] node numbers.
            count: Neighbours wanted.

        Returns:
            Node numbers, the nearest first, -1 where the mesh has no more.
        """
        result = np.full((len(nodes), count), -1, dtype=np.int64)
        left = np.arange(len(nodes))
        reached = self._ring[nodes] @ self._ring
        while left.size:
            size = np.diff(reached.indptr)
            short = np.flatnonzero(size <= count)  # the node itself counts among them
            wider = reached[short] @ self._ring
            more = np.diff(wider.indptr) > size[short]
            done = np.ones(len(left), dtype=bool)
            done[short[more]] = False
            if done.any():
                result[left[done]] = self._nearest(nodes[left[done]], reached[done], count)
            left, reached = left[~done], wider[more]
        return result

    def _nearest(self, nodes: np.ndarray, reached: sp.csr_matrix, count: int) -> np.ndarray:
        size = np.diff(reached.indptr)
        row = np.repeat(np.arange(len(nodes)), size)
        distance = np.linalg.norm(self._points[reached.indices] - self._points[nodes[row]], axis=1)
        order = np.lexsort((reached.indices, distance, row))
        place = np.arange(len(order)) - np.repeat(reached.indptr[:-1], size)
        # The nearest of all is the node itself.
        keep = (place > 0) & (place <= count)
        result = np.full((len(nodes), count), -1, dtype=np.int64)
        result[row[keep], place[keep] - 1] = reached.indices[order][keep]
        return result


def finite_element(points: np.ndarray, triangles: np.ndarray) -> dict[str, np.ndarray]:
    """The linear element with lumped masses, as weights of edges.

    `w_ij = -K_ij / m_i` with the stiffness matrix K (the cotangent formula) and a third of the
    triangles' areas m; the gradient at a node is the mean over its triangles, by area.

    Args:
        points: [N, 2].
        triangles: [T, 3], of a checked mesh.

    Returns:
        Attributes of the graph, see `solvers.operators.grid_graph`, and `boundary_nodes`.
    """
    triangles = turned(points, triangles)
    n = len(points)
    area, _ = _areas(points, triangles)
    mass = np.bincount(triangles.ravel(), np.repeat(area, 3) / 3.0, n)
    # Gradients of the three hat functions: the opposite edge, turned by a right angle.
    opposite = points[np.roll(triangles, 1, axis=1)] - points[np.roll(triangles, -1, axis=1)]
    hat = np.stack([-opposite[..., 1], opposite[..., 0]], axis=2) / (2.0 * area[:, None, None])
    rows, columns, stiffness, slopes = [], [], [], []
    for i in range(3):
        for j in range(3):
            if i != j:
                rows.append(triangles[:, i])
                columns.append(triangles[:, j])
                stiffness.append(area * (hat[:, i] * hat[:, j]).sum(axis=1))
                slopes.append(area[:, None] / 3.0 * hat[:, j])
    row, column = np.concatenate(rows), np.concatenate(columns)
    key, first, place = np.unique(row * n + column, return_index=True, return_inverse=True)
    target = row[first]
    values = np.concatenate([np.concatenate(stiffness)[:, None], np.concatenate(slopes)], axis=1)
    total: np.ndarray = np.stack([np.bincount(place, v, len(key)) for v in values.T], axis=1)
    total = total / mass[target, None]
    edges = boundary_edges(points, triangles)
    normal, length = edge_normals(points, edges)
    ends = edges.T.ravel()
    return {
        "edge_index": np.stack([column[first], target]),
        "edge_laplacian": -total[:, 0],
        "edge_gradient": total[:, 1:],
        "flux_index": np.stack([ends, ends]),
        "flux_normal": np.tile(normal, (2, 1)),
        "flux_laplacian": np.tile(length, 2) / (2.0 * mass[ends]),
        "flux_gradient": np.zeros((len(ends), 2)),
        "boundary_nodes": np.unique(edges),
    }
