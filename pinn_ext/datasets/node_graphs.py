"""Nodes of a domain, and the graph of operators that all snapshots of a dataset share."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from scipy.spatial import Delaunay
from torch import Tensor
from torch_geometric.data import Data

from pinn_ext.checks import ArgumentError, check_choice
from pinn_ext.choices import MESH, ORDERS
from pinn_ext.datasets.meshes import MeshDomain, mesh_graph
from pinn_ext.systems import System
from pinn_ext.systems.boundary import Values
from pinn_ext.systems.domains import Geometry
from solvers.devices import on_cpu
from solvers.operators import GraphOperators, cloud_graph, grid_graph, reorder, triangulation_graph
from solvers.rk4 import SemiDiscrete, stable_step

NodeGraph: TypeAlias = Data
"""A torch-geometric graph of nodes in space, with the operators' weights on its edges."""

_JITTER = 0.25  # in spacings, to either side
_SEED = 20260712  # of the jitter alone: all runs train and are validated on the same nodes
_FLAT = 1e-9  # area in spacings squared below which a triangle is made of rounding
_SEARCHED = 64  # how far a refusal looks for a number of nodes that would do


def node_graph(system: System, name: str, nodes_per_side: int | None, order: int) -> NodeGraph:
    """Return the graph of a system's domain, with the operators' weights on its edges.

    The distance of neighbours is the shortest side of the box over `nodes_per_side - 1`, on a
    periodic grid over `nodes_per_side`. A mesh has the nodes that it has.

    Args:
        system: gives the domain and the kind of boundary.
        name: `"grid"`, regular; `"cloud"`, scattered; or `"triangulation"`, scattered too, but
            neighbours are joined by triangles and thus not across a hole; `"mesh"`, those of the
            mesh that the system is on.
        nodes_per_side: nodes along a side of the box, at least 3; None takes the system's default,
            and is all that there is for a mesh.
        order: order of accuracy of the operators, one of `choices.ORDERS[name]`.

    Returns:
        A graph as `solvers.operators.grid_graph` describes it, with `stable_step` `[1]`, the
        largest stable Runge-Kutta step at the initial data.

    Raises:
        ArgumentError: if there is no such graph of this system, or it has too few nodes.
        ValueError: if no number of nodes would do; in the words of `solvers.operators`.
    """
    _check(system, name, order)
    if isinstance(system.geometry, MeshDomain):
        return _graph_of_mesh(system, system.geometry, nodes_per_side, order)
    nodes = system.default_nodes if nodes_per_side is None else nodes_per_side
    try:
        return _graph(system, name, nodes, order)
    except ValueError:
        enough = _enough_nodes(system, name, nodes, order)
        if enough is None:
            raise
    wanted = f"be at least {enough} for a {name} of order {order} on this domain"
    raise ArgumentError("nodes_per_side", wanted, nodes)


def _check(system: System, name: str, order: int) -> None:
    check_choice("name", name, ORDERS)
    if order not in ORDERS[name]:
        wanted = f"be one of {', '.join(map(str, ORDERS[name]))} for a {name}"
        raise ArgumentError("order", wanted, repr(order))
    on_mesh = isinstance(system.geometry, MeshDomain)
    if on_mesh != (name == MESH):
        legal = MESH if on_mesh else ", ".join(kind for kind in ORDERS if kind != MESH)
        where = "a" if on_mesh else "no"
        raise ArgumentError("name", f"be {legal} for a system on {where} mesh", repr(name))
    if system.periodic_axes and name != "grid":
        raise ArgumentError("name", "be grid for a periodic system", repr(name))
    if not system.on_box and name == "grid":
        wanted = "be cloud or triangulation on another domain than the box"
        raise ArgumentError("name", wanted, repr(name))
    if system.dimension != 2 and name == "triangulation":
        wanted = "be cloud or grid in another number of dimensions than two"
        raise ArgumentError("name", wanted, repr(name))


def _graph(system: System, name: str, nodes: int, order: int) -> NodeGraph:
    with on_cpu():
        if name == "grid":
            shape = (nodes,) * system.dimension
            graph = grid_graph(
                shape, system.lower, system.upper, boundary=system.sides, order=order
            )
        else:
            graph = _renumbered(_scattered_graph(system, name, nodes, order))
        return _with_stable_step(system, graph)


def _graph_of_mesh(
    system: System, domain: MeshDomain, nodes_per_side: int | None, order: int
) -> NodeGraph:
    if nodes_per_side is not None:
        wanted = "be left out for a mesh, which has the nodes of its file"
        raise ArgumentError("nodes_per_side", wanted, nodes_per_side)
    given = system.gives_values(torch.from_numpy(domain.mesh.points)).numpy()
    outer = np.zeros_like(given)
    outer[domain.mesh.boundary_nodes] = True
    with on_cpu():
        try:
            graph = mesh_graph(domain.mesh, order=order, dirichlet=given & outer)
        except ValueError as error:
            wanted = f"hold a mesh that has derivatives of order {order} at each node"
            got = f"one that has not ({str(error).rstrip('.')})"
            raise ArgumentError("path", wanted, got) from None
        return _with_stable_step(system, _renumbered(graph))


