"""Points in a mesh and values between its nodes, against the slow way; no file is read here."""

import numpy as np
import pytest
from scipy.spatial import Delaunay

from pinn_ext.datasets.meshes import TriangleMesh
from pinn_ext.datasets.meshes.checks import overlap_problem
from solvers.operators.meshes import boundary_edges, turned
from tests.datasets.meshes.made import FAN, SQUARE, refused


def mesh_of(points, triangles):
    triangles = turned(points, triangles)
    return TriangleMesh(points, triangles, boundary_edges(points, triangles))


def graded(count=400, seed=0, power=6):
    """Return a mesh of the unit square whose triangles differ in size by many orders."""
    x = np.random.default_rng(seed).random((count, 2)) ** power
    x = np.concatenate([x, [[0, 0], [1, 0], [0, 1], [1, 1]]])
    found = Delaunay(x)
    a, b, c = (x[found.simplices[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    longest = np.max([np.linalg.norm(e, axis=1) for e in (b - a, c - b, a - c)], axis=0)
    return mesh_of(x, found.simplices[np.abs(area) > 1e-9 * longest**2])


def slowly_inside(mesh, x):
    """Return for each point the largest of the triangles' smallest barycentric coordinates."""
    a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))

    def area(p, q, r):
        return (q - p)[..., 0] * (r - p)[..., 1] - (q - p)[..., 1] * (r - p)[..., 0]

    whole = area(a, b, c)
    parts = [area(p, q, x[:, None]) / whole for p, q in ((b, c), (c, a), (a, b))]
    return np.min(parts, axis=0).max(axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_points_are_found_as_by_looking_at_all_triangles(seed):
    mesh = graded(seed=seed)
    draw = np.random.default_rng(seed)
    x = np.concatenate(
        [draw.random((200, 2)) ** 8, 1.4 * draw.random((100, 2)) - 0.2, mesh.sample(300, seed)]
    )
    slow = slowly_inside(mesh, x)
    clear = np.abs(slow) > 1e-8
    assert clear.sum() > 500 and (slow[clear] < 0).any()
    np.testing.assert_array_equal(mesh.contains(x)[clear], slow[clear] > 0)
    triangle, weights = mesh.locate(x)
    found = triangle >= 0
    np.testing.assert_allclose(weights[found].sum(axis=1), 1.0, rtol=1e-12)
    assert (weights[found] > -1e-8).all() and not weights[~found].any()
    back = np.einsum("kc,kcd->kd", weights, mesh.points[mesh.triangles[triangle]])
    np.testing.assert_allclose(back[found], x[found], atol=1e-12)


def test_nodes_and_middles_of_edges_are_inside():
    mesh = graded(100, power=1)
    assert mesh.contains(mesh.points).all()
    assert mesh.contains(mesh.points[mesh.boundary_edges].mean(axis=1)).all()


def test_linear_fields_are_interpolated_exactly():
    mesh = graded()
    x = mesh.sample(500, 1)
    fields = np.stack([mesh.points @ [2, -3] + 1, mesh.points @ [0, 1e-6]], axis=1)
    np.testing.assert_allclose(
        mesh.interpolate(fields, x), np.stack([x @ [2, -3] + 1, x @ [0, 1e-6]], 1), rtol=1e-9
    )
    one = mesh.interpolate(fields[:, 0], mesh.points)
    np.testing.assert_allclose(one, fields[:, 0], rtol=1e-12)


def test_values_between_nodes_converge_by_the_second_order():
    errors = []
    for count in (11, 21, 41):
        x = np.stack(np.meshgrid(*[np.linspace(0, 1, count)] * 2), -1).reshape(-1, 2)
        low = np.add.outer(np.arange(count - 1) * count, np.arange(count - 1)).reshape(-1, 1)
        halves = [[0, 1, count + 1], [0, count + 1, count]]
        mesh = mesh_of(x, np.concatenate([low + half for half in halves]))
        at = mesh.sample(2000, 5)
        errors.append(np.abs(mesh.interpolate(np.sin(3 * x.sum(1)), at) - np.sin(3 * at.sum(1))))
    rates = np.log2([e.max() for e in errors[:-1]]) - np.log2([e.max() for e in errors[1:]])
    assert (rates > 1.8).all() and (rates < 2.2).all()


def test_points_outside_take_the_nearest_value_only_when_asked():
    mesh = graded(power=2)
    values = mesh.points @ [1, 10]
    out = np.array([[0.5, 1.5], [-0.2, -0.1], [0.3, 0.4]])
    assert refused(mesh.interpolate, values, out) == (
        "`x` must lie in the mesh, got 2 outside, the first (0.5, 1.5)."
    )
    got = mesh.interpolate(values, out, outside="nearest")
    np.testing.assert_allclose(got, [10.5, 0.0, 4.3], rtol=1e-9, atol=1e-12)
    x = 3 * np.random.default_rng(2).random((200, 2)) - 1
    np.testing.assert_allclose(
        mesh.interpolate(values, x, outside="nearest"), x.clip(0, 1) @ [1, 10], atol=1e-8
    )


def test_samples_are_uniform_in_area_however_the_mesh_is_graded():
    mesh = graded()
    x = mesh.sample(20_000, 7)
    share = np.histogram2d(*x.T, bins=4, range=[[0, 1], [0, 1]])[0] / 20_000
    sigma = np.sqrt(1 / 16 * 15 / 16 / 20_000)
    assert np.abs(share - 1 / 16).max() < 4.5 * sigma


def test_arguments_that_do_not_fit():
    mesh = mesh_of(SQUARE, FAN)
    assert refused(mesh.contains, [0.5, 0.5]) == "`x` must have shape [K, 2], got [2]."
    assert refused(mesh.contains, [[0.5, np.nan]]) == "`x` must be finite, got 1 that are not."
    assert refused(mesh.sample, 0) == "`count` must be a whole number >= 1, got 0."
    assert refused(mesh.sample, 5, -1) == "`seed` must be a whole number >= 0, got -1."
    assert refused(mesh.interpolate, np.ones(4), SQUARE) == (
        "`values` must have shape [5] or [5, F], got [4]."
    )
    assert refused(mesh.interpolate, [1, 2, 3, 4, np.inf], SQUARE) == (
        "`values` must be finite, got 1 that are not."
    )
    assert refused(mesh.interpolate, np.ones(5), SQUARE, "ignore") == (
        "`outside` must be one of nearest, refuse, got 'ignore'."
    )
    assert refused(mesh.group_mask, "hole") == (
        "`group` must name a group of the mesh, which has none, got 'hole'."
    )


@pytest.mark.parametrize("seed", range(20))
def test_overlaps_are_found_as_by_counting_layers(seed):
    """Two rigid copies of a mesh, one of them moved, against counts of triangles at many points."""
    draw = np.random.default_rng(seed)
    one = graded(60, seed, power=1)
    angle, shift = draw.random() * 6, 1.3 * draw.random(2) - 0.65
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    other = mesh_of(
        (one.points - 0.5) @ turn * draw.choice([0.1, 1.0]) + 0.5 + 2 * shift, one.triangles
    )
    points = np.concatenate([one.points, other.points])
    triangles = np.concatenate([one.triangles, other.triangles + len(one.points)])
    both = one.contains(other.sample(3000, seed)).any() or other.contains(one.sample(3000)).any()
    found = overlap_problem(points, triangles, boundary_edges(points, triangles))
    assert (found is not None) == both
