"""Runs on a mesh from a file, and from an initial state that was measured elsewhere."""

import shutil
import sys

import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.cli import main
from pinn_ext.files import RunError
from pinn_ext.program import checkpoints
from tests.datasets.meshes.made import FAN, PLATE, SQUARE, meshio, write
from tests.program.conftest import SMALL, read_report, read_rows

TINY = (
    *(item for item in SMALL[1:] if "nodes_per_side" not in item),
    "problem.conditions=soft",
    "dataset=mesh",
)
ON_PLATE = (*TINY, f"dataset.path={PLATE}")
MESHY = pytest.mark.usefixtures("_meshio")


@pytest.fixture(scope="module")
def _meshio():
    return meshio()


@MESHY
def test_a_run_from_end_to_end(run, rendered):
    done = run(*ON_PLATE, "training=adaptive_ema")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert (report["geometry"], report["dataset"], report["order"]) == (None, "mesh", 2)
    assert report["reference"] == "exact solution" and len(report["terms"]) == 8
    assert all(0 < report["rk4_floor"][field] < 1e-2 for field in "uv")
    assert sum(report["raw_losses_last"].values()) < sum(report["raw_losses_first"].values())
    assert "Mesh: 1 node in no triangle dropped: 4." in done.out
    assert (done.folder / "fields.png").stat().st_size > 10_000


@MESHY
@pytest.mark.parametrize("group", ["inflow", "[]"])
def test_groups_with_given_values(run, group):
    second = ["training.loss.use_gn_solver=true", "training.gauss_newton.iterations=3"]
    done = run(*ON_PLATE, f"problem.dirichlet_group={group}", *second, "dataset.order=4")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["reference"] == "exact solution" and max(report["rk4_floor"].values()) < 1e-5
    head, *rows = read_rows(done.folder)
    phases = [row[head.index("phase")] for row in rows]
    assert phases == ["epochs"] * 3 + ["gauss_newton"] * 3
    last, first = report["raw_losses_last"], report["raw_losses_first"]
    assert all(last[name] < first[name] for name in ("BC_loss1", "BC_loss2"))


@MESHY
@pytest.mark.slow
def test_a_problem_file_with_conditions_by_group(run, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\nfrom pinn_ext.systems import dirichlet, neumann\n"
        "LOWER, UPPER, FINAL_TIME = (0.0, 0.0), (1.0, 1.0), 0.2\n"
        'BOUNDARY = {"hole": dirichlet((1.0, 0.5)), "inflow": neumann((0.1, 0.0))}\n'
        "def rhs(u, v, d):\n    return d.laplacian(u) - u * v, d.laplacian(v) + u * v\n"
        "def initial(x):\n    return torch.ones_like(x) * x.new_tensor([1.0, 0.5])\n"
    )
    given = ["problem=from_file", "problem.file=mine.py", "problem.reference=rk4"]
    done = run(*ON_PLATE, *given)
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["reference"] == "RK4 on the graph"
    assert all(0 < error < 10 for error in report["relative_l2"].values())
    refused = run(*ON_PLATE, *given, "problem.dirichlet_group=inflow")
    assert refused.status == 2 and "`problem.dirichlet_group` must be left out, as" in refused.err


@MESHY
@pytest.mark.slow
def test_meshes_are_compared_in_a_sweep(run, tmp_path):
    other = write(tmp_path / "fine.vtu", *_refined(2))
    run("-m", *ON_PLATE[:-1], f"dataset.path={PLATE},{other}")
    reports = [read_report(path.parent) for path in tmp_path.glob("multirun/*/*/report.json")]
    assert [report["status"] for report in reports] == ["ok"] * 2


def _refined(times):
    """Return the points and triangles of a square of side 2, each triangle in four, some times."""
    points, triangles = 2 * SQUARE, FAN
    for _ in range(times):
        middles, cut = {}, []
        points = points.tolist()

        def middle(a, b, points=points, middles=middles):
            key = min(a, b), max(a, b)
            if key not in middles:
                middles[key] = len(points)
                points.append([(p + q) / 2 for p, q in zip(points[a], points[b], strict=True)])
            return middles[key]

        for a, b, c in triangles:
            ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
            cut += [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
        points, triangles = np.array(points), np.array(cut)
    return points, triangles


@pytest.fixture(scope="module")
def finished(_meshio, tmp_path_factory):
    home = tmp_path_factory.mktemp("mesh")
    shutil.copy(PLATE, home / "plate.msh")
    given = [f"dataset.path={home / 'plate.msh'}", f"hydra.run.dir={home / 'run'}"]
    assert main([*TINY, *given, "problem.dirichlet_group=hole"]) == 0
    return home


def test_resumed_equals_undisturbed(run, finished, tmp_path):
    folder = shutil.copytree(finished / "run", tmp_path / "own")
    shutil.copy(PLATE, tmp_path / "moved.msh")
    moved = f"dataset.path={tmp_path / 'moved.msh'}"
    done = run(f"training.resume={folder}", "training.epochs=4", moved)
    assert done.status == 0, done.err
    whole = run(*ON_PLATE, "problem.dirichlet_group=hole", "training.epochs=4")
    assert read_rows(folder) == read_rows(whole.folder)
    states = [
        checkpoints.load(one / "checkpoint.pt")["model_state_dict"]
        for one in (folder, whole.folder)
    ]
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())


