"""`pinn-ext study`: from the file to the page; killed at any moment, it ends all the same."""

import importlib.util
import os
import signal
import time
from pathlib import Path

import pytest

from pinn_ext.program.study import conduct
from pinn_ext.reports.study.records import read_rows
from tests.program.study.conftest import COMMON, without_times

ROOT = Path(__file__).resolve().parents[3]
STUDY = f"""
title: Mine
folder: results
common: {COMMON}
systems: [coupled_burgers]
strategies: [fixed, ema]
tuned: {{grid: {{conditions: [1, 10]}}}}
seeds: 1
contenders: [fixed, ema, tuned_fixed]
"""
TABLES = ("summary.csv", "ranks.csv", "tests.csv", "runs.csv")


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(STUDY)
    return path


def tables(folder):
    """Return the tables of a study without columns of seconds."""
    found = {}
    for name in TABLES:
        lines = [line.split(",") for line in (folder / name).read_text().splitlines()]
        kept = [i for i, head in enumerate(lines[0]) if "seconds" not in head]
        found[name] = [[line[i] for i in kept] for line in lines]
    return found


def test_a_study_ends_with_a_page_and_goes_on_where_it_stopped(
    run, study, in_process, tmp_path, stopping, monkeypatch
):
    done = run("study", study)
    assert done.status == 0, done.err
    assert "Study in results: 5 jobs." in done.out and "[5/5]" in done.out
    assert "min left" in done.out and "Page: results/index.html" in done.out
    assert "coupled_burgers: The smallest median" in done.out
    folder = tmp_path / "results"
    assert (folder / "index.html").stat().st_size > 5_000
    # Fields are drawn for the page, of the checkpoint; the runs themselves leave no pictures.
    assert (folder / "fields" / "coupled_burgers.soft.epochs.png").is_file()
    assert not list(folder.glob("jobs/*/*.png"))
    # Killed twice, in the middle of a job each time.
    for step in (20, 8):
        with stopping(step):
            run("study", study, "--folder", "killed")
    assert 0 < len(read_rows(tmp_path / "killed")) < 5
    again = run("study", study, "--folder", "killed")
    assert again.status == 0 and "of them done before." in again.out
    assert without_times(read_rows(tmp_path / "killed")) == without_times(read_rows(folder))
    assert tables(tmp_path / "killed") == tables(folder)
    # Run once more it runs nothing; the page can be made of the rows alone.
    rows = (folder / "rows.jsonl").read_bytes()
    once_more = run("study", study)
    assert once_more.status == 0 and "5 jobs, 5 of them done before." in once_more.out
    (folder / "index.html").unlink()
    assert run("study", "results", "--page-only").status == 0
    assert (folder / "index.html").is_file() and (folder / "rows.jsonl").read_bytes() == rows


def test_a_failed_job_is_a_row_and_the_others_go_on(run, study, in_process, tmp_path, monkeypatch):
    from pinn_ext.program.run import state

    study.write_text(STUDY.replace("tuned:", "# tuned:").replace(", tuned_fixed", ""))
    build = state.build

    def failing(checked, folder):
        if "ema.0" in str(folder):
            raise ValueError("This one fails.")
        return build(checked, folder)

    monkeypatch.setattr(state, "build", failing)
    done = run("study", study)
    assert done.status == 1, done.err
    assert "[2/2]" in done.out
    assert "coupled_burgers.soft.epochs.ema.0: failed: This one fails." in done.out
    assert "Runs without a result: ema (1 of 1)." in done.out
    assert run("study", study).status == 1  # what has failed stays a row
    monkeypatch.setattr(state, "build", build)
    assert run("study", study, "--retry").status == 0


@pytest.mark.slow
def test_a_grid_all_of_whose_points_fail_is_a_row(run, study, in_process, monkeypatch):
    from pinn_ext.program.run import state

    monkeypatch.setattr(state, "build", lambda *arguments: 1 / 0)
    done = run("study", study)
    assert done.status == 1 and "All points of its grid of weights have failed." in done.out
    assert "No strategy has a finite median error here." in done.out


