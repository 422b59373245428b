"""A mesh as a domain: inside, distance, normals, points of its boundary and named parts of it."""

import copy

import numpy as np
import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets.collocation import sobol_points
from pinn_ext.datasets.meshes import MeshDomain, mesh_domain
from pinn_ext.datasets.once_per_points import OncePerPoints
from pinn_ext.systems import domains
from solvers.operators.meshes import edge_normals, node_normals
from tests.datasets.meshes.made import PLATE, meshio, refused, ring, write
from tests.datasets.meshes.test_triangle_mesh import graded

F64 = torch.float64


@pytest.fixture(scope="module")
def domain():
    return MeshDomain(ring())


def points_around(mesh, count=400, seed=0):
    """Return random points in a box somewhat larger than a mesh's."""
    low, high = np.array(mesh.lower), np.array(mesh.upper)
    x = np.random.default_rng(seed).random((count, 2))
    return torch.from_numpy(low - 0.2 * (high - low) + 1.4 * x * (high - low))


def slow_distance(mesh, x):
    """Return the distance `[K]` of points to the nearest of all boundary edges."""
    start, end = mesh.points[mesh.boundary_edges].transpose(1, 0, 2)
    along = end - start
    share = ((x[:, None] - start) * along).sum(axis=2) / (along**2).sum(axis=1)
    foot = start + share.clip(0, 1)[..., None] * along
    return np.linalg.norm(x[:, None] - foot, axis=2).min(axis=1)


