"""The nodes of a family of problems: the same for all, or each problem's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from pinn_ext.checks import ArgumentError, check_choice, check_number, check_switch
from pinn_ext.choices import FAMILY_BOUNDARIES, MESH, ORDERS
from pinn_ext.datasets.families.places import Place, mean_edge, places_of
from pinn_ext.datasets.meshes import TriangleMesh, mesh_graph
from pinn_ext.datasets.node_graphs import scattered_nodes, triangulate
from pinn_ext.systems import System
from pinn_ext.systems.domains import Box, Geometry
from solvers.devices import on_cpu
from solvers.operators import cloud_graph, grid_graph, triangulation_graph

_SEED = 5_000_011  # first of the jitters; far from the one of snapshot graphs


@dataclass(frozen=True)
class NodeSet:
    """Where the nodes of a family lie and what holds on their boundary.

    Attributes:
        name: `"grid"`, `"cloud"`, `"triangulation"` or `"mesh"`, as of
            `pinn_ext.datasets.node_graphs`.
        per_side: nodes along the shortest side of the box; a mesh has those of its file.
        order: order of accuracy of the operators, one of `choices.ORDERS[name]`.
        boundary: `"periodic"`, `"neumann"` (no flux) or `"dirichlet"` (the values of the start).
        own: whether each problem has nodes of its own, which scattered ones can have.
        domains: names of domains in the system's box, or paths of mesh files for `"mesh"`, which
            the problems take in turn; none is the system's own.
        unit: of relative positions, in units of length; None is the distance of neighbours, in
            meshes the mean edge of the first one.

    Example:
        >>> from pinn_ext import systems
        >>> nodes = NodeSet("grid", per_side=8, boundary="neumann")
        >>> nodes.graph(systems.create("brusselator"), 0).num_nodes
        64
        >>> system = systems.create("brusselator")
        >>> nodes.shared, nodes.box(system), nodes.spacing(system), nodes.periods(system)
        (True, ((0.0, 0.0), (2.0, 2.0)), 0.2857142857142857, None)
        >>> [place.name for place in nodes.places(system)], nodes.description(system)["order"]
        (['square'], 2)
    """

    name: str = "grid"
    per_side: int = 16
    order: int = 2
    boundary: str = "periodic"
    own: bool = False
    domains: tuple[str, ...] = ()
    unit: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no nodes can be."""
        check_choice("nodes", self.name, ORDERS)
        check_choice("boundary", self.boundary, FAMILY_BOUNDARIES)
        check_number("nodes_per_side", self.per_side, 3, integer=True)
        check_switch("own_nodes", self.own)
        if self.order not in ORDERS[self.name]:
            wanted = f"be one of {', '.join(map(str, ORDERS[self.name]))} for a {self.name}"
            raise ArgumentError("order", wanted, self.order)
        if self.own and self.name in ("grid", MESH):
            wanted = f"be false for a {self.name}, whose nodes have one place"
            raise ArgumentError("own_nodes", wanted, True)
        if self.name == MESH and not self.domains:
            raise ArgumentError("domains", "name at least one mesh file", "none")
        if self.boundary == "periodic" and self.name != "grid":
            wanted = "be neumann or dirichlet for scattered nodes"
            raise ArgumentError("boundary", wanted, repr(self.boundary))

    @property
    def shared(self) -> bool:
        """Whether all problems have the same nodes."""
        return not self.own and len(self.domains) < 2

    def places(self, system: System) -> tuple[Place, ...]:
        """Return the domains that the problems take in turn."""
        return places_of(system, self.domains, self.name == MESH)

    def box(self, system: System) -> tuple[Sequence[float], Sequence[float]]:
        """Return lower and upper ends of the box that random fields are made for."""
        first = self.places(system)[0].geometry
        return first.lower, first.upper

    def description(self, system: System) -> dict[str, Any]:
        """Return all that decides the nodes, as plain values."""
        places = [place.identity for place in self.places(system)]
        return {**asdict(self), "domains": places if self.domains else []}

    def graph(self, system: System, number: int, seed: int = 0) -> Data:
        """Return the nodes of a problem with the weights of the operators on their edges.

        Args:
            system: gives box and domain.
            number: of the problem; nodes that are the same for all do not depend on it.
            seed: likewise; what is added to the number where it decides random places.

        Returns:
            A graph as `solvers.operators.grid_graph` describes it, with `edge_attr`
            `[E, dimension + 1]`, see `relative_positions`.

        Raises:
            ArgumentError: if the domain cannot have these nodes.
        """
        places = self.places(system)
        place = places[number % len(places)]
        with on_cpu():
            if place.mesh is not None:
                graph = self._of_mesh(place.name, place.mesh)
            elif self.name == "grid":
                graph = self._grid(system, place.geometry)
            else:
                graph = self._scattered(system, place.geometry, number + seed)
            graph.edge_attr = relative_positions(graph, self.spacing(system), self.periods(system))
        return graph

    def periods(self, system: System) -> Tensor | None:
        """Return the lengths `[d]` of a periodic box; None of one that is not periodic."""
        if self.boundary != "periodic":
            return None
        ends = (
            torch.tensor(end, dtype=torch.float64, device="cpu")
            for end in (system.lower, system.upper)
        )
        low, high = ends
        return high - low

    def spacing(self, system: System) -> float:
        """Return the distance of neighbours along the shortest side, in units of length."""
        if self.unit is not None:
            return self.unit
        first = self.places(system)[0]
        if first.mesh is not None:
            return mean_edge(first.mesh)
        gaps = self.per_side - (self.boundary != "periodic")
        return float(first.geometry.side) / gaps

    def _of_mesh(self, path: str, mesh: TriangleMesh) -> Data:
        try:
            return mesh_graph(
                mesh, order=self.order, dirichlet=None if self.boundary == "dirichlet" else []
            )
        except ValueError as error:
            wanted = f"hold meshes that have derivatives of order {self.order} at each node"
            got = f"{path} ({str(error).rstrip('.')})"
            raise ArgumentError("domains", wanted, got) from None

    def _grid(self, system: System, geometry: Geometry) -> Data:
        if not isinstance(geometry, Box):
            wanted = "be cloud or triangulation on another domain than the box"
            raise ArgumentError("nodes", wanted, "'grid'")
        shape = (self.per_side,) * system.dimension
        try:
            return grid_graph(
                shape, system.lower, system.upper, boundary=self.boundary, order=self.order
            )
        except ValueError as error:
            raise _too_few(self.per_side, error) from None

    def _scattered(self, system: System, geometry: Geometry, number: int) -> Data:
        if system.dimension != 2:
            raise ArgumentError(
                "nodes", "be grid in another number of dimensions than two", self.name
            )
        spacing = float(geometry.side) / (self.per_side - 1)
        seed = _SEED + (number if self.own else 0)
        points, outer = scattered_nodes(geometry, spacing, seed)
        given = outer if self.boundary == "dirichlet" else torch.zeros_like(outer)
        try:
            if self.name == "cloud":
                normals = torch.zeros_like(points)
                if self.boundary == "neumann":
                    normals[outer] = geometry.normals(points[outer])
                return cloud_graph(points, order=self.order, dirichlet=given, normals=normals)
            triangles = triangulate(geometry, points, spacing)
            return triangulation_graph(points, triangles, order=self.order, boundary=given)
        except ValueError as error:
            raise _too_few(self.per_side, error) from None