def test_a_mesh_that_has_changed_is_refused(run, finished, tmp_path):
    folder = shutil.copytree(finished / "run", tmp_path / "own")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    text = PLATE.read_text()
    (tmp_path / "other.msh").write_text(text.replace('"walls"', '"sides"'))
    moved = f"dataset.path={tmp_path / 'other.msh'}"
    changed = run(f"training.resume={folder}", "training.epochs=4", moved)
    assert changed.status == 1 and changed.err.count("\n") == 1
    assert "other.msh (dataset.path) has changed since the run was made" in changed.err
    other = run(f"training.resume={folder}", "problem.dirichlet_group=inflow")
    assert other.status == 2 and "`problem.dirichlet_group` cannot differ" in other.err
    gone = run(f"training.resume={folder}", "dataset.path=null")
    assert gone.status == 2 and "`dataset.path` cannot differ" in gone.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_network_is_loaded_on_its_mesh(finished, tmp_path):
    folder = shutil.copytree(finished / "run", tmp_path / "own")
    own = pinn_ext.load(folder)
    x = np.array([[0.1, 0.1], [0.8, 0.5]])  # the second in the hole
    assert own.system.geometry.groups[1] == "hole" and own.contains(x).tolist() == [True, False]
    assert pinn_ext.load(folder, best=True).system.boundary == "mixed"
    whole = checkpoints.load(folder / "checkpoint.pt")
    assert len(whole["inputs"]["dataset.path"]["sha256"]) == 64
    other = {"dataset.path": {"path": "plate.msh", "sha256": "0"}}
    checkpoints.save(folder / "checkpoint.pt", {**whole, "inputs": other})
    for best in (False, True):
        with pytest.raises(RunError, match=r"\(dataset.path\) has changed since the run was made"):
            pinn_ext.load(folder, best=best)


# ---- initial states -------------------------------------------------------------------------


@pytest.fixture
def measured(tmp_path):
    """Write a field on a part of the square of Gray and Scott, at two times."""
    x, y = np.linspace(-1, 0.9, 8), np.linspace(-1, 1, 7)
    u = 0.5 + 0.1 * x[:, None] * y
    np.savez(tmp_path / "measured.npz", x=x, y=y, t=[0.0, 1.0], c=[u, 2 * u], v=[u, u])
    return tmp_path / "measured.npz"


GIVEN = (
    "problem=gray_scott",
    "problem.initial=measured.npz",
    "problem.initial_columns.u=c",
)


def test_a_run_from_a_measured_state(run, measured):
    own = [*SMALL[1:], *GIVEN, "problem.conditions=soft"]
    done = run(*own, "problem.reference=rk4")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["reference"] == "RK4 on the graph" and report["rk4_floor"] is None
    assert "measured.npz: the known solution of gray_scott" in done.out
    assert "8 of 64 nodes lie outside of the points of measured.npz" in done.out
    assert "On the boundary measured.npz differs from the values that are given there" in done.out
    first = report["raw_losses_first"]["IC_loss1"]
    late = run(*own, "problem.initial_time=1.0")
    assert late.status == 0 and "No solution of this problem is known" in late.out
    assert read_report(late.folder)["raw_losses_first"]["IC_loss1"] != first
    folder = late.folder
    np.savez(measured, **{**np.load(measured), "v": np.ones((2, 8, 7))})
    changed = run(f"training.resume={folder}", "training.epochs=4")
    assert changed.status == 1 and "measured.npz (problem.initial) has changed" in changed.err


@MESHY
def test_a_measured_state_on_a_mesh(run, measured):
    second = ["training.loss.use_gn_solver=true", "training.gauss_newton.iterations=2"]
    done = run(*ON_PLATE, *GIVEN, "problem.dirichlet_group=inflow", *second)
    assert done.status == 0, done.err
    assert read_report(done.folder)["relative_l2"] == {"u": None, "v": None}
    assert "nodes lie outside of the points of measured.npz" in done.out


# ---- bad input ------------------------------------------------------------------------------

