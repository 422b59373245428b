"""What is dropped, merged, turned or refused in a mesh."""

import numpy as np
import pytest

from pinn_ext.datasets import outside_files
from pinn_ext.datasets.meshes import mesh_graph, read_mesh
from tests.datasets.meshes.made import FAN, SQUARE, meshio, refused, write


@pytest.fixture(autouse=True)
def _needs_meshio():
    meshio()


def strip(corner, along, across, parts=4):
    """Return points and triangles of a parallelogram, `parts` squares long."""
    corner, along, across = (np.asarray(v, float) for v in (corner, along, across))
    k = np.arange(parts + 1)[:, None] / parts
    points = np.concatenate([corner + k * along, corner + k * along + across])
    low = np.arange(parts)
    high = low + parts + 1
    triangles = [np.stack([low, low + 1, high + 1], 1), np.stack([low, high + 1, high], 1)]
    return points, np.concatenate(triangles)


def together(*meshes):
    shift = np.cumsum([0, *(len(points) for points, _ in meshes)])
    return (
        np.concatenate([points for points, _ in meshes]),
        np.concatenate([triangles + k for (_, triangles), k in zip(meshes, shift, strict=False)]),
    )


def read(folder, points, triangles, **how):
    return read_mesh(write(folder / "a.vtu", points, triangles, **how))


def sentence(folder, points, triangles, **how):
    return refused(read_mesh, write(folder / "a.vtu", points, triangles, **how))


# ---- taken, and said ------------------------------------------------------------------------


def test_orphan_nodes_are_dropped(tmp_path):
    points = np.insert(SQUARE, 2, [[9.0, 9.0], [np.nan, 0.0]], axis=0)
    triangles = np.where(FAN >= 2, FAN + 2, FAN)
    mesh = read(tmp_path, points, triangles)
    np.testing.assert_array_equal(mesh.points, SQUARE)
    np.testing.assert_array_equal(mesh.origin, [0, 1, 4, 5, 6])
    assert mesh.notes == ("2 nodes in no triangle dropped: 2, 3.",)
    more = read(tmp_path, np.concatenate([SQUARE, np.ones((7, 2))]), FAN)
    assert more.notes == ("7 nodes in no triangle dropped: 5, 6, 7, 8, 9 and 2 more.",)


def test_triangles_of_either_turn(tmp_path):
    for clockwise in ([], [1], [0, 1, 2, 3]):
        triangles = FAN.copy()
        triangles[clockwise] = triangles[clockwise, ::-1]
        mesh = read(tmp_path, SQUARE, triangles)
        assert (mesh.areas > 0).all() and mesh.area == 1.0
        np.testing.assert_array_equal(np.sort(mesh.triangles), np.sort(FAN))
    one = read(tmp_path, SQUARE, np.concatenate([FAN[:3], FAN[3:, ::-1]]))
    assert one.notes == ("1 triangle of 4 turned counterclockwise.",)


def test_nodes_at_one_place_are_merged(tmp_path):
    points, triangles = together(
        strip([0, 0], [1, 0], [0, 0.25]), strip([0, 0.25], [1, 0], [0, 0.25])
    )
    points[10] += 1e-15
    mesh = read(tmp_path, points, triangles)
    assert len(mesh.points) == 15 and len(mesh.boundary_loops) == 1
    assert mesh.notes == ("5 nodes at the place of another one merged with it.",)
    mesh_graph(mesh, method="finite_element")


def test_triangles_that_stand_there_twice_are_taken_once(tmp_path):
    mesh = read(tmp_path, SQUARE, np.concatenate([FAN, FAN[[2, 0]][:, [1, 2, 0]]]))
    np.testing.assert_array_equal(mesh.triangles, FAN)
    assert mesh.notes == ("2 triangles of the same nodes as another one dropped.",)


def test_several_parts_and_holes(tmp_path):
    ring = together(
        strip([0, 0], [3, 0], [0, 1], 3),
        strip([0, 2], [3, 0], [0, 1], 3),
        strip([0, 1], [1, 0], [0, 1], 1),
        strip([2, 1], [1, 0], [0, 1], 1),
        strip([9, 9], [1, 0], [0, 1]),
    )
    mesh = read(tmp_path, *ring)
    assert mesh.notes[-1] == "The mesh has 2 parts that share no node."
    assert len(mesh.boundary_loops) == 3 and mesh.area == pytest.approx(9.0)
    assert not mesh.contains([[1.5, 1.5]]).any() and mesh.contains([[9.5, 9.5]]).all()
    assert np.bincount(mesh.parts).tolist() == [16, 10]


def test_parts_that_touch_in_a_node_only(tmp_path):
    points, triangles = together((SQUARE, FAN), (SQUARE + 1, FAN))
    mesh = read(tmp_path, points, triangles)
    assert len(mesh.points) == 9 and mesh.area == 2.0
    assert sum(map(len, mesh.boundary_loops)) == 8


@pytest.mark.parametrize("z", [0.0, 2.5, -1e3])
def test_a_flat_mesh_at_any_height(tmp_path, z):
    points = np.column_stack([SQUARE, np.full(5, z)])
    points[4, 2] += 1e-12
    np.testing.assert_array_equal(read(tmp_path, points, FAN).points, SQUARE)


