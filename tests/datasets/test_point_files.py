"""Points from tables, arrays and meshes, in the file's order."""

import numpy as np
import pytest
import scipy.io

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.meshes import read_mesh
from pinn_ext.datasets.point_files import read_points
from tests.scripts import ROOT

POINTS = np.random.default_rng(0).normal(size=(6, 2))


def write(folder):
    """Write the points in all the ways that are read; return the files."""
    x, y = POINTS.T
    np.savez(folder / "listed.npz", x=POINTS)
    np.savez(folder / "axes.npz", x=x, y=y[:, None], u=np.zeros(99))
    np.savez(folder / "named.npz", points=POINTS, label=np.array(["a"]))
    scipy.io.savemat(folder / "listed.mat", {"X": POINTS})
    np.savetxt(folder / "bare.txt", POINTS)
    np.savetxt(folder / "bare.csv", POINTS, delimiter=",")
    table = np.column_stack([y, np.arange(6), x, x, y])
    np.savetxt(folder / "named.csv", table, delimiter=";", header="Y;n;X;u;u_ref", comments="")
    return sorted(folder.iterdir())


def test_every_way_gives_the_points(tmp_path):
    for file in write(tmp_path):
        assert np.array_equal(read_points(file, 2), POINTS), file.name


def test_one_dimension_and_a_single_point(tmp_path):
    for name, x in (("row", POINTS[:, 0]), ("column", POINTS[:, :1]), ("flat", POINTS[:, 0][None])):
        np.savez(tmp_path / f"{name}.npz", x=x)
        assert np.array_equal(read_points(tmp_path / f"{name}.npz", 1), POINTS[:, :1])
    np.savez(tmp_path / "one.npz", x=POINTS[:1])
    assert np.array_equal(read_points(tmp_path / "one.npz", 2), POINTS[:1])
    (tmp_path / "one.csv").write_text("0.5\n")
    assert read_points(tmp_path / "one.csv", 1).tolist() == [[0.5]]


def test_nodes_of_a_mesh():
    pytest.importorskip("meshio")
    file = ROOT / "tests" / "data" / "plate.msh"
    points, mesh = read_points(file, 2), read_mesh(file)
    assert np.array_equal(points[mesh.origin], mesh.points)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "x,y\n1,2\n", r"positions in 1 dimension, got 2 coordinates in a.csv"),
        ("a.csv", "1,2\n", r"have 1 column where it names none, got 2 in a.csv"),
        ("a.csv", "y,u\n1,2\n", r"hold x, or be told its name"),
        ("a.csv", "p,u\n1,2\n", r"hold x, or be told its name"),
        ("a.csv", "x\n1\nnan\n", r"finite numbers, got nan in line 3, x \(1 such number in all\)"),
        ("a.csv", "x\n1\ntwo\n", r"got 'two' in line 3, column 1"),
        ("a.csv", "", "hold data"),
        ("a.doc", "1", "end in one of .csv"),
        ("a.npz", "text", "be a whole npz file"),
    ],
)
def test_refused(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(ArgumentError, match=sentence):
        read_points(tmp_path / name, 1)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": [1.0, 2.0], "y": [1.0]}, "a number for each point along each axis, got 2 and 1"),
        ({"x": np.ones((4, 3))}, "positions in 2 dimensions, got 3 coordinates"),
        ({"x": np.ones((4, 2)) * 1j}, "real positions"),
        ({"x": np.array([["a", "b"]])}, "numbers for x"),
        ({"x": np.array([[1.0, np.inf]])}, "finite numbers"),
        ({"z": [1.0]}, "hold x"),
    ],
    ids=str,
)
def test_arrays_refused(tmp_path, arrays, sentence):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ArgumentError, match=sentence):
        read_points(tmp_path / "a.npz", 2)
