"""Loss terms on a mesh: the exact solution stays it, whatever is given on the boundary."""

import numpy as np
import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.datasets.collocation import collocation_points
from pinn_ext.datasets.meshes import MeshDomain
from pinn_ext.datasets.node_graphs import node_graph
from pinn_ext.losses.known_solution import by_runge_kutta
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.row_points import row_points
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.networks import FieldNetwork
from tests.datasets.meshes.made import refused, ring
from tests.lengths import quick_are
from tests.losses.snapshot_losses import PI, RK4, SOFT, exact_network, terms

pytestmark = pytest.mark.usefixtures("double")
GIVEN = [None, ["inner"], ["inner", "east"], ["spots", "outer"], []]
every = pytest.mark.parametrize("given", GIVEN, ids=str)


def system_on(given=None, around=24, radii=(0.4, 0.6, 0.8, 1.0), name="brusselator"):
    domain = MeshDomain(ring(around, radii))
    return systems.on_domain(systems.create(name), domain, given)


def graphs_of(system, **options):
    data = SnapshotGraphs(system, 3, name="mesh", conditions="soft", step=1e-2, **options)
    batch = SnapshotBatch.from_graphs(list(data))
    batch.inputs.requires_grad_()
    return batch


@every
def test_every_term_vanishes_for_the_exact_solution(given):
    system = system_on(given)
    assert system.has_exact and system.has_slopes == (given in GIVEN[1:3] + GIVEN[4:])
    loss, batch = PhysicsLoss(system, conditions="soft"), graphs_of(system, order=4)
    right = terms(loss, batch, exact_network(system))
    assert all(right[name] < 1e-20 for name in PI + SOFT)
    assert [right[name] for name in RK4] == pytest.approx(loss.floor(batch).tolist(), rel=1e-9)
    points = collocation_points(system, 200, "soft", dtype=torch.float64)
    points.inputs.requires_grad_()
    loss = PhysicsLoss(system, conditions="soft", use_rk4=False)
    right = terms(loss, points, exact_network(system))
    assert all(right[name] < 1e-20 for name in PI + SOFT)


def test_nodes_have_given_values_on_groups_and_given_slopes_elsewhere():
    system = system_on(["inner"])
    assert system.boundary == "mixed" and (system.lower, system.upper) == ((0.0, 0.0), (2.0, 2.0))
    graph = node_graph(system, "mesh", None, 2)
    radius = (graph.pos - 1.0).norm(dim=1)
    assert torch.equal(graph.boundary_mask, radius < 0.41)
    assert torch.equal(torch.unique(graph.flux_index[0]), (radius > 0.99).nonzero().flatten())
    assert graph.stable_step.item() > 0 and "node_order" not in graph
    # Neighbours lie close together in memory, in another order than in the file.
    assert not torch.equal(graph.pos, torch.from_numpy(system.geometry.mesh.points))
    points = collocation_points(system, 400, "soft")
    at, normals = points.with_slopes()
    assert (system.geometry.depth(at[:, :-1].double()).abs() < 1e-6).all()
    assert len(at) + len(points.sides[0]) == 100 and len(at) == pytest.approx(100 / 1.4, abs=8)
    outward = ((at[:, :-1] - 1.0) * normals).sum(dim=1)
    assert (outward > 0.98).all()


def test_a_wrong_slope_is_seen_and_only_where_it_is_given():
    system = system_on(["inner"])
    loss, batch = PhysicsLoss(system, conditions="soft"), graphs_of(system)
    x, r = system.geometry.side / 2, 0.4

    def off(inputs):
        radius = (inputs[:, :2] - 1.0).norm(dim=1, keepdim=True)
        return exact_network(system)(inputs) + 0.5 * (radius - r) * (radius < 2)

    wrong = loss.residuals(off, batch, off(batch.inputs))[-2]
    at, normals = batch.with_slopes()
    values = len(wrong) - len(at)
    assert wrong[:values].abs().max() < 1e-12  # on the polygon of the hole nodes have radius r
    radial = (at[:, :2] - 1.0) / (at[:, :2] - 1.0).norm(dim=1, keepdim=True)
    torch.testing.assert_close(wrong[values:], 0.5 * x * (radial * normals).sum(dim=1))


