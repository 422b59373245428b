"""What a triangulation has that no graph can be made of, as a sentence; the caller raises.

`solvers.operators` refuses triangles without an area and such that overlap along an edge. A mesh
can also overlap itself where triangles share no edge: two parts that lie on each other, a strip
that crosses another one, nodes of one part in the middle of an edge of the next. It does if and
only if edges of its boundary cross or touch, or the boundary winds more than once around a part of
it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pinn_ext.datasets.meshes.locating import Neighbourhoods

_TOUCH = 1e-9  # of an edge's length


def overlap_problem(points: np.ndarray, triangles: np.ndarray, edges: np.ndarray) -> str | None:
    """Say where a mesh overlaps itself, or None.

    Args:
        points: `[N, 2]`.
        triangles: `[M, 3]`, counterclockwise, of which no two overlap along an edge.
        edges: of the boundary `[B, 2]`, the mesh to their left.

    Returns:
        What it must do and what came, `"…, got …"`.
    """
    start, along = points[edges[:, 0]], points[edges[:, 1]] - points[edges[:, 0]]
    for one, other in _near_edges(start, along):
        if (problem := _meeting(edges, start, along, one, other)) is not None:
            return problem
    for loop in loops(edges):
        inside = points[_owner(triangles, loop[0], loop[1])].mean(axis=0)
        turns = _winding(inside, start, start + along)
        if turns != 1:
            at = ", ".join(f"{value:g}" for value in inside)
            return f"have one layer of triangles everywhere, got {turns} at ({at})"
    return None


def loops(edges: np.ndarray) -> list[np.ndarray]:
    """Return the boundary as closed loops of nodes, the domain to their left.

    Args:
        edges: directed, `[B, 2]`.

    Returns:
        Node numbers `[L]` of each loop, which the first node closes; at a node where loops touch
        they may be joined to one.
    """
    follow: dict[int, list[int]] = {}
    for first, second in edges.tolist():
        follow.setdefault(first, []).append(second)
    found = []
    for first, _ in edges.tolist():
        loop, node = [], first
        while follow.get(node):
            loop.append(node)
            node = follow[node].pop()
        if loop:
            found.append(np.array(loop))
    return found


def _near_edges(start: np.ndarray, along: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield pairs of edges `[P]`, `[P]` whose circles touch."""
    middle, radius = start + along / 2, np.linalg.norm(along, axis=1) / 2
    for one, other in Neighbourhoods(middle, radius).pairs(middle, radius * (1 + 1e-9)):
        kept = one != other
        yield one[kept], other[kept]


def _meeting(
    edges: np.ndarray, start: np.ndarray, along: np.ndarray, one: np.ndarray, other: np.ndarray
) -> str | None:
    """Say which edges cross, or touch elsewhere than at a common node."""
    apart = start[other] - start[one]
    area = _cross(along[one], along[other])
    sizes = np.linalg.norm(along, axis=1)
    # Ends of the other edge: how far along and beside the first one, in its lengths.
    beside, place = [], []
    for end in (0, 1):
        to = apart + end * along[other]
        beside.append(_cross(along[one], to) / sizes[one] ** 2)
        place.append((along[one] * to).sum(axis=1) / sizes[one] ** 2)
        inside = (np.abs(beside[end]) < _TOUCH) & (place[end] > _TOUCH) & (place[end] < 1 - _TOUCH)
        if inside.any():
            which = int(inside.argmax())
            node = int(edges[other[which], end])
            ends = " and ".join(map(str, edges[one[which]].tolist()))
            return (
                "have no node in the middle of another triangle's edge, "
                f"got node {node} between {ends}"
            )
    with np.errstate(divide="ignore", invalid="ignore"):
        here = _cross(apart, along[other]) / area
        there = _cross(apart, along[one]) / area
        low, high = _TOUCH, 1 - _TOUCH
        crossing = (low < here) & (here < high) & (low < there) & (there < high)
    if crossing.any():
        which = int(crossing.argmax())
        met = start[one[which]] + here[which] * along[one[which]]
        at = ", ".join(f"{value:g}" for value in met)
        return f"not overlap, got two edges of the boundary that cross at ({at})"
    return None


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _owner(triangles: np.ndarray, first: int, second: int) -> np.ndarray:
    """Return the triangle that has both nodes."""
    both = (triangles == first).any(axis=1) & (triangles == second).any(axis=1)
    return triangles[both.argmax()]


def _winding(x: np.ndarray, start: np.ndarray, end: np.ndarray) -> int:
    """Return how often directed edges wind around a point that lies on none of them."""
    left = _cross(end - start, x - start)
    up = (start[:, 1] <= x[1]) & (end[:, 1] > x[1]) & (left > 0)
    down = (start[:, 1] > x[1]) & (end[:, 1] <= x[1]) & (left < 0)
    return int(up.sum()) - int(down.sum())
