"""The benchmark of scaled fields, on a few steps. No figure is asserted but what it is of."""

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "scaling.py"


def test_rows(run_script, tmp_path):
    out = tmp_path / "rows.json"
    problems = "linear_reaction_diffusion,schroedinger/satsuma_yajima"
    options = ("--systems", problems, "--scalings", "none,inputs,fields", "--seeds", "2")
    few = ("--steps", "5", "--graphs", "3", "--batch", "2", "--out", out)
    done = run_script(SCRIPT, *options, *few, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    machine = content["machine"]
    assert (machine["threads"], machine["steps"], machine["conditions"]) == (1, 5, "hard")
    rows = content["rows"]
    assert [row["scaling"] for row in rows] == 2 * ["none", "inputs", "fields"]
    assert [row["system"] for row in rows[::3]] == problems.split(",")
    for row in rows:
        assert 1 <= row["ratio_smallest"] <= row["ratio"] <= row["ratio_largest"]
        assert 0 < row["error_smallest"] <= row["error"] <= row["error_largest"]
        assert row["trivial"] > 0 and row["seconds"] > 0
    for none, inputs, fields in (rows[:3], rows[3:]):
        assert none["trivial"] == inputs["trivial"] == fields["trivial"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--systems", "brusselator/front"), "`--systems` must be among belousov_zhabotinsky, "),
        (("--scalings", "all"), "`--scalings` must be among fields, "),
        (("--seeds", "0"), "`--seeds` must be at least 1, got 0."),
        (("--batch", "0"), "`--batch` must be at least 1, got 0."),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, arguments, line):
    done = run_script(SCRIPT, *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(line), done.stderr
