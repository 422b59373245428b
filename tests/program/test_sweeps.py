"""Sweeps and the comparison: every job has a row, whatever became of it."""

import csv
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from pinn_ext.cli import main
from tests.program.conftest import SMALL

ROOT = Path(__file__).resolve().parents[2]


def rows_of(folder):
    return json.loads((folder / "comparison.json").read_text())


@pytest.mark.slow
def test_three_strategies(run, rendered):
    done = run(
        "-m",
        *SMALL,
        "training=default,adaptive_equal_init,adaptive_ema",
        "experiment.name=adaptive_comparison",
        "training.epochs=2",
    )
    assert done.status == 0, done.err
    assert done.folder.name.startswith("adaptive_comparison-")
    names = {path.name for path in done.folder.iterdir()}
    files = {"comparison.csv", "comparison.json", "comparison.png", "multirun.yaml"}
    assert names == {"0", "1", "2", *files}
    assert (done.folder / "comparison.png").stat().st_size > 10_000
    rows = rows_of(done.folder)
    assert {row["strategy"] for row in rows} == {"fixed", "equal_init", "ema"}
    assert all(row["status"] == "ok" for row in rows)
    assert [row["worst"] for row in rows] == sorted(max(row["u"], row["v"]) for row in rows)
    assert {row["overrides"] for row in rows} == {
        "training=default",
        "training=adaptive_equal_init",
        "training=adaptive_ema",
    }
    with open(done.folder / "comparison.csv") as file:
        assert [line["strategy"] for line in csv.DictReader(file)] == [r["strategy"] for r in rows]
    assert "Relative L2 errors, the smallest worst field first:" in done.out
    assert "wins here" in done.out or "win here" in done.out
    shutil.rmtree(done.folder / "0")
    (done.folder / "comparison.json").unlink()
    assert main(["compare", str(done.folder)]) == 1
    lost = rows_of(done.folder)[-1]
    assert (lost["status"], lost["overrides"], lost["u"]) == ("lost", "training=default", None)


def test_a_failing_job_hides_no_other(run):
    done = run("-m", *SMALL, "training.epochs=1", "training.optimizer=adam,adamw,sgd")
    assert done.status == 1
    assert [row["status"] for row in rows_of(done.folder)] == ["ok", "ok", "failed"]
    assert "pinn-ext: job 1 failed: `training.weight_decay` must be > 0" in done.err
    assert "job 1 failed: `training.weight_decay` must be > 0" in done.out
    assert "Traceback" not in done.err


def test_an_error_of_ours_leaves_its_trace_in_the_job(run, monkeypatch):
    from pinn_ext.reports import plots

    monkeypatch.setattr(plots, "losses", lambda *_: 1 / 0)
    done = run("-m", *SMALL, "training.epochs=1", "seed=0,1")
    assert done.status == 1 and "division by zero" in done.err
    assert "ZeroDivisionError" in (done.folder / "0" / "error.log").read_text()
    assert [row["status"] for row in rows_of(done.folder)] == ["failed", "failed"]


def test_seeds_are_gathered(run):
    done = run("-m", *SMALL, "training=default,adaptive_ema", "seed=0,1", "training.epochs=1")
    assert done.status == 0
    assert "Worst-field error over the seeds:" in done.out
    table = done.out.split("over the seeds:\n")[1].splitlines()[:3]
    assert [line.split()[1] for line in table] == ["runs", "2", "2"]


@pytest.mark.slow
def test_a_sweep_goes_where_it_is_told(run, tmp_path):
    done = run("-m", *SMALL, "training.epochs=1", "seed=0,1", "hydra.sweep.dir=there")
    assert done.status == 0 and (tmp_path / "there/1/report.json").exists()
    again = run("-m", *SMALL, "training.epochs=1", "seed=0,1", "hydra.sweep.dir=there")
    assert again.status == 2 and "must not hold a run yet" in again.err


@pytest.mark.slow
def test_a_resumed_job_keeps_its_place_in_the_comparison(run, tmp_path):
    done = run("-m", *SMALL, "training=default,adaptive_ema", "hydra.sweep.dir=all")
    before = rows_of(tmp_path / "all")
    assert done.status == 0
    assert run("training.resume=all/0", "training.epochs=4").status == 0
    (tmp_path / "all" / "stranger").mkdir()
    shutil.copy(tmp_path / "all/1/report.json", tmp_path / "all/stranger")
    content = json.loads((tmp_path / "all/stranger/report.json").read_text())
    content["job"] = None
    (tmp_path / "all/stranger/report.json").write_text(json.dumps(content))
    assert run("compare", "all").status == 0
    after = rows_of(tmp_path / "all")
    assert {(r["job"], r["overrides"]) for r in after} == {
        (r["job"], r["overrides"]) for r in before
    }


@pytest.mark.slow
def test_folders_with_odd_names(run, tmp_path):
    done = run("-m", *SMALL, "training.epochs=1", "seed=0,1", "hydra.sweep.dir='a=b, c'")
    assert done.status == 0 and (tmp_path / "a=b, c" / "1" / "report.json").exists()


def test_sigterm_between_jobs_leaves_a_table(start_script, tmp_path):
    # Long jobs: none may be over before the signal comes, however busy the machine is.
    arguments = ["-m", *SMALL, "training.epochs=100000", "seed=0,1,2", "hydra.sweep.dir=all"]
    script = start_script(ROOT / "main.py", *arguments, folder=tmp_path)
    while "#0 :" not in script.text("out") and script.poll() is None:
        time.sleep(0.01)
    os.kill(script.pid, signal.SIGTERM)
    status, text = script.wait(), script.text("out")
    assert status == 143, text
    assert len(rows_of(tmp_path / "all")) == 3 and "lost" in text


def test_single_runs_can_be_compared(run, tmp_path):
    for name in ("default", "adaptive_ema"):
        run(*SMALL, f"training={name}", "training.epochs=1")
    done = run("compare", tmp_path / "outputs")
    assert done.status == 0 and done.out.count("training=") == 2


@pytest.mark.slow
def test_joblib_launcher(run):
    """Two processes; a job that raises and one that is well."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    from joblib.externals.loky import get_reusable_executor

    arguments = ["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", *SMALL]
    arguments += ["training.optimizer=adam,adamw"]
    done = run(*arguments)
    get_reusable_executor().shutdown()
    assert done.status == 1, done.err
    assert [row["status"] for row in rows_of(done.folder)] == ["ok", "failed"]