def test_triangles_of_higher_order_by_their_corners_only_when_asked(tmp_path):
    edges = FAN[:, [[0, 1], [1, 2], [2, 0]]]
    points = np.concatenate([SQUARE, SQUARE[edges].mean(axis=2).reshape(-1, 2)])
    cells = np.concatenate([FAN, 5 + np.arange(12).reshape(4, 3)], axis=1)
    file = tmp_path / "a.vtu"
    points = np.column_stack([points, np.zeros(len(points))])
    meshio().Mesh(points, [("triangle6", cells)]).write(file)
    assert refused(read_mesh, file) == (
        "`path` must hold triangles of three nodes, unless `linearize` is true, got cells of the "
        "type triangle6 in a.vtu."
    )
    mesh = read_mesh(file, linearize=True)
    np.testing.assert_array_equal(mesh.points, SQUARE)
    assert mesh.notes[0] == "Triangles of the type triangle6 were taken by their corners."
    assert refused(read_mesh, file, linearize="yes") == (
        "`linearize` must be true or false, got 'yes'."
    )


# ---- refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cells"),
    [("quad", [[0, 1, 2, 3]]), ("tetra", [[0, 1, 2, 4]]), ("quad8", [[0, 1, 2, 3, 4, 0, 1, 2]])],
)
def test_other_cells_are_named(tmp_path, kind, cells):
    more = [(kind, np.array(cells * 2))]
    assert sentence(tmp_path, SQUARE, FAN, more=more) == (
        f"`path` must hold triangles alone, got 2 cells of the type {kind} in a.vtu."
    )


def test_a_mesh_without_triangles(tmp_path):
    points = np.column_stack([SQUARE, np.zeros(5)])
    meshio().Mesh(points, [("line", [[0, 1]]), ("vertex", [[2]])]).write(tmp_path / "a.vtu")
    assert refused(read_mesh, tmp_path / "a.vtu") == (
        "`path` must hold triangles, got line and vertex in a.vtu."
    )


def test_a_surface_in_space(tmp_path):
    points = np.column_stack([SQUARE, [0, 0, 0, 0, 0.5]])
    assert sentence(tmp_path, points, FAN) == (
        "`path` must be flat, with one z at all nodes, and no surface in space, got z from 0 to "
        "0.5 in a.vtu."
    )


def test_nodes_that_are_not_finite(tmp_path):
    points = SQUARE.copy()
    points[2] = np.nan, np.inf
    assert sentence(tmp_path, points, FAN) == (
        "`path` must have finite nodes, got 1 that are not in a.vtu."
    )


def test_nodes_that_are_not_there(tmp_path):
    assert sentence(tmp_path, SQUARE, FAN + 1) == (
        "`path` must name nodes from 0 to 4 in its triangles, got 1 to 5 in a.vtu."
    )


def test_triangles_without_an_area(tmp_path):
    triangles = np.concatenate([FAN, [[0, 4, 2]]])
    assert sentence(tmp_path, SQUARE, triangles) == (
        "`path` must have an area in each triangle, got 1 triangle without, of nodes 0, 4, 2 in "
        "a.vtu."
    )
    # The number of a node is that in the file.
    points = np.insert(SQUARE, 0, [9, 9], axis=0)
    assert "of nodes 1, 5, 3 in" in sentence(tmp_path, points, triangles + 1)


def test_triangles_that_fold_over_each_other(tmp_path):
    points = np.concatenate([SQUARE, [[0.5, 0.25]]])
    got = sentence(tmp_path, points, np.concatenate([FAN, [[0, 1, 5]]]))
    assert got.startswith(
        "`path` must hold a triangulation that operators can be made of, got this"
    )
    assert "`triangles` must not overlap" in got
    inverted = SQUARE.copy()
    inverted[4] = 0.5, -0.5  # the middle lies outside
    assert "must hold a triangulation" in sentence(tmp_path, inverted, FAN)


def test_parts_that_lie_on_each_other(tmp_path):
    far = (0.1 * SQUARE + [0.2, 0.1], FAN)  # inside of one triangle, no edge is crossed
    assert sentence(tmp_path, *together((SQUARE, FAN), far)) == (
        "`path` must have one layer of triangles everywhere, got 2 at (0.25, 0.116667) in a.vtu."
    )
    crossing = together(strip([0, 0], [4, 0], [0, 1]), strip([1.3, -1.2], [0, 4], [-0.9, 0]))
    got = sentence(tmp_path, *crossing)
    assert got.startswith("`path` must not overlap, got two edges of the boundary that cross at (")


def test_parts_whose_edges_do_not_fit(tmp_path):
    hanging = together(strip([0, 0], [1, 0], [0, 1], 1), strip([0, 1], [1, 0], [0, 1], 2))
    got = sentence(tmp_path, *hanging)
    assert got.startswith("`path` must have no node in the middle of another triangle's edge, got ")
    assert " between " in got


@pytest.mark.parametrize("gap", [1e-6, -1e-6])
def test_a_narrow_slit_is_taken_and_a_narrow_overlap_is_not(tmp_path, gap):
    two = together(strip([0, 0], [1, 0], [0, 1], 3), strip([0.1, 1 + gap], [1, 0], [0, 1], 3))
    if gap > 0:
        assert read(tmp_path, *two).area == pytest.approx(2.0)
    else:
        assert "cross at" in sentence(tmp_path, *two)


def test_sizes_are_looked_at_first(tmp_path, monkeypatch):
    files = [write(tmp_path / name) for name in ("a.vtu", "a.vtk")]
    files.append(write(tmp_path / "a.msh", file_format="gmsh22", binary=False))
    monkeypatch.setattr(outside_files, "MOST_NUMBERS", 3)
    for file in files:
        got = refused(read_mesh, file)
        assert got.startswith("`path` must hold at most 3 numbers, got 5 of its points or cells")