def crossings(mesh, x):
    """Return how many boundary edges a ray from each point to the right crosses, `[K]`."""
    start, end = mesh.points[mesh.boundary_edges].transpose(1, 0, 2)
    y = x[:, None, 1]
    spans = (start[:, 1] <= y) != (end[:, 1] <= y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = start[:, 0] + (y - start[:, 1]) / (end - start)[:, 1] * (end - start)[:, 0]
    return (spans & (at > x[:, None, 0])).sum(axis=1)


@pytest.mark.parametrize("mesh", [ring(), graded(count=200)], ids=["ring", "graded"])
def test_depth_and_sign_are_those_found_the_slow_way(mesh):
    own, x = MeshDomain(mesh), points_around(mesh)
    inside = torch.from_numpy(crossings(mesh, x.numpy()) % 2 == 1)
    distance = torch.from_numpy(slow_distance(mesh, x.numpy()))
    clear = distance > 1e-9
    torch.testing.assert_close(own.depth(x).abs(), distance, rtol=1e-9, atol=1e-12)
    assert 50 < inside.sum() < 350 and clear.sum() > 390
    assert torch.equal((own.depth(x) > 0)[clear], inside[clear])
    assert torch.equal(own.contains(x)[clear], inside[clear])
    assert (own.lower, own.upper) == (mesh.lower, mesh.upper)


def test_nothing_is_asked_of_no_points(domain):
    none = torch.empty(0, 2, dtype=F64)
    assert domain.depth(none).shape == (0,) and domain.contains(none).shape == (0,)
    assert domain.normals(none).shape == (0, 2)
    assert domain.on_groups(["inner"], none).shape == (0,)


def test_depth_has_the_float_type_of_its_points(domain):
    x = torch.tensor([[1.7, 1.0], [1.0, 1.0]], requires_grad=True)
    depth = domain.depth(x)
    assert depth.dtype == torch.float32 and not depth.requires_grad
    assert depth.sign().tolist() == [1.0, -1.0]


def test_normals_are_those_of_the_edges_and_at_nodes_their_means(domain):
    mesh = domain.mesh
    edges = mesh.boundary_edges
    middles = torch.from_numpy(mesh.points[edges].mean(axis=1))
    normals = domain.normals(middles)
    np.testing.assert_allclose(normals.numpy(), edge_normals(mesh.points, edges)[0], rtol=1e-12)
    assert domain.contains(middles - 1e-3 * normals).all()
    assert not domain.contains(middles + 1e-3 * normals).any()
    nodes = mesh.boundary_nodes
    at_nodes = domain.normals(torch.from_numpy(mesh.points[nodes]).float())
    wanted = torch.from_numpy(node_normals(mesh.points, edges)[nodes]).float()
    torch.testing.assert_close(at_nodes, wanted)
    assert at_nodes.dtype == torch.float32


def test_boundary_nodes_are_the_meshs_and_more_where_edges_are_long(domain):
    mesh = domain.mesh
    own = mesh.points[mesh.boundary_nodes]
    coarse = domain.boundary_nodes(1e9).numpy()
    assert sorted(map(tuple, coarse)) == sorted(map(tuple, own))
    fine = domain.boundary_nodes(0.05).numpy()
    assert set(map(tuple, own)) <= set(map(tuple, fine))
    lengths = np.linalg.norm(np.diff(mesh.points[mesh.boundary_edges], axis=1), axis=2).ravel()
    assert len(fine) == np.ceil(lengths / 0.05 - 1e-9).sum()
    assert slow_distance(mesh, fine).max() < 1e-12


def test_boundary_samples_count_edges_by_their_length(domain):
    mesh = domain.mesh
    samples = domain.boundary_samples(201)
    assert slow_distance(mesh, samples.numpy()).max() < 1e-12
    inner, outer = (
        domain.on_groups([name], samples).double().mean() for name in ("inner", "outer")
    )
    assert inner + outer == 1.0
    assert inner / outer == pytest.approx(0.4, rel=5e-3)
    spacing = domain.side / 200
    step = (samples[1:] - samples[:-1]).norm(dim=1)
    # Around a corner, or from one loop to the other, neighbours are at another distance.
    assert step.median() == pytest.approx(spacing, rel=2e-3)


def test_points_of_groups(domain):
    mesh, x = domain.mesh, torch.from_numpy(domain.mesh.points)
    for names in (["inner"], ["outer"], ["east"], ["inner", "east"], ["spots"]):
        np.testing.assert_array_equal(domain.on_groups(names, x), mesh.group_mask(names))
        near = domain.on_groups(names, x.float() * (1 + 1e-7))
        np.testing.assert_array_equal(near, mesh.group_mask(names))
    samples = domain.boundary_samples(50)
    # A group of nodes alone has the edges between them.
    assert torch.equal(domain.on_groups(["spots"], samples), domain.on_groups(["inner"], samples))
    assert not domain.on_groups([], samples).any()
    assert domain.groups == ("east", "inner", "outer", "spots")


def test_a_node_that_has_a_name_of_its_own(domain):
    mesh = copy.copy(domain.mesh)
    corner = type(mesh.groups["inner"])(np.array([0]), np.empty((0, 2), np.int64))
    one = MeshDomain(type(mesh)(mesh.points, mesh.triangles, mesh.boundary_edges, {"one": corner}))
    found = one.on_groups(["one"], torch.from_numpy(mesh.points))
    assert found.nonzero().flatten().tolist() == [0]
    assert not one.on_groups(["one"], one.boundary_samples(50)).any()


def test_which_groups_are_all_of_the_boundary(domain):
    assert domain.is_whole(["inner", "outer"]) and domain.is_whole(["spots", "outer"])
    assert not domain.is_whole(["outer"]) and not domain.is_whole([])
    listed = "be one of east, inner, outer, spots, got 'lid'"
    assert listed in refused(domain.is_whole, ["lid"])
    assert listed in refused(domain.on_groups, ["lid"], torch.zeros(1, 2))
    box = domains.create("square", (0, 0), (1, 1))
    assert box.groups == () and not box.is_whole([])
    assert "whose boundary has no named parts, got 'lid'" in refused(box.is_whole, ["lid"])


def test_copies_are_the_domain_itself_and_notes_are_the_meshs(domain):
    assert copy.deepcopy(domain) is domain
    assert domain.notes == ("Mesh: 1 node in no triangle dropped: 7.",)


def test_the_digest_is_of_places_triangles_and_groups():
    same, moved, renamed = ring(), ring(), ring()
    moved.points[0, 0] += 1e-9
    renamed.groups["west"] = renamed.groups.pop("east")
    digests = [MeshDomain(mesh).digest for mesh in (ring(), same, moved, renamed)]
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_held_out_points_lie_in_the_triangles(domain):
    system = systems.on_domain(systems.create("brusselator"), domain)
    points = sobol_points(system, 500, 3)
    assert domain.contains(points[:, :-1]).all()
    radius = (points[:, :-1] - 1.0).norm(dim=1)
    assert radius.min() < 0.45 and radius.max() > 0.95


def test_answers_about_points_are_found_once():
    asked = []

    def count(x):
        asked.append(len(x))
        return x[:, 0] > 0.5

    once = OncePerPoints(count)
    x = torch.rand(7, 2)
    first = once(x)
    assert torch.equal(once(x.clone().requires_grad_()), first) and asked == [7]
    assert torch.equal(once(x[:3]), first[:3]) and asked == [7, 3]
    changed = x.clone()
    changed[0, 0] = 1 - changed[0, 0]
    once(changed)
    assert asked == [7, 3, 7]
    for number in range(20):
        once(torch.full((1, 2), float(number)))
    assert once(x).dtype == torch.bool and asked[-1] == 7  # forgotten, and found again


def test_answers_are_constants_to_derivatives_of_any_kind():
    once = OncePerPoints(lambda x: 2 * x)
    x, one = torch.rand(4, 2, dtype=F64), torch.ones(4, 2, dtype=F64)
    value, slope = torch.func.jvp(lambda factor: factor * once(x), (one,), (one,))
    assert torch.equal(value, 2 * x) and torch.equal(slope, 2 * x)
    inner = lambda at: torch.func.jvp(lambda f: f * once(at), (at,), (one,))[1]  # noqa: E731
    value, slope = torch.func.jvp(inner, (x,), (one,))
    assert torch.equal(value, 2 * x) and not slope.any()
    with torch.inference_mode():
        first = OncePerPoints(lambda x: 3 * x)
        first(x)
    factor = torch.ones(4, 2, dtype=F64, requires_grad=True)
    (factor * first(x.requires_grad_())).sum().backward()
    assert torch.equal(factor.grad, 3 * x) and x.grad is None


def test_a_file_as_a_domain(tmp_path):
    meshio()
    plate = mesh_domain(str(PLATE))
    assert plate.groups == ("corner", "hole", "inflow", "outflow", "walls")
    assert plate.is_whole(["hole", "inflow", "outflow", "walls"])
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    flat = write(tmp_path / "flat.vtu", points=square, triangles=[[0, 1, 2], [0, 2, 3]])
    assert "hold a mesh with nodes inside, got none in" in refused(mesh_domain, str(flat))