def test_jobs_are_listed_without_being_run(run, study, tmp_path):
    done = run("study", study, "--plan")
    assert done.status == 0 and "5 jobs." in done.out and not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml"], "There is no study file none.yaml; those of the package are"),
        (["mine.yaml", "--jobs", "0"], "`--jobs` must be a whole number in [1, 1024], got 0"),
        (["mine.yaml", "--folder", "mine.yaml/x"], "cannot be made, as mine.yaml is a file"),
        (["mine.yaml", "--launcher", "no_such"], "no_such"),
        (["mine.yaml", "--page-only"], "There is no folder mine.yaml"),
        ([".", "--page-only"], "must hold a study, got no study.json"),
        (["mine.yaml", "--folder", "run"], "must be new or that of this study, got one that"),
        ([], "`study` cannot be read"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_told_in_one_sentence(run, study, tmp_path, arguments, message):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.json").touch()
    done = run("study", *arguments)
    assert done.status == 2 and message in done.err and done.err.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_an_interrupted_study_says_how_to_go_on(run, study, in_process, monkeypatch):
    original = conduct._Board.add

    def add_and_interrupt(self, row):
        original(self, row)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(conduct._Board, "add", add_and_interrupt)
    done = run("study", study)
    assert done.status == 143
    assert "Interrupted after 1 of 5 jobs: the same command goes on." in done.out


# ---- launchers ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_basic_launcher_of_hydra(run, study, tmp_path):
    done = run("study", study, "--launcher", "basic")
    assert done.status == 0, done.err
    rows = read_rows(tmp_path / "results")
    assert len(rows) == 5 and all(row["status"] == "ok" for row in rows.values())
    final = rows["coupled_burgers.soft.epochs.tuned_fixed.0"]
    assert sum(one.startswith("training.loss.w1_IC") for one in final["overrides"]) == 1
    assert not any("hydra" in one for one in final["overrides"])


@pytest.mark.slow
def test_the_joblib_launcher(run, study, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    from joblib.externals.loky import get_reusable_executor

    done = run("study", study, "--launcher", "joblib")
    get_reusable_executor().shutdown()
    assert done.status == 0, done.err
    assert len(read_rows(tmp_path / "results")) == 5


def test_a_launcher_that_is_not_installed(run, study):
    if importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher"):
        pytest.skip("submitit's launcher is installed")
    done = run("study", study, "--launcher", "submitit_slurm")
    assert done.status == 2 and "The launcher submitit_slurm is not installed" in done.err


# ---- real processes -----------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_twice_it_has_the_tables_of_an_undisturbed_one(start_script, study, tmp_path):
    longer = STUDY.replace("training.epochs=4", "training.epochs=60")
    study.write_text(longer.replace("seeds: 1", "seeds: 2"))

    def start(folder):
        arguments = ("study", study, "--jobs", "2", "--folder", folder)
        return start_script(ROOT / "main.py", *arguments, folder=tmp_path)

    whole = start("whole")
    assert whole.wait() == 0, whole.text("err")
    for most in (3, 7):
        script = start("killed")
        rows = tmp_path / "killed" / "rows.jsonl"
        while script.poll() is None:
            if rows.exists() and rows.read_bytes().count(b"\n") >= most:
                break
            time.sleep(0.01)
        time.sleep(0.2)  # into the middle of a job
        os.kill(script.pid, signal.SIGKILL)
        assert script.wait() != 0, "it was over before it could be killed"
        assert len(read_rows(tmp_path / "killed")) < 10
    script = start("killed")
    assert script.wait() == 0, script.text("err")
    before, after = (read_rows(tmp_path / name) for name in ("whole", "killed"))
    assert without_times(after) == without_times(before)
    assert tables(tmp_path / "killed") == tables(tmp_path / "whole")
