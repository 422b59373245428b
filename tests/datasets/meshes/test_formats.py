"""One mesh with groups in each format, written by meshio, and Gmsh's and MED's own habits."""

import numpy as np
import pytest

from pinn_ext.datasets.meshes import read_mesh
from tests.datasets.meshes.made import FAN, PLATE, SQUARE, meshio, refused, write

SIDES = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
# Number and dimension, as meshio has Gmsh's names. One block of lines for each entity, before the
# triangles: into version 4.1, meshio writes the first number of a block for all of it.
NAMES = {"bottom": [7, 1], "rest": [8, 1], "sheet": [7, 2]}
TAGS = [np.array([7]), np.full(3, 8), np.full(4, 7)]


@pytest.fixture(autouse=True)
def _needs_meshio():
    meshio()


def grouped(file, **how):
    data = {"gmsh:physical": TAGS, "gmsh:geometrical": TAGS}
    lines = [("line", SIDES[:1]), ("line", SIDES[1:])]
    return write(file, more=lines, cell_data=data, field_data=NAMES, **how)


def assert_is_square(mesh):
    np.testing.assert_array_equal(mesh.points, SQUARE)
    np.testing.assert_array_equal(mesh.triangles, FAN)
    assert mesh.points.dtype == np.float64 and mesh.triangles.dtype == np.int64
    assert mesh.points.dtype.isnative and mesh.triangles.dtype.isnative
    assert len(mesh.boundary_edges) == 4 and mesh.area == 1.0
    np.testing.assert_array_equal(mesh.origin, np.arange(5))


@pytest.mark.parametrize("version", ["gmsh22", "gmsh"])
@pytest.mark.parametrize("binary", [True, False])
def test_physical_groups_of_gmsh(tmp_path, version, binary):
    how = {} if version == "gmsh22" else {"point_data": {"gmsh:dim_tags": _entities()}}
    mesh = read_mesh(grouped(tmp_path / "a.msh", file_format=version, binary=binary, **how))
    assert_is_square(mesh)
    assert {name: group.nodes.tolist() for name, group in mesh.groups.items()} == {
        "bottom": [0, 1],
        "rest": [0, 1, 2, 3],
    }
    assert mesh.groups["bottom"].edges.tolist() == [[0, 1]]
    assert mesh.notes == ("Names of triangles are not used: sheet.",)


def _entities():
    """Return dimension and number of the entity that each node belongs to."""
    return np.array([[1, 7], [1, 7], [1, 8], [1, 8], [2, 7]])


def test_a_physical_group_without_a_name_is_called_by_its_number(tmp_path):
    tags = [np.array([7, 8, 8, 8]), np.full(4, 7)]
    data = {"gmsh:physical": tags, "gmsh:geometrical": tags}
    file = write(tmp_path / "a.msh", more=[("line", SIDES)], cell_data=data, file_format="gmsh22")
    assert set(read_mesh(file).groups) == {"7", "8"}


@pytest.mark.parametrize("ending", ["vtu", "vtk", "xdmf", "med", "inp", "mesh", "su2", "stl"])
def test_other_formats(tmp_path, monkeypatch, ending):
    if ending in ("xdmf", "med"):
        pytest.importorskip("h5py", reason="the extra mesh is not installed")
    monkeypatch.chdir(tmp_path)
    flat = ending in ("su2", "med")
    mesh = read_mesh(write(tmp_path / f"a.{ending}", space=not flat))
    if ending == "stl":  # which has no nodes but three a triangle
        assert mesh.area == 1.0 and len(mesh.points) == 5
    else:
        assert_is_square(mesh)
    assert mesh.groups == {}


def test_big_endian_arrays_become_native(tmp_path):
    file = write(tmp_path / "a.vtk", binary=True)
    raw = meshio().read(file)
    assert not raw.points.dtype.isnative, "this test is about legacy VTK"
    assert_is_square(read_mesh(file))


