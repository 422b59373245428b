"""Runs of a problem from a user's file: with and without a solution, resumed, refused."""

import json
import shutil

import numpy as np
import pytest
import torch

from pinn_ext import systems
from pinn_ext.program import checkpoints
from tests.program.conftest import SMALL, read_report, read_rows
from tests.systems.problem_files.test_from_file import HEAT, PLAIN

TINY = ["problem=from_file", *SMALL[1:]]


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLAIN)
    return path


def test_without_a_solution_a_run_is_judged_by_its_residuals(run, mine, rendered):
    done = run(*TINY, f"problem.file={mine}")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["reference"] is None and report["rk4_floor"] is None
    assert report["relative_l2"] == {"u": None, "v": None} == report["relative_l2_trivial"]
    assert "No solution of this problem is known: the run is judged" in done.out
    assert "Raw losses on held-out snapshots" in done.out and "nan" not in done.out
    assert set(report["validation_losses_last"]) == set(report["terms"])
    json.loads((done.folder / "report.json").read_text(), parse_constant=pytest.fail)
    assert (done.folder / "fields.png").stat().st_size > 10_000
    again = run("compare", done.folder.parent)
    assert again.status == 0 and "No solution of this problem is known, so none wins" in again.out


def test_the_solver_s_answer_is_what_a_network_is_compared_with(run, mine, rendered):
    done = run(*TINY, f"problem.file={mine}", "problem.reference=rk4", "problem.parameters.k=1.5")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["reference"] == "RK4 on the graph" and report["rk4_floor"] is None
    assert all(0 < error < 10 for error in report["relative_l2"].values())
    assert "against RK4 on the graph" in done.out and "order 4, and smaller errors" in done.out
    assert (done.folder / "fields.png").stat().st_size > 10_000


def test_a_reference_file_is_what_errors_are_measured_against(run, tmp_path):
    """Of the exact solution: the same error as against that, at the file's points."""
    system = systems.create("coupled_burgers")
    x, t = np.linspace(*system.lower, *system.upper, 40)[:, None], np.linspace(0, 1, 9)
    at = torch.from_numpy(np.column_stack([np.tile(x, (9, 1)), np.repeat(t, 40)]))
    u, v = system.exact(at[:, :-1], at[:, -1]).T.reshape(2, 9, 40).numpy()
    np.savez(tmp_path / "known.npz", x=x[:, 0], t=t, velocity=u, v=v)
    given = ["problem.reference=known.npz", "problem.reference_columns.u=velocity"]
    done = run(*SMALL, *given, "dtype=float64")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["reference"].endswith("known.npz") and report["rk4_floor"]["u"] > 0
    assert all(0 < error < 10 for error in report["relative_l2"].values())
    refused = run(*SMALL, "problem.reference=known.npz")
    assert refused.status == 2 and "`problem.reference" in refused.err
    assert refused.err.count("\n") == 1


def test_a_mixed_boundary_is_trained_with_soft_conditions(run):
    given = [*TINY, f"problem.file={HEAT}", "dataset.nodes_per_side=12"]
    refused = run(*given)
    assert refused.status == 2
    assert "`problem.conditions` must be soft where not all sides are periodic" in refused.err
    second = ["training.loss.use_gn_solver=true", "training.gauss_newton.iterations=3"]
    done = run(*given, "problem.conditions=soft", *second, "training=adaptive_rba")
    assert done.status == 0, done.err
    report = read_report(done.folder)
    assert report["reference"] == "exact solution" and len(report["terms"]) == 8
    rows = read_rows(done.folder)
    assert [row[rows[0].index("phase")] for row in rows[1:]] == ["epochs"] * 3 + [
        "gauss_newton"
    ] * 3
    assert report["raw_losses_last"]["BC_loss1"] < report["raw_losses_first"]["BC_loss1"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    from pinn_ext.cli import main

    home = tmp_path_factory.mktemp("from_file")
    (home / "mine.py").write_text(PLAIN)
    given = [*TINY, f"problem.file={home / 'mine.py'}", f"hydra.run.dir={home / 'run'}"]
    assert main(given) == 0
    return home


def test_a_resume_names_the_file_again(run, finished, tmp_path):
    home = shutil.copytree(finished, tmp_path / "own")
    folder = home / "run"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    asked = run(f"training.resume={folder}", "training.epochs=4")
    assert asked.status == 2 and "`problem.file` must be named again" in asked.err
    (home / "mine.py").write_text(PLAIN.replace("0.5 + 0 * x", "0.6 + 0 * x"))
    given = f"training.resume={folder}", "training.epochs=4", f"problem.file={home / 'mine.py'}"
    changed = run(*given)
    assert changed.status == 1 and "has changed since the run was made" in changed.err
    assert "0.5 + 0 * x" in changed.err and "0.6 + 0 * x" in changed.err
    assert changed.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (home / "elsewhere.py").write_text(PLAIN)
    done = run(*given[:2], f"problem.file={home / 'elsewhere.py'}")
    assert done.status == 0, done.err
    assert read_report(folder)["epochs"] == 4
    saved = checkpoints.load(folder / "checkpoint.pt")["problem_file"]
    assert saved["text"] == PLAIN and len(saved["sha256"]) == 64


def test_a_recipe_cannot_name_code(run, mine, tmp_path):
    recipes = tmp_path / "recipes" / "problem"
    recipes.mkdir(parents=True)
    (recipes / "theirs.yaml").write_text(f"name: from_file\nfile: {mine}\n")
    mine.write_text("raise SystemExit('it was run')")
    for more in ([], ["-m"]):
        refused = run("problem=theirs", f"--config-dir={tmp_path / 'recipes'}", *SMALL[1:], *more)
        assert refused.status == 2, refused.out
        assert "`problem.file` must stand on the command line, as the file is code" in refused.err
    assert not list(tmp_path.glob("outputs/*")) and not list(tmp_path.glob("multirun/*"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["problem=from_file"], "`problem.file` must name the Python file of the problem"),
        (["problem=brusselator", "problem.file=mine.py"], "`problem.file` must be left out unless"),
        (["problem=from_file", "problem.file=no.py"], "problem file no.py cannot be read (No such"),
        (["problem=from_file", "problem.file=mine.py", "problem.boundary=dirichlet"],
         "`problem.boundary` must be left out, as the problem file says it"),
        (["problem=from_file", "problem.file=mine.py", "problem.parameters.q=1"],
         "`problem.parameters` must be among k of mine.py, got 'q'"),
        (["problem=from_file", "problem.file=mine.py", "problem.geometry=disk",
          "dataset=cloud", "problem.conditions=soft"],
         "`problem.geometry` must be null for a system in 1 dimension"),
        (["problem.reference=no.npz"], "`problem.reference` must"),
        (["problem.reference=rk5"], "`problem.reference` must"),
    ],
)  # fmt: skip
def test_one_sentence_before_a_folder_is_made(run, mine, tmp_path, given, message):
    refused = run(*SMALL[1:], *given)
    assert refused.status == 2, refused.out
    assert message in refused.err and refused.err.count("\n") == 1, refused.err
    assert not list(tmp_path.glob("outputs/*"))
