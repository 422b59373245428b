"""The benchmark of the main job: blocks are measured and compared. No time is asserted."""

import importlib
import io
import json
import sys
from pathlib import Path

import pytest

import pinn_ext

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "main_job.py"
TINY = (
    *("--blocks", "2", "--epochs", "1", "--graphs", "4", "--batch", "2"),
    *("dataset.nodes_per_side=8", "network.hidden=[4]"),
)


@pytest.mark.slow
def test_two_checkouts_in_turns(run_script, tmp_path):
    out = tmp_path / "main_job.json"
    done = run_script(SCRIPT, *TINY, "--other", ROOT, "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    machine, rows = content["machine"], content["rows"]
    assert (machine["device"], machine["threads"], machine["graphs"]) == ("cpu", 1, 4)
    assert [row["name"] for row in rows] == ["this", "other"]
    for row in rows:
        assert row["ms"] > 0 and row["ms_with_ends"] > 0 and row["blocks"] == 2
        assert row["ratio_least"] <= row["ratio"] <= row["ratio_most"]
    assert (rows[0]["ratio"], rows[0]["commit"]) == (1.0, rows[1]["commit"])
    assert not list(tmp_path.glob("run*")), "runs are left in temporary folders"


@pytest.mark.parametrize(
    ("flag", "value", "legal"),
    [
        ("--other", "nowhere", "a checkout of this project"),
        ("--blocks", "0", "at least 1"),
        ("--graphs", "10", "more than `--batch`, 10"),
        ("--device", "cpu,tpu", "an accelerator of this machine"),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, flag, value, legal):
    done = run_script(SCRIPT, flag, value, folder=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"`{flag}` must be ") and legal in line
    assert line.endswith(f"got {value.split(',')[-1]}.")


@pytest.mark.slow
def test_a_refusal_of_the_program_is_told(run_script, tmp_path):
    done = run_script(SCRIPT, *TINY, "problem.name=heat", folder=tmp_path)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("this in ") and "problem.name" in line and "heat" in line


@pytest.fixture
def watch(monkeypatch):
    """A watch whose clock is a list, epochs of 3 steps, blocks of 2 after 1 that warms up."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "_main_job")
    worker = importlib.import_module("worker")
    watch = worker.Watch(io.StringIO(), "cpu", per_epoch=3, warm_up=1, epochs=2)
    watch.time = 0.0
    watch.now = lambda: watch.time
    yield watch
    del sys.modules["worker"]


def test_blocks_are_measured_between_the_halts(watch, monkeypatch):
    class Patient:
        def readline(self):
            watch.time += 1000.0
            return "\n"

    monkeypatch.setattr("sys.stdin", Patient())
    for epoch in range(5):
        for _ in range(3):
            watch.step_begins()
            watch.time += 1.0 + epoch  # a step
        watch.time += 0.5  # the end of an epoch
    watch.step_begins()
    package, first, second = map(json.loads, watch.channel.getvalue().splitlines())
    assert package == {"package": pinn_ext.__file__}
    assert first == {"step": 2.5, "with_ends": (6 + 9 + 1) / 6}
    assert second == {"step": 4.5, "with_ends": (12 + 15 + 1) / 6}