PLATES = ON_PLATE[-2:]
PERIODIC = ["problem=fitzhugh_nagumo"]
BAD = [
    (["dataset=mesh"], "`dataset.path` must name the file of a mesh for dataset.name=mesh"),
    (["dataset.path=plate.msh"], "`dataset.path` must be left out unless dataset.name=mesh, got"),
    (["problem.dirichlet_group=hole"], "`problem.dirichlet_group` must be left out unless"),
    ([*PLATES, "problem.geometry=disk"], "`problem.geometry` must be null for dataset.name"),
    ([*PLATES, "problem.conditions=hard"], "`problem.conditions` must be soft for dataset"),
    (
        [*PLATES, "dataset.nodes_per_side=9"],
        "must be null for dataset.name=mesh, whose nodes",
    ),
    ([*PLATES, "dataset.order=6"], "`dataset.order` must be one of 2, 4 for dataset.name"),
    ([*PLATES, "problem.dirichlet_group={a: 1}"], "must be the name of a group, or a list"),
    (
        ["dataset=mesh", "dataset.path=no.msh"],
        "`dataset.path` must name a file, got nothing at no.",
    ),
    (["problem.initial=no.npz"], "`problem.initial` must name a file, got nothing at no.npz."),
    (["problem.initial=x.npz", "problem.conditions=hard"], "must be soft for problem.initial, as"),
    (["problem.initial_time=1.0"], "`problem.initial_time` must be left out without problem.initi"),
    (["problem.initial_columns.u=a"], "`problem.initial_columns` must be left out without"),
]
READ = [
    ([*PLATES, "problem.dirichlet_group=lid"],
     "`problem.dirichlet_group` must be one of corner, hole, inflow, outflow, walls, got 'lid'."),
    ([*PLATES, "problem.dirichlet_group=[hole,2]"], "outflow, walls, got '2'."),
    ([*PLATES, *PERIODIC], "`dataset.name` must leave fitzhugh_nagumo, which is periodic ("),
    ([*PLATES, "problem=coupled_burgers"], "which has 1 space dimension, on its box, got 'me"),
    (["dataset=mesh", "dataset.path=quads.vtu"], "`dataset.path` must hold triangles alone, got 1"),
    (["dataset=mesh", "dataset.path=text.txt"], "`dataset.path` must end in one of .msh, .vtu"),
    (["dataset=mesh", "dataset.path=text.msh"], "`dataset.path` must be a whole gmsh file"),
    (["dataset=mesh", "dataset.path=flat.vtu"], "`dataset.path` must hold a mesh with nodes in"),
    (["dataset=mesh", "dataset.path=fan.vtu"], "`dataset.path` must hold a mesh that has de"),
    (["problem.initial=line.npz"], "`problem.initial` must have positions in 2 dimensions"),
    (["problem.initial=nan.npz"], "`problem.initial` must hold finite numbers, got nan in u"),
    (["problem.initial=half.npz"], "`problem.initial` must"),
    (["problem.initial=good.npz", "problem.initial_time=3"], "`problem.initial_time` must be of"),
    (["problem.initial=good.npz", "problem.initial_columns.u=w"], "`problem.initial"),
]  # fmt: skip


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    quad = [("quad", np.array([[0, 1, 2, 3]]))]
    write(folder / "quads.vtu", more=quad)
    write(folder / "fan.vtu")
    write(folder / "flat.vtu", points=SQUARE[:4], triangles=[[0, 1, 2], [0, 2, 3]])
    (folder / "text.txt").write_text("mesh")
    (folder / "text.msh").write_text("mesh")
    axis, square = np.linspace(0, 1, 5), np.ones((1, 5, 4))
    np.savez(folder / "line.npz", x=axis, t=[0.0], u=square[:, :, 0], v=square[:, :, 0])
    plane = {"x": axis, "y": axis[:4], "t": [0.0], "u": square, "v": square}
    np.savez(folder / "good.npz", **plane)
    np.savez(folder / "nan.npz", **{**plane, "u": square * np.nan})
    np.savez(folder / "half.npz", **{key: item for key, item in plane.items() if key != "v"})
    return folder


def check_refused(run, given, message):
    own = [item for item in TINY[:-1] if item.split("=")[0] not in {g.split("=")[0] for g in given}]
    refused = run(*own, *given)
    assert refused.status == 2, refused.out
    assert message in refused.err and refused.err.count("\n") == 1, refused.err


@pytest.mark.parametrize(("given", "message"), BAD, ids=lambda v: " ".join(v)[-50:])
def test_one_sentence_before_torch_is_needed(run, tmp_path, given, message):
    check_refused(run, given, message)
    assert not list(tmp_path.iterdir())


@MESHY
@pytest.mark.parametrize(("given", "message"), READ, ids=lambda v: " ".join(v)[-50:])
def test_one_sentence_before_a_folder_is_made(run, files, monkeypatch, given, message):
    monkeypatch.chdir(files)
    check_refused(run, given, message)
    assert not (files / "outputs").exists()


def test_without_meshio_a_sentence_names_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "meshio", None)
    refused = run(*ON_PLATE)
    assert refused.status == 2
    assert refused.err.endswith(
        "meshio must be installed to read .msh files: pip install 'pinn-ext[mesh]'.\n"
    )
