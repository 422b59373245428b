"""The stored plate with a hole: its area, boundary, groups and graph, and how it was made."""

import importlib.util
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from pinn_ext.datasets.meshes import mesh_graph, read_mesh
from solvers.operators import GraphOperators
from tests.datasets.meshes.made import CENTRE, HEIGHT, PLATE, RADIUS, WIDTH, meshio, refused

HOLE = 24  # edges
pytestmark = pytest.mark.usefixtures("_meshio")


@pytest.fixture(scope="module")
def _meshio():
    return meshio()


@pytest.fixture(scope="module")
def plate(_meshio):
    return read_mesh(PLATE)


def signed_area(x):
    return 0.5 * float((x[:, 0] * np.roll(x[:, 1], -1) - x[:, 1] * np.roll(x[:, 0], -1)).sum())


def test_the_file_is_small_and_has_its_notes(plate):
    assert PLATE.stat().st_size <= 60_000
    assert plate.notes == (
        "1 node in no triangle dropped: 4.",
        "Parts that are not on the boundary were left out: centre.",
        "Names of triangles are not used: plate.",
    )
    assert plate.source == str(PLATE) and plate.points.dtype == np.float64
    assert (plate.lower, plate.upper) == ((0.0, 0.0), (WIDTH, HEIGHT))


def test_area(plate):
    hole = HOLE / 2 * RADIUS**2 * math.sin(2 * math.pi / HOLE)
    assert plate.area == pytest.approx(WIDTH * HEIGHT - hole, rel=1e-12)
    assert (plate.areas > 0).all() and len(plate.areas) == len(plate.triangles)


def test_boundary_loops(plate):
    loops = sorted((plate.points[loop] for loop in plate.boundary_loops), key=len)
    assert [len(loop) for loop in loops] == [HOLE, len(plate.boundary_edges) - HOLE]
    hole, outer = map(signed_area, loops)
    assert outer == pytest.approx(WIDTH * HEIGHT) and hole + outer == pytest.approx(plate.area)
    np.testing.assert_allclose(np.linalg.norm(loops[0] - CENTRE, axis=1), RADIUS, rtol=1e-12)


def test_groups_have_the_nodes_and_edges_that_they_should(plate):
    x, y = plate.points.T
    on_hole = np.abs(np.hypot(x - CENTRE[0], y - CENTRE[1]) - RADIUS) < 1e-9
    wanted = {
        "inflow": x == 0,
        "outflow": x == WIDTH,
        "walls": (y == 0) | (y == HEIGHT),
        "hole": on_hole,
        "corner": (x == 0) & (y == 0),
    }
    assert set(plate.groups) == set(wanted)
    for name, mask in wanted.items():
        np.testing.assert_array_equal(plate.group_mask(name), mask, err_msg=name)
    np.testing.assert_array_equal(
        plate.group_mask(["inflow", "hole"]), wanted["inflow"] | wanted["hole"]
    )
    edges = np.concatenate([plate.groups[name].edges for name in ("inflow", "outflow", "walls")])
    lengths = np.linalg.norm(np.diff(plate.points[edges], axis=1), axis=2)
    assert lengths.sum() == pytest.approx(2 * (WIDTH + HEIGHT))
    assert len(plate.groups["hole"].edges) == HOLE and len(plate.groups["corner"].edges) == 0
    every = np.concatenate([edges, plate.groups["hole"].edges])
    assert set(map(tuple, every)) == set(map(tuple, plate.boundary_edges))


def test_a_group_that_is_not_there(plate):
    assert refused(plate.group_mask, "lid") == (
        "`group` must be one of corner, hole, inflow, outflow, walls, got 'lid'."
    )


