"""The benchmark of pseudo-time, on trainings of three steps. No error is asserted."""

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "pseudo_time.py"
TINY = ("--seeds", "1", "--steps", "3", "--points", "40", "--width", "6", "--depth", "2")


@pytest.mark.parametrize("case", ["allen_cahn", "kdv"])
def test_rows(run_script, tmp_path, case):
    out = tmp_path / "rows.json"
    done = run_script(SCRIPT, "--case", case, *TINY, "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(out.read_text("utf-8"))["rows"]
    assert [row["form"] for row in rows] == ["none", "jaxpi2", "scale_pinn"]
    for row in rows:
        assert row["steps"] == 3 and row["relative_l2"] > 0 and row["last_time"] > 0
    assert rows[0]["tau"] is None and rows[1]["tau"] == 1.0
    # the first step has no step ago to be damped by, the others have
    assert len({row["relative_l2"] for row in rows}) == 3
    assert "start" in done.stdout


def test_seconds_of_the_cores_end_a_training(run_script, tmp_path):
    out = tmp_path / "rows.json"
    options = (*TINY, "--steps", "50", "--seconds", "1e-9", "--forms", "none,jaxpi2")
    done = run_script(SCRIPT, "--case", "kdv", *options, "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    assert [row["steps"] for row in content["rows"]] == [1, 1]
    assert content["machine"]["seconds"] == 1e-9
    assert done.stdout.count("written: ") == 2, "after each training"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--case", "burgers"), "`--case` must be among allen_cahn, kdv, got burgers."),
        (("--forms", "pirate"), "`--forms` must be among none, jaxpi2, scale_pinn, got pirate."),
        (("--steps", "0"), "`--steps` and `--seconds` must be > 0, got 0 and inf."),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, arguments, line):
    done = run_script(SCRIPT, *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == line
