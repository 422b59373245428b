"""Triangle meshes that other programs made: read, checked, and turned into graphs.

In comes the path of a file, out comes a `TriangleMesh`: points `[N, 2]`, triangles `[M, 3]`, the
edges of its boundary, and groups of these by the names that the file has for them. Read
`triangle_mesh` first, then `reading`. `meshio_files` asks meshio, `groups` finds named parts of the
boundary, `cleaning` drops and merges what no graph can have and says so, `checks` refuses what
overlaps, `locating` finds the triangles of points and the nearest edges, `graphs` hands a mesh to
the builders of `solvers.operators`, `domain` makes it the domain of a system. meshio is imported
when a file is read.
"""

from __future__ import annotations

from pinn_ext.datasets.meshes.domain import MeshDomain, mesh_domain
from pinn_ext.datasets.meshes.graphs import mesh_graph
from pinn_ext.datasets.meshes.reading import ENDINGS, read_mesh
from pinn_ext.datasets.meshes.triangle_mesh import BoundaryGroup, TriangleMesh

__all__ = [
    "ENDINGS",
    "BoundaryGroup",
    "MeshDomain",
    "TriangleMesh",
    "mesh_domain",
    "mesh_graph",
    "read_mesh",
]