def test_points_in_the_plate(plate):
    x = plate.sample(4000, seed=3)
    np.testing.assert_array_equal(x, plate.sample(4000, seed=3))
    assert not np.array_equal(x, plate.sample(4000, seed=4))
    assert plate.contains(x).all()
    assert (np.linalg.norm(x - CENTRE, axis=1) > RADIUS * math.cos(math.pi / HOLE)).all()
    # Uniform by area: the share left of the middle, to four standard deviations.
    left = (WIDTH / 2 - math.pi * RADIUS**2) / (WIDTH - math.pi * RADIUS**2)
    assert (x[:, 0] < 1).mean() == pytest.approx(left, abs=4 * math.sqrt(left * (1 - left) / 4000))
    outside = [CENTRE, [-1e-6, 0.5], [2.1, 0.5], [1.0, 1.0 + 1e-6]]
    assert not plate.contains(outside).any()
    assert plate.contains([[0, 0], [WIDTH, HEIGHT], [0, 0.5], [1, 1]]).all()


@pytest.mark.parametrize("order", [2, 4])
def test_the_graph_has_its_order_at_every_node(plate, order):
    graph = mesh_graph(plate, order=order)
    np.testing.assert_array_equal(graph.pos, plate.points)
    np.testing.assert_array_equal(graph.boundary_mask.nonzero().ravel(), plate.boundary_nodes)
    d = GraphOperators.from_graph(graph)
    x, y = d.pos.unbind(1)
    inside = ~d.boundary_mask
    torch.testing.assert_close(
        d.laplacian(x ** (order + 1) + x * y)[inside],
        (order + 1) * order * x[inside] ** (order - 1),
        rtol=1e-8,
        atol=1e-8,
    )


def test_groups_without_data_are_free_of_flux(plate):
    graph = mesh_graph(plate, dirichlet=["inflow", "hole"])
    given = plate.group_mask(["inflow", "hole"])
    np.testing.assert_array_equal(graph.boundary_mask, given)
    free = np.setdiff1d(plate.boundary_nodes, given.nonzero()[0])
    np.testing.assert_array_equal(np.unique(graph.flux_index[0]), free)
    assert not mesh_graph(plate, dirichlet=[]).boundary_mask.any()
    d = GraphOperators.from_graph(mesh_graph(plate, dirichlet="walls"))
    # cos(pi x / 2) has no slope at both ends.
    field = torch.cos(math.pi / 2 * d.pos[:, 0])
    inside = torch.from_numpy(plate.group_mask(["walls", "hole"])).logical_not()
    error = (d.laplacian(field) + (math.pi / 2) ** 2 * field)[inside].abs().max()
    assert error < 0.05 * (math.pi / 2) ** 2


def test_the_finite_element_has_the_mass_of_the_plate(plate):
    d = GraphOperators.from_graph(mesh_graph(plate, method="finite_element", dirichlet=[]))
    weights = d.mass_weights()
    share = weights / weights.sum()
    mean = float((share * d.pos[:, 0]).sum())
    middle = plate.points[plate.triangles].mean(axis=1)[:, 0]
    assert mean == pytest.approx(float((plate.areas * middle).sum() / plate.area), rel=1e-9)


def test_methods_and_orders_that_do_not_exist(plate):
    assert refused(mesh_graph, plate, method="cloud") == (
        "`method` must be one of finite_element, triangulation, got 'cloud'."
    )
    assert refused(mesh_graph, plate, order=3) == (
        "`order` must be one of 2, 4 for triangulation, got 3."
    )
    assert refused(mesh_graph, plate, method="finite_element", order=4) == (
        "`order` must be one of 2 for finite_element, got 4."
    )


def test_single_precision(plate):
    assert mesh_graph(plate, dtype=torch.float32).pos.dtype == torch.float32


def test_the_script_makes_the_stored_file(tmp_path):
    if importlib.util.find_spec("gmsh") is None:
        pytest.skip("the package gmsh is not installed")
    loads = subprocess.run(
        [sys.executable, "-c", "import gmsh; gmsh.initialize()"], capture_output=True
    )
    if loads.returncode:
        pytest.skip("the package gmsh does not load: it needs libGLU")
    script, made = PLATE.with_name("make_plate.py"), tmp_path / "plate.msh"
    subprocess.run([sys.executable, script, made], check=True)
    fresh, stored = read_mesh(made), read_mesh(PLATE)
    assert fresh.area == pytest.approx(stored.area, rel=1e-9)
    assert set(fresh.groups) == set(stored.groups)
