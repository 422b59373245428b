"""A triangle mesh as the domain of a system: what is inside, how far the boundary is, and where."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.meshes.locating import EdgeFinder
from pinn_ext.datasets.meshes.reading import read_mesh
from pinn_ext.datasets.meshes.triangle_mesh import TriangleMesh
from pinn_ext.datasets.once_per_points import OncePerPoints
from pinn_ext.systems.domains import Geometry
from solvers.operators.meshes import edge_normals, node_normals

_NEAR = 1e-6  # of a side: positions in float32 miss the boundary by rounding


class MeshDomain(Geometry):
    """The triangles of a mesh; its box is the smallest that holds them.

    Distances and normals are those of its edges, which are straight, and exact. What is asked of
    the same points again and again is found once; copies are the domain itself, as it never
    changes.

    Args:
        mesh: as read.

    Attributes:
        mesh: the same.

    Example:
        >>> from pinn_ext.datasets.meshes import TriangleMesh
        >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> sides = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
        >>> square = MeshDomain(TriangleMesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), sides))
        >>> square.depth(torch.tensor([[0.5, 0.25], [2.0, 0.5]], dtype=torch.float64)).tolist()
        [0.25, -1.0]
        >>> inside = torch.tensor([[0.5, 0.25], [2.0, 0.5]], dtype=torch.float64)
        >>> square.contains(inside).tolist(), square.boundary_nodes(spacing=0.5).shape
        ([True, False], torch.Size([8, 2]))
        >>> ends = torch.tensor([[0.5, 0.0], [1.0, 0.5]], dtype=torch.float64)
        >>> square.normals(ends).tolist(), len(square.boundary_samples(5))
        ([[0.0, -1.0], [1.0, -0.0]], 16)
        >>> square.groups, square.notes, square.is_whole([]), len(square.digest)
        ((), (), False, 64)
        >>> square.on_groups([], ends).tolist()
        [False, False]
    """

    name: ClassVar[str] = "mesh"

    def __init__(self, mesh: TriangleMesh) -> None:
        super().__init__(mesh.lower, mesh.upper)
        self.mesh = mesh
        self._depth = OncePerPoints(self._depth_of)
        self._on_groups: dict[tuple[str, ...], OncePerPoints] = {}

    def __deepcopy__(self, memo: Any) -> MeshDomain:
        """Return the domain itself: networks are copied with their systems."""
        return self

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of parts of the boundary, sorted."""
        return tuple(sorted(self.mesh.groups))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the mesh when it was read, a sentence each."""
        return tuple(f"Mesh: {note[:1].lower()}{note[1:]}" for note in self.mesh.notes)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of points, triangles and groups, in their order."""
        own = hashlib.sha256(self.mesh.points.tobytes() + self.mesh.triangles.tobytes())
        for name in self.groups:
            group = self.mesh.groups[name]
            own.update(name.encode() + group.nodes.tobytes() + group.edges.tobytes())
        return own.hexdigest()

    def depth(self, x: Tensor) -> Tensor:
        """Return the distance `[N]` of points `[N, 2]` to the boundary, below 0 outside; exact."""
        return self._depth(x)

    def contains(self, x: Tensor) -> Tensor:
        """Return which points `[N, 2]` lie in a triangle or on the boundary, `[N]` bool."""
        return torch.from_numpy(self.mesh.contains(_points(x))).to(x.device)

    def boundary_nodes(self, spacing: float) -> Tensor:
        """Return the boundary's nodes, and points between where edges are longer than `spacing`."""
        start, along, length = self._edges
        count = np.ceil(length / spacing * (1 - 1e-9)).astype(np.int64).clip(min=1)
        edge = np.repeat(np.arange(len(count)), count)
        place = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
        return torch.from_numpy(start[edge] + (place / count[edge])[:, None] * along[edge])

    def boundary_samples(self, per_axis: int) -> Tensor:
        """Return points `[M, 2]` of the boundary for means, equally spaced along its edges."""
        start, along, length = self._edges
        end = np.cumsum(length)
        count = int(np.ceil(end[-1] * (per_axis - 1) / self.side))
        at = (np.arange(count) + 0.5) * (end[-1] / count)
        edge = np.searchsorted(end, at).clip(max=len(end) - 1)
        share = 1.0 - (end[edge] - at) / length[edge]
        return torch.from_numpy(start[edge] + share.clip(0.0, 1.0)[:, None] * along[edge])

    def normals(self, x: Tensor) -> Tensor:
        """Return outward unit normals `[N, 2]` at points of the boundary, of the nearest edge.

        At a node it is the mean of those of its two edges, as on the mesh's graph.
        """
        points, edges = self.mesh.points, self.mesh.boundary_edges
        edge, share, _ = self.mesh.boundary_finder(_points(x))
        normal = edge_normals(points, edges)[0][edge]
        length, near = self._edges[2][edge], _NEAR * self.side
        means = node_normals(points, edges)
        for end, distance in enumerate((share * length, (1.0 - share) * length)):
            mean = means[edges[edge, end]]
            taken = (distance <= near) & mean.any(axis=1)  # 0 at the tip of a slit
            normal[taken] = mean[taken]
        return torch.from_numpy(normal).to(x)

    def on_groups(self, names: Sequence[str], x: Tensor) -> Tensor:
        """Return which points `[N, 2]` lie on groups of the boundary, `[N]` bool.

        A group whose file names nodes alone has the edges between them.

        Args:
            names: of the groups.
            x: positions.

        Raises:
            ArgumentError: if there is no such group; the message lists those that there are.
        """
        key = tuple(names)
        if key not in self._on_groups:
            self._on_groups[key] = OncePerPoints(_On(self, self._pieces(key)))
        return self._on_groups[key](x)

    def is_whole(self, names: Sequence[str]) -> bool:
        """Return whether groups are all of the boundary."""
        return bool(self._edges_of(names).all())

    # ---- in numpy ------------------------------------------------------------------------------

    @cached_property
    def _edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start `[B, 2]`, extent `[B, 2]` and length `[B]` of the boundary edges."""
        ends = self.mesh.points[self.mesh.boundary_edges]
        along = ends[:, 1] - ends[:, 0]
        return ends[:, 0], along, np.linalg.norm(along, axis=1)

    def _depth_of(self, points: np.ndarray) -> np.ndarray:
        distance = self.mesh.boundary_finder(points)[2]
        return np.where(self.mesh.contains(points), distance, -distance)

    def _edges_of(self, names: Sequence[str]) -> np.ndarray:
        """Return which boundary edges belong to groups, `[B]` bool."""
        self.mesh.group_mask(names)  # refuses unknown ones
        edges, count = self.mesh.boundary_edges, len(self.mesh.points)
        keys = edges[:, 0] * count + edges[:, 1]
        found = np.zeros(len(edges), dtype=bool)
        for name in names:
            group = self.mesh.groups[name]
            if len(group.edges):
                found |= np.isin(keys, group.edges[:, 0] * count + group.edges[:, 1])
            else:
                found |= np.isin(edges, group.nodes).all(axis=1)
        return found

    def _pieces(self, names: Sequence[str]) -> np.ndarray:
        """Return edges of groups `[E, 2]`, and nodes without one as edges of length 0."""
        edges = self.mesh.boundary_edges[self._edges_of(names)]
        alone = np.setdiff1d(self.mesh.group_mask(names).nonzero()[0], edges)
        return np.concatenate([edges, np.stack([alone, alone], axis=1)])


class _On:
    """Says which points lie on some edges."""

    def __init__(self, domain: MeshDomain, edges: np.ndarray) -> None:
        self._near = _NEAR * domain.side
        self._finder = EdgeFinder(domain.mesh.points, edges) if len(edges) else None

    def __call__(self, points: np.ndarray) -> np.ndarray:
        if self._finder is None:
            return np.zeros(len(points), dtype=bool)
        return self._finder(points)[2] <= self._near


def mesh_domain(path: str) -> MeshDomain:
    """Read a mesh file as a domain.

    Args:
        path: of the file, see `read_mesh`.

    Returns:
        The domain.

    Raises:
        ArgumentError: see `read_mesh`; also if no node lies inside.
        ValueError: if a package is not installed that the format needs.

    Example:
        >>> import tempfile
        >>> import meshio
        >>> corners = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.2, 0.0]]
        >>> mesh = meshio.Mesh(corners, {"triangle": [[0, 1, 3], [1, 2, 3], [2, 0, 3]]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     mesh.write(f"{folder}/corner.vtu")
        ...     corner = mesh_domain(f"{folder}/corner.vtu")
        >>> corner.contains(torch.tensor([[0.2, 0.3], [0.8, 0.3]], dtype=torch.float64)).tolist()
        [True, False]
    """
    mesh = read_mesh(path)
    if len(mesh.boundary_nodes) == len(mesh.points):
        raise ArgumentError("path", "hold a mesh with nodes inside", f"none in {path}")
    return MeshDomain(mesh)


def _points(x: Tensor) -> np.ndarray:
    return x.detach().to("cpu", torch.float64).numpy()