@pytest.mark.parametrize("first", ["line", "triangle"])
def test_families_of_med_by_name_whatever_the_order_of_blocks(tmp_path, first):
    pytest.importorskip("h5py", reason="the extra mesh is not installed")
    blocks = {"line": (SIDES, [-2, -3, -3, -3]), "triangle": (FAN, [-1] * 4)}
    order = [first, *(name for name in blocks if name != first)]
    mesh = meshio().Mesh(
        SQUARE,
        [(name, blocks[name][0]) for name in order],
        point_data={"point_tags": np.array([0, 2, 0, 0, 2])},
        cell_data={"cell_tags": [np.array(blocks[name][1]) for name in order]},
    )
    mesh.cell_tags = {-1: ["sheet"], -2: ["bottom", "wall"], -3: ["wall"]}
    mesh.point_tags = {2: ["marked"]}
    mesh.write(tmp_path / "a.med")
    read = read_mesh(tmp_path / "a.med")
    assert_is_square(read)
    assert {name: group.nodes.tolist() for name, group in read.groups.items()} == {
        "bottom": [0, 1],
        "wall": [0, 1, 2, 3],
        "marked": [1],
    }


def test_sets_of_abaqus(tmp_path):
    file = write(
        tmp_path / "a.inp",
        point_sets={"LEFT": np.array([0, 3]), "MIDDLE": np.array([4])},
        cell_sets={"SHEET": [np.array([0, 1])]},
    )
    mesh = read_mesh(file)
    assert mesh.groups["LEFT"].nodes.tolist() == [0, 3] and set(mesh.groups) == {"LEFT"}
    assert mesh.notes == (
        "Parts that are not on the boundary were left out: MIDDLE.",
        "Names of triangles are not used: SHEET.",
    )


def test_lines_inside_are_no_boundary(tmp_path):
    lines = np.array([[0, 1], [0, 4], [2, 4]])
    tags = [np.array([1, 1, 2]), np.zeros(4, int)]
    file = write(
        tmp_path / "a.msh",
        more=[("line", lines)],
        cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags},
        field_data={"mixed": [1, 1], "inside": [2, 1]},
        file_format="gmsh22",
    )
    mesh = read_mesh(file)
    assert mesh.groups["mixed"].edges.tolist() == [[0, 1]]
    assert mesh.notes == (
        "Parts that are not on the boundary were left out: mixed (1 edges), inside (1 edges).",
    )


def test_groups_where_gmsh_saved_all_are_explained(tmp_path):
    """A physical group on one of the sides only, and cells of all of them, as Mesh.SaveAll=1."""
    text = """$MeshFormat
4.1 0 8
$EndMeshFormat
$PhysicalNames
1
1 1 "bottom"
$EndPhysicalNames
$Entities
0 1 1 0
1 0 0 0 1 0 0 1 1 0
1 0 0 0 1 1 0 0 0
$EndEntities
$Nodes
1 3 1 3
2 1 0 3
1
2
3
0 0 0
1 0 0
0 1 0
$EndNodes
$Elements
2 2 1 2
1 1 1 1
1 1 2
2 1 2 1
2 1 2 3
$EndElements
"""
    file = tmp_path / "a.msh"
    file.write_text(text)
    assert refused(read_mesh, file) == (
        "`path` must have all cells in physical groups (Gmsh: Mesh.SaveAll=0) or none, got some in "
        "none in a.msh."
    )
    file.write_text(text.replace("1 1 0 0 0\n$EndEnt", "1 1 0 1 1 0\n$EndEnt"))
    assert read_mesh(file).groups["bottom"].nodes.tolist() == [0, 1]


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.97])
def test_a_file_that_is_cut_off(tmp_path, capfd, share):
    file = tmp_path / "a.msh"
    whole = PLATE.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    sentence = refused(read_mesh, file)
    assert sentence.startswith("`path` must be a whole gmsh file that meshio reads, got ")
    assert sentence.endswith(" in a.msh.") and capfd.readouterr() == ("", "")


def test_letters_among_the_numbers(tmp_path):
    file = tmp_path / "a.msh"
    file.write_text(PLATE.read_text().replace("0.8 0.7 0\n", "0.8 o.7 0\n"))
    assert refused(read_mesh, file).startswith("`path` must be a whole gmsh file that meshio reads")


def test_files_of_another_kind(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"1")
    sentence = refused(read_mesh, file)
    assert sentence.startswith("`path` must end in one of .msh, .vtu, .vtk, .xdmf")
    assert sentence.endswith("got '.png' of a.png.")
    assert refused(read_mesh, tmp_path / "b.msh").startswith("`path` must name a file, got nothing")
    (tmp_path / "c.msh").touch()
    assert refused(read_mesh, tmp_path / "c.msh") == (
        "`path` must hold data, got 0 bytes in c.msh."
    )
