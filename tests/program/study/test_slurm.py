"""A study on a real SLURM of one node: jobs that fail, are killed, or are queued again."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pinn_ext.reports.study.records import read_rows
from tests.program.study import slurm
from tests.program.study.conftest import COMMON, without_times

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(slurm.why_not()), reason=slurm.why_not())]
ROOT = Path(__file__).resolve().parents[3]
STUDY = """
folder: results
common: {common}
systems: [coupled_burgers]
strategies: {strategies}
seeds: 1
"""
SLURM = """
launcher: submitit_slurm
launcher_options: [hydra.launcher.partition=main, hydra.launcher.mem_gb=1, {more}]
"""
AGAIN = "is run again: it goes on from its checkpoint."
PATIENCE = 1800  # seconds, on a busy machine too
LONG = [*COMMON[:-1], "training.epochs=400"]
ENDLESS = [*COMMON[:-1], "training.epochs=1000000"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm.running(tmp_path_factory.mktemp("slurm") / "daemons") as configuration:
        yield {"SLURM_CONF": str(configuration)}


@pytest.fixture
def start(start_script, tmp_path, cluster):
    """Start a study: `start(common, strategies)`."""

    def call(common, strategies, *arguments, more="hydra.launcher.timeout_min=60", slurm=True):
        path = tmp_path / "mine.yaml"
        text = STUDY.format(common=common, strategies=json.dumps(strategies))
        path.write_text(text + SLURM.format(more=more) * slurm)
        call = ("study", path, *arguments)
        return start_script(ROOT / "main.py", *call, folder=tmp_path, fresh=True, **cluster)

    return call


def slurm_says(cluster, *call):
    done = subprocess.run(call, env={**os.environ, **cluster}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def wait_for_rows(folder, count, script):
    """Wait until a run has logged so many epochs."""
    path = folder / "history.csv"
    end = time.monotonic() + PATIENCE
    while not path.exists() or path.read_bytes().count(b"\n") <= count:
        assert script.poll() is None and time.monotonic() < end, script.text("err")
        time.sleep(0.05)


def test_a_failing_job_is_a_row_and_the_other_goes_on(start, tmp_path):
    (tmp_path / "broken.csv").write_text("nonsense")
    bad = ["training=default", f"problem.reference={tmp_path / 'broken.csv'}"]
    script = start(COMMON, {"fixed": None, "bad": bad})
    assert script.wait(PATIENCE) == 1, script.text("err")
    rows = read_rows(tmp_path / "results")
    assert sorted(row["status"] for row in rows.values()) == ["failed", "ok"]
    assert "Runs without a result: bad (1 of 1)." in script.text("out")


def test_queued_again_and_killed_it_goes_on_exactly(start, tmp_path, cluster):
    whole = start(LONG, {"fixed": None}, "--folder", "whole")
    assert whole.wait(PATIENCE) == 0, whole.text("err")
    (name,) = read_rows(tmp_path / "whole")
    folder = tmp_path / "results" / "jobs" / name
    script = start(LONG, {"fixed": None})
    wait_for_rows(folder, 20, script)
    (number,) = slurm_says(cluster, "squeue", "-h", "-o", "%A")
    slurm_says(cluster, "scontrol", "requeue", number)
    wait_for_rows(folder, 120, script)
    # Without accounts SLURM cannot tell submitit of a job that was killed: the study is ended too.
    slurm_says(cluster, "scancel", "--signal=KILL", "--full", number)
    while slurm_says(cluster, "squeue", "-h", "-o", "%A"):
        time.sleep(0.5)
    assert script.poll() is None
    os.kill(script.pid, signal.SIGKILL)
    script.wait()
    assert read_rows(tmp_path / "results") == {}
    again = start(LONG, {"fixed": None})
    assert again.wait(PATIENCE) == 0, again.text("err")
    text = "".join(path.read_text() for path in (tmp_path / "results/jobs").rglob("*_log.out"))
    assert text.count(AGAIN) == 2
    before, after = (read_rows(tmp_path / name) for name in ("whole", "results"))
    assert without_times(after) == without_times(before)


def test_told_of_its_time_limit_it_is_queued_again_and_goes_on_exactly(start, tmp_path, cluster):
    # SLURM sends this signal 20 s before the limit (`signal_delay_s`); sent by hand, it does not
    # come before a job on a busy machine has begun.
    script = start(ENDLESS, {"fixed": None})
    jobs, end = tmp_path / "results" / "jobs", time.monotonic() + PATIENCE
    while not list(jobs.glob("*/history.csv")):
        assert script.poll() is None and time.monotonic() < end, script.text("err")
        time.sleep(0.5)
    wait_for_rows(next(jobs.glob("*/history.csv")).parent, 5, script)
    (number,) = slurm_says(cluster, "squeue", "-h", "-o", "%A")
    slurm_says(cluster, "scancel", "--signal=USR2", number)
    while not any(AGAIN in path.read_text() for path in jobs.rglob("*_log.out")):
        assert script.poll() is None and time.monotonic() < end, script.text("err")
        time.sleep(0.5)
    (history,) = jobs.glob("*/history.csv")
    wait_for_rows(history.parent, history.read_bytes().count(b"\n") + 5, script)
    os.kill(script.pid, signal.SIGKILL)
    script.wait()
    (number,) = slurm_says(cluster, "squeue", "-h", "-o", "%A")
    slurm_says(cluster, "scancel", "--signal=KILL", "--full", number)
    while slurm_says(cluster, "squeue", "-h", "-o", "%A"):
        time.sleep(0.5)
    own = losses_of(history)
    script = start(ENDLESS, {"fixed": None}, "--folder", "whole", slurm=False)
    folder = tmp_path / "whole" / "jobs" / history.parent.name
    wait_for_rows(folder, len(own), script)
    os.kill(script.pid, signal.SIGTERM)
    script.wait()
    assert losses_of(folder / "history.csv")[: len(own)] == own


def losses_of(path):
    """Return the whole rows of a history without the seconds, which come last."""
    return [line.rpartition(",")[0] for line in path.read_text().split("\n")[:-1]]
