"""The benchmark of scaled fields, on runs of one epoch. No figure is asserted but what it is of."""

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "scaling.py"
TINY = ("training.epochs=1", "dataset.nodes_per_side=8", "network.hidden=[4]")


def test_rows(run_script, tmp_path):
    out = tmp_path / "rows.json"
    options = ("--systems", "linear_reaction_diffusion", "--seeds", "2", "--out", out)
    done = run_script(SCRIPT, *options, *TINY, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    assert content["machine"]["threads"] == 1
    assert content["machine"]["arguments"].endswith(" ".join(TINY))
    rows = content["rows"]
    assert [row["scaling"] for row in rows] == ["none", "fields"]
    for row in rows:
        assert (row["system"], row["seeds"]) == ("linear_reaction_diffusion", 2)
        assert 1 <= row["ratio_smallest"] <= row["ratio"] <= row["ratio_largest"]
        assert 0 < row["error_smallest"] <= row["error"] <= row["error_largest"]
        assert 0 < row["trivial"] < 1 and row["seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--systems", "brusselator/front"), "`--systems` must be among belousov_zhabotinsky, "),
        (("--scalings", "all"), "`--scalings` must be among fields, "),
        (("--seeds", "0"), "`--seeds` must be at least 1, got 0."),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, arguments, line):
    done = run_script(SCRIPT, *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(line), done.stderr
