"""What users call: graphs of grids, clouds of points and meshes, with the weights of operators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch_geometric.data import Data

from . import meshes
from .clouds import fitted_arrays
from .graph_checks import range_problem
from .graph_data import OperatorGraph, seal
from .grids import Boundary, grid_problem, grid_tensors, lengths_problem, sides_of
from .inputs import Array, mesh_of, points_of, sides_of_mesh

__all__ = [
    "cloud_graph",
    "finite_element_graph",
    "grid_graph",
    "triangulation_graph",
]


def grid_graph(
    shape: Sequence[int],
    lower: Sequence[float],
    upper: Sequence[float],
    *,
    boundary: Boundary = "periodic",
    order: int = 2,
    dtype: torch.dtype = torch.float64,
) -> Data:
    """Build a regular grid with finite differences on its edges.

    Nodes are numbered row by row (last axis fastest). Inside, differences are central; beside a
    boundary they lean inwards, with one value more, and at a Neumann boundary they take the given
    slope in: every row has the full order. Edges into a Dirichlet boundary node have weight zero
    (derivatives there read 0); where two sides meet, Dirichlet wins. Weights: LeVeque, Finite
    Difference Methods (2007), section 1.5.

    Args:
        shape: Nodes per axis, 1 to 3 axes; at least 3 each for order 2, `order + 1` if periodic,
            `order + 2` else.
        lower: Lower end of each axis, in units of length.
        upper: Upper end of each axis; the image of `lower` if periodic, else a node.
        boundary: "periodic", "dirichlet" or "neumann" for all sides, or per axis a word or a pair
            of words (lower side, upper side).
        order: Order of accuracy of every row: 2, 4 or 6.
        dtype: float32 or float64, of positions and weights.

    Returns:
        Graph with `pos` [n, d], `edge_index` [2, E] (source j, target i; sorted by target),
        `edge_laplacian` [E] (1 / length^2), `edge_gradient` [E, d] (1 / length), `boundary_mask`
        [n] (bool, Dirichlet nodes), the int `operator_order`, `operator_fingerprint` [1, 4] of what
        the weights were made for, and for slopes along the outward normal `flux_index` [2, F]
        (boundary node, target), `flux_normal` [F, d], `flux_laplacian` [F] (1 / length) and
        `flux_gradient` [F, d] (dimensionless).

    Raises:
        ValueError: If an argument is out of range or the lengths differ.

    Example:
        >>> graph = grid_graph([4], [0.0], [4.0])
        >>> graph.edge_index[:, :2].tolist(), graph.edge_laplacian[:2].tolist()
        ([[3, 1], [0, 0]], [1.0, 1.0])
    """
    shape = list(shape) if isinstance(shape, Iterable) else shape
    lower, upper = (list(own) if isinstance(own, Iterable) else own for own in (lower, upper))
    if problem := lengths_problem(shape, lower, upper):
        raise ValueError(problem)
    sides = sides_of(boundary, len(shape))
    if problem := grid_problem(shape, lower, upper, sides, order, dtype):
        raise ValueError(problem)
    return _data(grid_tensors(shape, lower, upper, sides, order), order, dtype)


def cloud_graph(
    points: Array,
    *,
    order: int = 2,
    dirichlet: Array | None = None,
    normals: Array | None = None,
    neighbours: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> Data:
    """Build a graph of scattered points with generalised finite differences on its edges.

    Each node takes its nearest neighbours, found by a k-d tree. Where these do not determine the
    polynomial well, or give far too many negative weights as they lie to one side, it takes half as
    many more, and once again. The Laplacian reproduces polynomials of degree `order + 1`, the
    gradient of degree `order`. Weights: Benito, Urena and Gavete, Appl. Math. Modelling 25 (2001).

    Args:
        points: [N, d], d from 1 to 3, all different, in units of length.
        order: Order of accuracy at every node: 2 or 4.
        dirichlet: [N] bool, nodes whose values come from boundary data.
        normals: [N, d], outward normals (of any length) at nodes where the slope is given, 0
            elsewhere; nodes that are Dirichlet too are Dirichlet.
        neighbours: Neighbours a node starts with; None takes 6, 18, 44 (order 2) or 10, 36, 120
            (order 4) in one, two and three dimensions.
        dtype: float32 or float64, of positions and weights.

    Returns:
        Graph with the attributes of `grid_graph`.

    Raises:
        ValueError: If an argument is misshapen or out of range, points coincide, there are fewer
            neighbours than the polynomial needs, or they do not determine it (on a line, say).

    Example:
        >>> from solvers.operators import GraphOperators
        >>> graph = cloud_graph(torch.rand(50, 2, generator=torch.Generator().manual_seed(0)))
        >>> d = GraphOperators.from_graph(graph)
        >>> d.laplacian(d.pos[:, 0] ** 3)[:2].allclose(6 * d.pos[:2, 0])
        True
    """
    x = points_of(points)
    tree = cKDTree(x)

    def nearest(nodes: np.ndarray, count: int) -> np.ndarray:
        found = tree.query(x[nodes], count + 1)[1]
        # The node itself comes first, as no two points coincide.
        return found[:, 1:]

    return _data(fitted_arrays(x, order, nearest, dirichlet, normals, neighbours), order, dtype)


def triangulation_graph(
    points: Array,
    triangles: Array,
    *,
    order: int = 2,
    boundary: str | Array = "dirichlet",
    neighbours: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> Data:
    """Build a graph of a triangulation's nodes with generalised finite differences on its edges.

    As `cloud_graph`, but a node's neighbours are the nearest of as many rings of triangles as are
    needed (two for order 2, three for order 4), so that none lies across a gap in the domain.

    Args:
        points: [N, 2], in units of length, as in `scipy.spatial.Delaunay.points`, `mesh.p.T` of
            scikit-fem or two columns of meshio's points.
        triangles: [T, 3] node numbers, turning either way: `Delaunay.simplices`, `mesh.t.T`.
        order: Order of accuracy at every node: 2 or 4.
        boundary: "dirichlet" or "neumann" for all boundary nodes, or [N] bool: Dirichlet there,
            Neumann at the other boundary nodes, with the mean normal of a node's two edges.
        neighbours: Neighbours a node starts with; None takes 18 (order 2) or 36 (order 4).
        dtype: float32 or float64, of positions and weights.

    Returns:
        Graph with the attributes of `grid_graph`.

    Raises:
        ValueError: If an argument is misshapen or out of range, a triangle has no area,
            triangles overlap along an edge, a node lies outside every triangle, points coincide,
            or the neighbours do not determine the polynomial.

    Example:
        >>> from scipy.spatial import Delaunay
        >>> mesh = Delaunay(np.random.default_rng(0).random((60, 2)))
        >>> int(triangulation_graph(mesh.points, mesh.simplices).boundary_mask.sum()) > 3
        True
    """
    x, t = mesh_of(points, triangles)
    edges = meshes.boundary_edges(x, t)
    given, free = sides_of_mesh(boundary, len(x), np.unique(edges))
    normals = meshes.node_normals(x, edges)
    normals[~free] = 0.0
    rings = meshes.Rings(x, t)
    return _data(fitted_arrays(x, order, rings, given, normals, neighbours), order, dtype)


def finite_element_graph(
    points: Array,
    triangles: Array,
    *,
    boundary: str | Array = "dirichlet",
    dtype: torch.dtype = torch.float64,
) -> Data:
    """Build a graph of a triangulation's edges with the linear finite element on them.

    Stiffness matrix (cotangent formula) over lumped masses; the gradient at a node is the mean over
    its triangles. Solutions of diffusion problems are second-order accurate and mass is kept
    exactly, but the values of this Laplacian do not converge at the nodes of an irregular mesh: for
    these take `triangulation_graph`. Strang and Fix, An Analysis of the Finite Element Method
    (1973), chapter 1; lumping: Thomee, Galerkin Finite Element Methods (2006), chapter 15.

    Args:
        points: [N, 2], in units of length.
        triangles: [T, 3] node numbers, turning either way.
        boundary: "dirichlet" or "neumann" for all boundary nodes, or [N] bool: Dirichlet there,
            Neumann (natural conditions, edge by edge) on the rest of the boundary.
        dtype: float32 or float64, of positions and weights.

    Returns:
        Graph with the attributes of `grid_graph`; `operator_order` 2 is that of solutions.

    Raises:
        ValueError: If an argument is misshapen, a triangle has no area, triangles overlap along an
            edge, or a node lies outside every triangle.

    Example:
        >>> from solvers.operators import GraphOperators
        >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
        >>> fan = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
        >>> d = GraphOperators.from_graph(finite_element_graph(square, fan))
        >>> d.laplacian((d.pos**2).sum(1)).round(decimals=9).tolist()
        [0.0, 0.0, 0.0, 0.0, 6.0]
    """
    x, t = mesh_of(points, triangles)
    parts = meshes.finite_element(x, t)
    given, _ = sides_of_mesh(boundary, len(x), parts.pop("boundary_nodes"))
    for key in ("edge_laplacian", "edge_gradient"):
        parts[key][given[parts["edge_index"][1]]] = 0.0
    used = ~given[parts["flux_index"][1]]
    parts["flux_index"] = parts["flux_index"][:, used]
    for key in ("flux_normal", "flux_laplacian", "flux_gradient"):
        parts[key] = parts[key][used]
    return _data({"pos": x, "boundary_mask": given, **parts}, 2, dtype)


def _data(tensors: dict[str, Any], order: int, dtype: torch.dtype) -> Data:
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"`dtype` must be a floating-point type (float32 or float64), got {dtype}."
        )
    # Graphs lie in main memory, whatever the default device is: `to` moves them.
    parts = {key: torch.as_tensor(value, device="cpu") for key, value in tensors.items()}
    kept = {k: v.to(dtype) if v.is_floating_point() else v for k, v in parts.items()}
    if problem := range_problem(parts, kept):
        raise ValueError(problem)
    return seal(OperatorGraph(**kept, operator_order=order))
