"""Domains, the nodes and triangles that fill them, and the graphs on these."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from pinn_ext import schema, systems
from pinn_ext.datasets import SnapshotGraphs
from pinn_ext.datasets.node_graphs import node_graph, scattered_nodes, triangulate
from pinn_ext.losses.solution_error import NUM_POINTS, Evaluator
from pinn_ext.networks.hard_conditions import HardConditions
from pinn_ext.systems import domains
from pinn_ext.systems.domains import Box
from solvers.operators import GraphOperators
from tests.pairs import pairwise

F64 = torch.float64
LOWER, UPPER = (0.0, -1.0), (2.0, 1.0)
# Area and length of the boundary in the box above, whose sides are 2.
SIZES = {
    "square": (4.0, 8.0),
    "disk": (math.pi, 2 * math.pi),
    "l_shape": (3.0, 8.0),
    "annulus": (math.pi * (1 - 0.16), 2 * math.pi * 1.4),
}
every = pytest.mark.parametrize("name", SIZES)
scattered = pytest.mark.parametrize("kind", ["cloud", "triangulation"])


def domain(name):
    return domains.create(name, LOWER, UPPER)


def fill(n=300):
    """Return a fine regular grid of the box, cell centres `[n * n, 2]`."""
    part = (torch.arange(n, dtype=F64) + 0.5) / n
    return torch.cartesian_prod(2 * part, 2 * part - 1)


def total_area(points, triangles):
    a, b, c = points[triangles].unbind(dim=1)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return 0.5 * (ux * vy - uy * vx)


# ---- domains --------------------------------------------------------------------------------


def test_names_are_those_of_the_schema():
    assert domains.names() == sorted(schema.GEOMETRIES) == sorted(SIZES)


@every
def test_area_and_length(name):
    shape = domain(name)
    share = shape.contains(fill()).double().mean().item()
    area, length = SIZES[name]
    assert 4 * share == pytest.approx(area, rel=2e-3)
    nodes = shape.boundary_nodes(0.01)
    nearest = torch.from_numpy(cKDTree(nodes.numpy()).query(nodes.numpy(), 2)[0][:, 1])
    assert len(nodes) * nearest.mean().item() == pytest.approx(length, rel=2e-3)


@every
def test_depth_is_the_distance_to_the_boundary(name):
    shape = domain(name)
    boundary = shape.boundary_nodes(0.002)
    points = fill(40)
    points = points[shape.contains(points)]
    distance = torch.from_numpy(cKDTree(boundary.numpy()).query(points.numpy())[0])
    torch.testing.assert_close(shape.depth(points), distance, atol=2e-3, rtol=0)


@every
def test_boundary_nodes_lie_on_the_boundary_equally_spaced(name):
    shape = domain(name)
    for spacing in (0.5, 0.13, 0.1):
        nodes = shape.boundary_nodes(spacing)
        assert float(shape.depth(nodes).abs().max()) < 1e-12 and bool(shape.contains(nodes).all())
        nearest = cKDTree(nodes.numpy()).query(nodes.numpy(), 2)[0][:, 1]
        assert spacing / 2 < nearest.min() and nearest.max() <= spacing * (1 + 1e-9)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("square", [(0.0, -1.0), (2.0, 1.0)], [(2.1, 0.0), (1.0, -1.1)]),
        ("disk", [(1.0, 0.0), (1.0, 0.99)], [(0.2, -0.9), (2.0, 1.0)]),
        ("l_shape", [(1.0, 0.5), (1.5, 0.0), (0.5, 0.9), (1.9, -0.9)], [(1.01, 0.01), (1.9, 0.9)]),
        ("annulus", [(1.0, 0.5), (1.6, 0.0)], [(1.0, 0.0), (1.3, 0.0), (0.0, 0.9)]),
    ],
)
def test_points_by_hand(name, inside, outside):
    contained = domain(name).contains(torch.tensor(inside + outside, dtype=F64))
    assert contained.tolist() == [True] * len(inside) + [False] * len(outside)


def test_a_box_that_is_no_square():
    """Round domains take half of the shorter side and lie around the centre."""
    disk = domains.create("disk", (0.0, 0.0), (4.0, 2.0))
    at = torch.tensor([(2.0, 1.0), (2.9, 1.0), (3.1, 1.0)], dtype=F64)
    assert disk.contains(at).tolist() == [True, True, False]
    corners = {
        tuple(x) for x in domains.create("l_shape", (0, 0), (4, 2)).boundary_nodes(9).tolist()
    }
    assert corners == {(0, 0), (4, 0), (4, 1), (2, 1), (2, 2), (0, 2)}


@pytest.mark.parametrize(("dimension", "count"), [(1, 2), (2, 16), (3, 98)])
def test_a_box_of_any_dimension(dimension, count):
    box = Box((0.0,) * dimension, (1.0,) * dimension)
    assert box.boundary_nodes(0.25).shape == (count, dimension)
    points, outer = scattered_nodes(box, 0.25)
    assert len(points) == 5**dimension and int(outer.sum()) == count


# ---- nodes and triangles --------------------------------------------------------------------


@every
@pytest.mark.parametrize("n", [9, 17, 40])
def test_nodes_fill_the_domain(name, n):
    shape, spacing = domain(name), 2.0 / (n - 1)
    points, outer = scattered_nodes(shape, spacing)
    assert float(shape.depth(points[outer]).abs().max()) < 1e-12
    assert float(shape.depth(points[~outer]).min()) >= spacing / 2
    tree = cKDTree(points.numpy())
    assert tree.query(points.numpy(), 2)[0][:, 1].min() > 0.4 * spacing
    every_where = fill()
    assert tree.query(every_where[shape.contains(every_where)].numpy())[0].max() < 1.5 * spacing


def test_nodes_are_the_same_whatever_the_global_generator():
    torch.manual_seed(1)
    first = scattered_nodes(domain("disk"), 0.1)[0]
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(scattered_nodes(domain("disk"), 0.1)[0], first)
    assert torch.equal(torch.get_rng_state(), before)


@every
@pytest.mark.parametrize("n", [9, 17, 40])
def test_triangles_fill_the_domain(name, n):
    shape, spacing = domain(name), 2.0 / (n - 1)
    points, outer = scattered_nodes(shape, spacing)
    triangles = triangulate(shape, points, spacing)
    areas = total_area(points, triangles)
    assert float(areas.min()) > 1e-3 * spacing**2
    # Chords of a circle miss its segments, of relative area (2/3) (spacing / 2 r)^2.
    assert float(areas.sum()) == pytest.approx(SIZES[name][0], rel=1e-9 + spacing**2 / 4)
    assert bool((torch.bincount(triangles.flatten(), minlength=len(points)) > 0).all())
    sides = torch.cat([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs, times = sides.sort(dim=1).values.unique(dim=0, return_counts=True)
    assert set(times.tolist()) == {1, 2}
    assert torch.equal(pairs[times == 1].unique(), outer.nonzero().flatten())


# ---- graphs ---------------------------------------------------------------------------------


def residual(graph):
    """Return the root mean square error of the Laplacian of a smooth field."""
    d = GraphOperators.from_graph(graph)
    x, y = d.pos.unbind(dim=1)
    field = torch.sin(1.3 * x + 0.4) * torch.exp(0.5 * y)
    error = d.laplacian(field) - (0.25 - 1.69) * field
    return error[~graph.boundary_mask].square().mean().sqrt().item()


@pytest.mark.parametrize(
    ("name", "kind", "order"),
    pairwise(itertools.product(SIZES, ["cloud", "triangulation"], [2, 4])),
)
def test_graphs_have_their_order_and_decay(name, kind, order):
    system, errors, nodes = systems.create("brusselator", geometry=name), [], (17, 25, 37)
    for n in nodes:
        graph = node_graph(system, kind, n, order)
        errors.append(residual(graph))
    slope = -np.polyfit(np.log([n - 1 for n in nodes]), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.5)
    assert bool(system.geometry.contains(graph.pos).all())
    assert torch.equal(graph.boundary_mask, system.geometry.depth(graph.pos).abs() < 1e-9)
    graph = node_graph(system, kind, 17, order)
    matrix = GraphOperators.from_graph(graph).to_scipy().toarray()
    free = (~graph.boundary_mask).numpy()
    assert np.linalg.eigvals(matrix[np.ix_(free, free)]).real.max() < -1.0


def test_a_cloud_on_an_interval():
    system = systems.create("coupled_burgers", boundary="dirichlet")
    graph = node_graph(system, "cloud", 30, 4)
    assert graph.pos.shape == (30, 1) and int(graph.boundary_mask.sum()) == 2
    assert sorted(graph.pos[graph.boundary_mask, 0].tolist()) == [-5.0, 5.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "mash"}, "`name` must be one of cloud, grid, mesh, triangulation, got 'mash'"),
        ({"name": "mesh"}, "`name` must be grid, triangulation, cloud for a system on no mesh"),
        ({"order": 3}, "`order` must be one of 2, 4, 6 for a grid, got 3"),
        ({"name": "cloud", "order": 6}, "`order` must be one of 2, 4 for a cloud, got 6"),
        ({"order": 6, "nodes_per_side": 5}, "`nodes_per_side` must be at least 8 .*, got 5"),
        (
            {"name": "cloud", "order": 4, "nodes_per_side": 4},
            "`nodes_per_side` must be at least 5 for a cloud of order 4 .*, got 4",
        ),
    ],
)
def test_data_sets_that_there_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        SnapshotGraphs(systems.create("brusselator"), 1, **options)


@pytest.mark.parametrize(
    ("system", "name", "message"),
    [
        (("coupled_burgers", {}), "cloud", "`name` must be grid for a periodic system"),
        (("brusselator", {"geometry": "disk"}), "grid", "`name` must be cloud or triangulation"),
        (
            ("coupled_burgers", {"boundary": "dirichlet"}),
            "triangulation",
            "`name` must be cloud or grid in another number of dimensions than two",
        ),
    ],
)
def test_graphs_that_a_system_cannot_have(system, name, message):
    with pytest.raises(ValueError, match=message):
        node_graph(systems.create(system[0], **system[1]), name, 17, 2)


def test_a_ring_too_coarse_for_nodes_inside():
    with pytest.raises(ValueError, match="`nodes_per_side` must be at least 5 for a cloud"):
        node_graph(systems.create("brusselator", geometry="annulus"), "cloud", 4, 2)


# ---- systems on a domain --------------------------------------------------------------------


def test_a_system_on_a_domain_is_a_copy():
    system = systems.create("brusselator", side=3.0)
    ring = system.on("annulus")
    assert system.on_box and not ring.on_box and ring.geometry.name == "annulus"
    assert ring.upper == system.upper and ring.geometry.radius == 1.5
    assert systems.create("brusselator", geometry="square").on_box


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("brusselator", {"geometry": "ring"}, "`geometry` must be one of annulus, disk"),
        ("coupled_burgers", {"geometry": "disk"}, "must be null for a system in 1 dimension, got"),
    ],
)
def test_domains_that_a_system_cannot_have(name, options, message):
    with pytest.raises(ValueError, match=message):
        systems.create(name, **options)


def test_a_periodic_system_keeps_its_box():
    system = systems.create("brusselator")
    system.boundary = "periodic"
    assert system.on("square").on_box
    with pytest.raises(
        ValueError, match="must be square or null for a periodic system, got 'disk'"
    ):
        system.on("disk")


def test_hard_conditions_need_the_box():
    ring = systems.create("brusselator", geometry="annulus")
    for make in (HardConditions, lambda s: SnapshotGraphs(s, 1, name="cloud")):
        with pytest.raises(ValueError, match="`conditions` must be soft on another domain"):
            make(ring)


@every
def test_error_points_lie_in_the_domain(name):
    system = systems.create("brusselator", geometry=name)
    inputs = Evaluator(system, "cpu", F64).inputs
    assert inputs.shape == (NUM_POINTS, 3)
    assert bool(system.geometry.contains(inputs[:, :2]).all())
    whole = Evaluator(systems.create("brusselator"), "cpu", F64).inputs
    kept = whole[system.geometry.contains(whole[:, :2])]
    assert torch.equal(inputs[: len(kept)], kept)
    share = (inputs[:, 0] < 1.0).double().mean().item()
    left = {"l_shape": 2 / 3}.get(name, 0.5)
    assert share == pytest.approx(left, abs=0.01)  # random points would miss by 0.01 on average


@every
def test_field_scales_belong_to_the_domain(name):
    system = systems.create("brusselator", geometry=name)
    coarse, fine = system.field_scales(), system.field_scales(97)
    assert coarse == pytest.approx(fine, rel=0.03)
    largest = system.exact(system.geometry.boundary_nodes(0.01), torch.ones(1, dtype=F64)).amax(0)
    assert all(0 < scale < bound for scale, bound in zip(fine, largest.tolist(), strict=True))
    if name == "square":
        assert coarse == systems.create("brusselator").field_scales()
