"""`pinn-ext predict`: what is written is what the network says, whole or not at all."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.datasets.meshes import read_mesh
from pinn_ext.datasets.reference_files import read_reference
from pinn_ext.program.trained import field_files
from tests.program.conftest import SMALL
from tests.program.untrained import untrained
from tests.scripts import ROOT

PLATE = ROOT / "tests" / "data" / "plate.msh"


@pytest.fixture
def plane(tmp_path):
    """Make a run in the plane; the domain is the whole box."""
    untrained(tmp_path / "plane", "problem=brusselator")
    return tmp_path / "plane"


@pytest.fixture
def ring(tmp_path):
    """Make a run in the plane on a ring in the box."""
    on_ring = "problem.geometry=annulus", "problem.conditions=soft", "dtype=float64"
    untrained(tmp_path / "ring", "problem=brusselator", *on_ring)
    return tmp_path / "ring"


def written(run, *arguments):
    done = run("predict", *arguments)
    assert done.status == 0, done.err
    return done.out.splitlines()


def fields(folder, x, t, **options):
    return pinn_ext.load(folder, **options).fields(x, t)


def test_npz_of_the_default_grid_at_the_final_time(run, trained):
    lines = written(run, trained.folder, "--out", "a.npz")
    assert lines == ["Written: a.npz (u and v at 1001 points and 1 time)."]
    with np.load("a.npz") as found:
        assert sorted(found) == ["t", "u", "v", "x"]
        assert found["x"].shape == (1001, 1) and found["t"].tolist() == [1.0]
        assert found["u"].shape == (1, 1001) and found["u"].dtype == np.float32
        inputs = torch.from_numpy(np.hstack([found["x"], np.ones((1001, 1))])).float()
        with torch.no_grad():
            wanted = trained.network(inputs).numpy()
        assert np.array_equal(found["u"][0], wanted[:, 0])
        assert np.array_equal(found["v"][0], wanted[:, 1])


def test_times_a_grid_the_best_network_and_float64(run, trained):
    options = "--times", "0.5,0", "--grid", 7, "--best", "--dtype", "float64"
    written(run, trained.folder, *options, "--out", "a.npz")
    with np.load("a.npz") as found:
        assert found["t"].tolist() == [0.5, 0.0] and found["u"].shape == (2, 7)
        for row, time in enumerate((0.5, 0.0)):
            wanted = fields(trained.folder, found["x"], time, best=True, dtype="float64")
            assert np.array_equal(np.stack([found["u"][row], found["v"][row]], axis=1), wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_csv_is_read_back_as_it_was(run, plane, dtype):
    options = "--times", "0.1,1", "--grid", 4, "--dtype", dtype
    written(run, plane, *options, "--out", "a.csv")
    written(run, plane, *options, "--out", "a.npz")
    assert Path("a.csv").read_text().startswith("x,y,t,u,v\n")
    table = np.loadtxt("a.csv", delimiter=",", skiprows=1)
    with np.load("a.npz") as found:
        assert np.array_equal(table[:16, :2], found["x"]) and np.array_equal(
            table[:, 2], np.repeat(found["t"], 16)
        )
        assert np.array_equal(table[:, 3].reshape(2, 16), found["u"])
        assert np.array_equal(table[:, 4].reshape(2, 16), found["v"])


def test_long_tables_are_written_in_pieces(run, plane, monkeypatch):
    written(run, plane, "--grid", 6, "--out", "whole.csv")
    monkeypatch.setattr(field_files, "_ROWS", 5)
    written(run, plane, "--grid", 6, "--out", "pieces.csv")
    assert Path("whole.csv").read_text() == Path("pieces.csv").read_text()


def test_vtu_of_a_grid(run, plane, trained):
    meshio = pytest.importorskip("meshio")
    written(run, plane, "--grid", 3, "--out", "a.vtu")
    mesh = meshio.read("a.vtu")
    (block,) = mesh.cells
    assert block.type == "quad" and block.data[0].tolist() == [0, 3, 4, 1]
    corners = mesh.points[block.data]
    sides = np.roll(corners, -1, axis=1) - corners
    area = np.cross(sides[:, 0], sides[:, 1])[:, 2].sum()  # above 0 of those counterclockwise
    assert len(block.data) == 4 and area == pytest.approx(4.0)
    wanted = fields(plane, mesh.points[:, :2], 1.0)
    assert np.array_equal(mesh.point_data["u"], wanted[:, 0])
    assert np.array_equal(mesh.point_data["v"], wanted[:, 1])
    written(run, trained.folder, "--grid", 3, "--out", "line.vtu")
    (block,) = meshio.read("line.vtu").cells
    assert block.type == "line" and block.data.tolist() == [[0, 1], [1, 2]]


def test_vtu_of_several_times(run, plane):
    pytest.importorskip("meshio")
    options = "--times", "0,0.25,1", "--mesh", PLATE, "--out", "series.vtu"
    lines = written(run, plane, *options)
    assert lines[-1].startswith("Written: series.pvd and series_0000.vtu to series_0002.vtu (u and")
    found = read_reference("series.pvd")
    mesh = read_mesh(PLATE)
    assert np.array_equal(found.x, mesh.points) and found.t.tolist() == [0.0, 0.25, 1.0]
    for row, time in enumerate(found.t):
        wanted = fields(plane, mesh.points, time)
        assert np.array_equal(found.u[row], wanted[:, 0])
        assert np.array_equal(found.v[row], wanted[:, 1])
    first = pytest.importorskip("meshio").read("series_0000.vtu")
    assert np.array_equal(first.cells_dict["triangle"], mesh.triangles)


def test_points_of_a_file_outside_of_the_domain(run, ring):
    x = np.array([[1.0, 1.7], [1.0, 1.0], [0.05, 0.05], [0.3, 1.0]])
    np.savez("p.npz", x=x)
    np.savetxt("p.csv", x, delimiter=",", header="x,y", comments="")
    np.savetxt("p.txt", x)
    for number, name in enumerate(("p.npz", "p.csv", "p.txt")):
        lines = written(run, ring, "--points", name, "--out", f"a{number}.npz")
        assert lines[0] == "2 of 4 points lie outside of the domain: u and v are NaN there."
        with np.load(f"a{number}.npz") as found:
            assert np.isnan(found["u"][0]).tolist() == [False, True, True, False]
            assert np.array_equal(found["x"], x)
            wanted = fields(ring, x, 1.0)
            assert np.array_equal(found["v"][0][[0, 3]], wanted[[0, 3], 1])


def test_a_grid_has_no_cells_outside_of_the_domain(run, ring):
    meshio = pytest.importorskip("meshio")
    written(run, ring, "--grid", 21, "--out", "a.vtu")
    mesh = meshio.read("a.vtu")
    whole = np.isfinite(mesh.point_data["u"])
    quads = mesh.cells_dict["quad"]
    assert whole[quads].all() and 0 < len(quads) < 400 and not whole.all()


REFUSED = [
    (["nowhere", "--out", "a.npz"], "There is no run at nowhere."),
    (["plane", "--best", "--out", "a.npz"], "The best network must lie in plane/best.pt"),
    (["plane", "--out", "a.txt"], "`--out` must end in .npz, .csv or .vtu, got a.txt."),
    (["plane", "--out", "b/a.npz"], "There is no folder b to write into."),
    (["plane", "--out", "old.npz"], "There is a file old.npz: add --overwrite to replace it."),
    (["plane", "--out", "plane/checkpoint.pt"], "`--out` must end in"),
    (["plane", "--out", "plane/history.csv", "--overwrite"], "is a file that a run or a sweep"),
    (["plane", "--out", "folder.npz"], "`--out` must name a file, got the folder folder.npz."),
    (["plane", "--out", "a" * 250 + ".npz"], "`--out` must be a shorter name"),
    (["plane", "--out", "a.vtu", "--times", "0,1"], "There is a file a_0001.vtu"),
    (
        ["plane", "--out", "a.npz", "--times", "2"],
        "`--times` must lie in [0, 1], the time interval",
    ),
    (["plane", "--out", "a.npz", "--times", "nan"], "`--times` must lie in [0, 1]"),
    (["plane", "--out", "a.npz", "--times", "1,0,1"], "must be all different, got 1 twice."),
    (["plane", "--out", "a.npz", "--grid", "1"], "`--grid` must be a whole number >= 2, got 1."),
    (["plane", "--out", "a.npz", "--grid", "20000"], "`--grid` must give at most 1e+08 points"),
    (
        ["plane", "--out", "a.npz", "--points", "nowhere"],
        "`--points` must name a file, got nothing",
    ),
    (["plane", "--out", "a.npz", "--points", "p.csv"], "`--points` must have positions in 2 dim"),
    (
        ["plane", "--out", "a.npz", "--points", "far.txt"],
        "`--points` must lie in the domain, got 1",
    ),
    (["plane", "--out", "a.npz", "--points", "p.doc"], "`--points` must end in one of"),
    (["plane", "--out", "a.npz", "--mesh", "p.csv"], "`--mesh` must end in one of"),
    (["line", "--out", "a.npz", "--mesh", "p.msh"], "`--mesh` must be asked for in two dim"),
    (["plane", "--out", "a.npz", "--problem-file", "p.csv"], "`--problem-file` must be left out"),
    (["plane", "--out", "a.npz", "--problem-file", "nowhere"], "`--problem-file` must name a file"),
]


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED, ids=lambda v: " ".join(v)[:60])
def test_refused_before_anything_is_written(run, plane, tmp_path, arguments, sentence):
    untrained(tmp_path / "line", "problem=coupled_burgers")
    (plane / "history.csv").write_text("")
    (tmp_path / "folder.npz").mkdir()
    for name in ("old.npz", "a_0001.vtu", "p.doc", "p.msh"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "p.csv").write_text("x\n1\n")
    (tmp_path / "far.txt").write_text("5 5\n")
    before = sorted(tmp_path.rglob("*"))
    done = run("predict", *arguments)
    assert done.status == 2 and done.err.count("\n") == 1, done.err
    assert done.err.startswith("pinn-ext: ") and sentence in done.err
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "old.npz").read_text() == "mine"


def test_an_existing_file_is_replaced_if_asked(run, plane, tmp_path):
    (tmp_path / "elsewhere").write_text("stays")
    (tmp_path / "a.npz").symlink_to(tmp_path / "elsewhere")
    assert run("predict", plane, "--out", "a.npz").status == 2
    written(run, plane, "--grid", 3, "--overwrite", "--out", "a.npz")
    assert (tmp_path / "elsewhere").read_text() == "stays"
    assert np.load("a.npz")["u"].shape == (1, 9)


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.vtu"])
def test_a_failure_leaves_nothing(run, plane, tmp_path, monkeypatch, name):
    meshio = pytest.importorskip("meshio")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    monkeypatch.setattr(field_files, "_write_rows", full)
    count, write = [], meshio.Mesh.write

    def full_at_the_second(self, *arguments, **options):
        count.append(1)
        (full if len(count) == 2 else write)(self, *arguments, **options)

    monkeypatch.setattr(meshio.Mesh, "write", full_at_the_second)
    before = sorted(tmp_path.rglob("*"))
    done = run("predict", plane, "--times", "0,1", "--grid", "3", "--out", name)
    assert done.status == 2 and f"{name} cannot be written (No space left on device)" in done.err
    assert sorted(tmp_path.rglob("*")) == before


def test_without_meshio_the_extra_is_named(run, plane, monkeypatch):
    monkeypatch.setitem(sys.modules, "meshio", None)
    done = run("predict", plane, "--out", "a.vtu")
    assert done.status == 2 and "pip install 'pinn-ext[mesh]'" in done.err


def test_a_problem_of_the_user_s_own_file(run):
    meshio = pytest.importorskip("meshio")
    assert run("new", "mine.py").status == 0
    own = "problem=from_file", "problem.file=mine.py", *SMALL[1:], "training.epochs=1"
    folder = run(*own).folder
    refused = run("predict", folder, "--out", "a.vtu")
    assert refused.status == 2 and "add --problem-file mine.py" in refused.err
    written(run, folder, "--problem-file", "mine.py", "--grid", 5, "--out", "a.vtu")
    mesh = meshio.read("a.vtu")
    loaded = pinn_ext.load(folder, problem_file="mine.py")
    wanted = loaded.fields(mesh.points[:, :2], loaded.system.final_time)
    assert np.array_equal(mesh.point_data["u"], wanted[:, 0])
    assert np.array_equal(mesh.point_data["v"], wanted[:, 1])


def test_a_run_on_a_mesh(run, tmp_path):
    """The mesh is the domain: its hole is outside, all of its own nodes are inside."""
    meshio = pytest.importorskip("meshio")
    untrained(tmp_path / "run", "dataset=mesh", f"dataset.path={PLATE}", "problem.conditions=soft")
    lines = written(run, "run", "--mesh", PLATE, "--out", "a.vtu")
    assert not any("outside" in line for line in lines)
    found = meshio.read("a.vtu")
    wanted = fields("run", found.points[:, :2], 1.0)
    assert np.array_equal(found.point_data["v"], wanted[:, 1])
    np.savetxt("p.csv", [[0.8, 0.5], [0.1, 0.1]], delimiter=",")
    written(run, "run", "--points", "p.csv", "--out", "a.npz")
    with np.load("a.npz") as found:
        assert np.isnan(found["u"][0]).tolist() == [True, False]
