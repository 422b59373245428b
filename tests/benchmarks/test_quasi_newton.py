"""The benchmark of quasi-Newton runs on small sizes; its figures make sense."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.test_gauss_newton import FOLDER, ONE_THREAD

SCRIPT = Path(FOLDER, "quasi_newton.py")


def test_methods_from_the_same_start(run_script, tmp_path):
    out = tmp_path / "out.json"
    options = ("--seconds", "1", "--adam-seconds", "0.5", "--sizes", "60", "--cases", "brusselator")
    done = run_script(
        SCRIPT, *options, "--methods", "ssbroyden,lbfgs", "--threads", "1", "--out", out,
        folder=tmp_path, **ONE_THREAD,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("written: ") == 2, "after each training"
    content = json.loads(out.read_text("utf-8"))
    rows, machine = content["rows"], content["machine"]
    assert (machine["seconds"], machine["adam_seconds"], machine["threads"]) == (1.0, 0.5, 1)
    assert [row["method"] for row in rows] == 2 * ["ssbroyden", "lbfgs"]
    assert [row["seed"] for row in rows] == [0, 0, "median", "median"]
    assert all(row.keys() == rows[0].keys() for row in rows), "rows of one table"
    assert len({(row["error_start"], row["parameters"], row["trivial"]) for row in rows}) == 1
    for row in rows:
        assert 0 < row["error_end"] <= row["error_quarter"] <= row["error_start"]
        assert row["seconds"] >= 1 and row["iterations"] >= 1 and row["loss"] > 0
    own, other = rows[2:]
    assert own["ratio_end"] == other["error_end"] / own["error_end"] and other["ratio_end"] is None


@pytest.mark.parametrize(
    ("flag", "value", "legal"),
    [
        ("--methods", "newton", "ssbroyden, ssbfgs, bfgs, lbfgs, nncg"),
        ("--cases", "heat", "fletcher, brusselator"),
        ("--sizes", "3", "at least 20"),
        ("--seconds", "-1", "positive"),
        ("--adam-seconds", "-1", "at least 0"),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, flag, value, legal):
    done = run_script(SCRIPT, flag, value, folder=tmp_path, DDE_BACKEND="pytorch")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"`{flag}` must be ") and legal in line and value in line
    assert "Traceback" not in done.stderr
