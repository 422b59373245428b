"""The graph of a mesh, with the operators' weights on its edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch_geometric.data import Data

from pinn_ext.checks import ArgumentError, check_choice
from pinn_ext.choices import ORDERS
from pinn_ext.datasets.meshes.triangle_mesh import TriangleMesh
from solvers.devices import on_cpu
from solvers.operators import finite_element_graph, triangulation_graph

_METHODS = ("triangulation", "finite_element")


def mesh_graph(
    mesh: TriangleMesh,
    *,
    method: str = "triangulation",
    order: int = 2,
    dirichlet: str | Sequence[str] | np.ndarray | None = None,
    dtype: torch.dtype = torch.float64,
) -> Data:
    """Build the graph of a mesh; nodes keep their numbers.

    Args:
        mesh: as read.
        method: `"triangulation"`, whose derivatives have their order at every node, or
            `"finite_element"`, whose solutions are second-order and keep mass exactly.
        order: of the derivatives, 2 or 4; 2 of the finite element.
        dirichlet: names of the boundary groups whose nodes have given values; boundary nodes in
            none of them let a given flux through, none by default. None gives values at all
            boundary nodes, an empty list at none. An array `[N]` of truth values has the nodes
            themselves.
        dtype: float32 or float64.

    Returns:
        A graph as `solvers.operators.triangulation_graph` describes it.

    Raises:
        ArgumentError: if there is no such method, order or group.
        ValueError: if the mesh has too few nodes for the order, in `solvers.operators`' words.

    Example:
        >>> import numpy as np
        >>> from pinn_ext.datasets.meshes import TriangleMesh
        >>> from solvers.operators import GraphOperators
        >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
        >>> triangles = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
        >>> mesh = TriangleMesh(corners, triangles, np.array([[0, 1], [1, 2], [2, 3], [3, 0]]))
        >>> graph = mesh_graph(mesh, method="finite_element")
        >>> graph.num_nodes, graph.boundary_mask.tolist()
        (5, [True, True, True, True, False])
    """
    check_choice("method", method, _METHODS)
    legal = ORDERS["triangulation"] if method == "triangulation" else (2,)
    if order not in legal:
        wanted = f"be one of {', '.join(map(str, legal))} for {method}"
        raise ArgumentError("order", wanted, repr(order))
    if isinstance(dirichlet, np.ndarray):
        boundary: str | np.ndarray = dirichlet
    else:
        boundary = "dirichlet" if dirichlet is None else mesh.group_mask(dirichlet)
    with on_cpu():
        if method == "finite_element":
            return finite_element_graph(mesh.points, mesh.triangles, boundary=boundary, dtype=dtype)
        return triangulation_graph(
            mesh.points, mesh.triangles, order=order, boundary=boundary, dtype=dtype
        )