def _renumbered(graph: NodeGraph) -> NodeGraph:
    graph = reorder(graph)
    del graph.node_order  # snapshots have no other numbering
    return graph


def _with_stable_step(system: System, graph: NodeGraph) -> NodeGraph:
    longest = _stable_step(system, graph)
    graph.stable_step = torch.tensor([longest], dtype=torch.float64, device="cpu")
    return graph


def _scattered_graph(system: System, name: str, nodes: int, order: int) -> NodeGraph:
    geometry = system.geometry
    spacing = geometry.side / (nodes - 1)
    points, outer = scattered_nodes(geometry, spacing)
    if outer.all():
        raise ValueError("`points` must lie inside too, got none.")
    given = outer & system.gives_values(points)
    if name == "cloud":
        normals, sloped = torch.zeros_like(points), outer & ~given
        normals[sloped] = geometry.normals(points[sloped])
        graph = cloud_graph(points, order=order, dirichlet=given, normals=normals)
    else:
        triangles = triangulate(geometry, points, spacing)
        graph = triangulation_graph(points, triangles, order=order, boundary=given)
        found = graph.boundary_mask.clone()
        found[graph.flux_index[0]] = True
        if not torch.equal(found, outer):
            raise ValueError("`points` must be dense enough to follow the boundary.")
    return graph


def _stable_step(system: System, graph: NodeGraph) -> float:
    """Return the largest stable step at the initial data, where it is known before training."""
    equation = semi_discrete(system, GraphOperators.from_graph(graph, check=False))
    state = system.data(graph.pos, torch.zeros_like(graph.pos[:, 0]))
    return stable_step(equation, state, 0.0, constrain=equation.constrain)


def semi_discrete(
    system: System, operators: GraphOperators, boundary: Values | None = None
) -> SemiDiscrete:
    """Return a system on a graph, with its conditions on the boundary.

    Args:
        system: the coupled system.
        operators: of its graph, or of a batch of graphs.
        boundary: values where they are given; None takes the system's data.

    Returns:
        The rates of change of the state `[N, 2]`.
    """
    if boundary is None and not system.periodic:
        boundary = system.data
    flux = system.slopes if system.has_slopes and operators.fluxes is not None else None
    return SemiDiscrete(system.rhs, operators, boundary, flux)


def _enough_nodes(system: System, name: str, nodes: int, order: int) -> int | None:
    for more in range(nodes + 1, _SEARCHED):
        try:
            _graph(system, name, more, order)
        except ValueError:
            continue
        return more
    return None


def scattered_nodes(geometry: Geometry, spacing: float, seed: int = _SEED) -> tuple[Tensor, Tensor]:
    """Return nodes on the boundary, equally spaced, and inside, on a jittered grid.

    Inner nodes keep half a spacing from the boundary. Together with boundary nodes at most one
    spacing apart this makes every piece of the boundary an edge of the Delaunay triangulation, as
    it lies on the convex hull or has no node in the circle whose diameter it is.

    Args:
        geometry: the domain.
        spacing: of the nodes, in units of length.
        seed: of the jitter; left out it is the same in all runs.

    Returns:
        Points `[N, dimension]`, float64, and which of them lie on the boundary `[N]`, bool.
    """
    outer = geometry.boundary_nodes(spacing)
    axes = [
        torch.arange(low + spacing, high - 0.5 * spacing, spacing, dtype=outer.dtype, device="cpu")
        for low, high in zip(geometry.lower, geometry.upper, strict=True)
    ]
    inner = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    generator = torch.Generator("cpu").manual_seed(seed)
    shift = (
        2.0 * torch.rand(inner.shape, generator=generator, dtype=outer.dtype, device="cpu") - 1.0
    )
    inner = inner + _JITTER * spacing * shift
    inner = inner[geometry.depth(inner) >= 0.5 * spacing]
    points = torch.cat((outer, inner))
    return points, torch.arange(len(points), device=points.device) < len(outer)


def triangulate(geometry: Geometry, points: Tensor, spacing: float) -> Tensor:
    """Return the Delaunay triangles of nodes that lie in the domain.

    Args:
        geometry: the domain, in the plane.
        points: `[N, 2]`, of `scattered_nodes`.
        spacing: of the nodes, in units of length.

    Returns:
        Node numbers `[T, 3]`, counterclockwise.
    """
    triangles = torch.from_numpy(Delaunay(points.numpy()).simplices).long()
    corners = points[triangles]
    (ax, ay), (bx, by) = (corners[:, 1:] - corners[:, :1]).permute(1, 2, 0)
    area = 0.5 * (ax * by - ay * bx)
    # Nodes on a straight side make flat triangles outside of it, as rounding moves them.
    return triangles[geometry.contains(corners.mean(dim=1)) & (area > _FLAT * spacing**2)]