def _too_few(per_side: int, error: ValueError) -> ArgumentError:
    wanted = f"be more for such operators ({str(error).rstrip('.')})"
    return ArgumentError("nodes_per_side", wanted, per_side)


def relative_positions(graph: Data, spacing: float, periods: Tensor | None = None) -> Tensor:
    """Return where the source of each edge lies as seen from its target, and how far away.

    Args:
        graph: with `pos` `[n, d]` and `edge_index` `[2, E]`.
        spacing: unit of length.
        periods: lengths `[d]` of a periodic box, across whose sides the nearest image counts; None
            of one that is not periodic.

    Returns:
        Differences of position and their length `[E, d + 1]`, in units of `spacing`, in the float
        type of the positions.

    Example:
        >>> from solvers.operators import grid_graph
        >>> graph = grid_graph([4], [0.0], [1.0])  # periodic, 0.25 apart
        >>> relative_positions(graph, 0.25, torch.tensor([1.0])).unique(dim=0).tolist()
        [[-1.0, 1.0], [1.0, 1.0]]
    """
    source, target = graph.edge_index
    difference = graph.pos[source] - graph.pos[target]
    if periods is not None:
        periods = periods.to(difference)
        difference = difference - periods * (difference / periods).round()
    length = difference.square().sum(dim=1, keepdim=True).sqrt()
    return torch.cat((difference, length), dim=1) / spacing
