"""The benchmark of slabs: both tables have their rows. No time is asserted."""

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "slabs.py"
SMALL = ("--cost-slabs", "2", "--steps", "5", "--points", "60", "--width", "4")


@pytest.mark.slow
def test_rows(run_script, tmp_path):
    out = tmp_path / "slabs.json"
    options = (*SMALL, "--slabs", "1,2", "--seconds", "0.4", "--out", out)
    done = run_script(SCRIPT, *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    costs = [row for row in content["rows"] if row["what"] == "cost"]
    assert [(row["start"], row["slab"]) for row in costs] == [
        (arm, slab) for arm in ("kept", "chained") for slab in (1, 2)
    ]
    assert all(row["step_ms"] > 0 for row in costs)
    assert [row["start_sets"] for row in costs] == [1, 1, 0, 0]
    errors = [row for row in content["rows"] if row["what"] == "error"]
    assert [row["slabs"] for row in errors] == [1, 2]
    assert all(0 < row["relative_l2"] < 1 for row in errors)
    assert content["machine"]["points"] == 60


def test_numbers_are_checked(run_script, tmp_path):
    done = run_script(SCRIPT, "--points", "1", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "`--points` must be at least 10, got 1."