def test_rows_say_which_point_they_belong_to():
    system = system_on(["inner"])
    loss, batch = PhysicsLoss(system, conditions="soft"), graphs_of(system)
    network = FieldNetwork(system, (8,), conditions="soft")
    for i, rows in enumerate(loss.residuals(network, batch, loss.outputs(network, batch))):
        assert row_points(loss, batch, i).shape == (len(rows), 3), loss.names[i]


@pytest.mark.parametrize("given", [None, ["inner"]], ids=str)
def test_the_floor_of_the_graph_falls_with_its_order(given):
    floors = [
        PhysicsLoss(system_on(given), conditions="soft").floor(graphs_of(system_on(given), order=p))
        for p in (2, 4)
    ]
    assert (floors[1] < 0.05 * floors[0]).all() and (floors[0] > 0).all(), floors


@pytest.mark.parametrize("given", quick_are([["inner"]], [None, ["inner"], ["outer"]]), ids=str)
def test_the_solver_s_own_answer_converges_to_the_exact_solution(given):
    errors = []
    for around, rings in ((16, 4), (32, 7)):
        system = system_on(given, around, tuple(np.linspace(0.4, 1.0, rings)))
        known = by_runge_kutta(system, node_graph(system, "mesh", None, 2))
        exact = system.exact(known.inputs[:, :-1], known.inputs[:, -1])
        errors.append(((known.fields - exact).norm(dim=0) / exact.norm(dim=0)).tolist())
    for coarse, fine in zip(*errors, strict=True):
        assert fine < 0.4 * coarse and fine < 0.02, errors


def test_errors_are_measured_in_the_triangles():
    system = system_on(["outer"])
    evaluator = Evaluator(system, "cpu", torch.float64)
    assert evaluator.label == "exact solution"
    assert system.geometry.contains(evaluator.inputs[:, :-1]).all()
    assert max(evaluator.errors(exact_network(system)).values()) < 1e-14


def test_units_come_from_data_on_the_mesh():
    system, box = system_on(), systems.create("brusselator")
    assert system.field_scales() != box.field_scales()
    x = system.geometry.boundary_samples(200)
    u = system.exact(x, torch.zeros_like(x[:, 0]))[:, 0]
    assert 0.5 * u.min() < system.field_scales()[0] < u.max()
    some = system_on(["east"]).field_scales()
    assert some[0] < system.field_scales()[0]  # u is small in the east


def test_what_cannot_be_on_a_mesh():
    domain = MeshDomain(ring())
    periodic = systems.create("fitzhugh_nagumo")
    assert refused(systems.on_domain, periodic, domain) == (
        "`domain` must leave fitzhugh_nagumo, which is periodic (boundary=dirichlet is legal too), "
        "on its box, got 'mesh'."
    )
    line = systems.create("coupled_burgers", boundary="dirichlet")
    assert "which has 1 space dimension, on its box" in refused(systems.on_domain, line, domain)
    plane = systems.create("fitzhugh_nagumo", boundary="dirichlet")
    assert systems.on_domain(plane, domain).needs_soft.startswith("on another domain than the box")
    assert refused(systems.on_domain, plane, domain, ["lid"]).startswith(
        "`dirichlet` must be one of east, inner, outer, spots, got 'lid'"
    )
    own = systems.on_domain(plane, domain)
    assert "be mesh for a system on a mesh, got 'cloud'" in refused(node_graph, own, "cloud", 9, 2)
    assert "be left out for a mesh" in refused(node_graph, own, "mesh", 9, 2)
    legal = "be grid, triangulation, cloud for a system on no mesh, got 'mesh'"
    assert legal in refused(node_graph, plane, "mesh", None, 2)
    coarse = systems.on_domain(plane, MeshDomain(ring(5, (0.5, 0.7, 1.0))))
    few = refused(node_graph, coarse, "mesh", None, 4)
    assert few.startswith("`path` must hold a mesh that has derivatives of order 4 at each node")
