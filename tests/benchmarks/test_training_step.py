"""The benchmark of the training step on few points: all ways agree. No time is asserted."""

import json
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "training_step.py"
KEYS = {
    "case",
    "dtype",
    "name",
    "ms",
    "ratio_to_stock",
    "ratio_to_reverse",
    "difference",
    "points",
    "network",
}
TINY = ("--points", "24", "--hidden", "6,5", "--repeats", "1", "--steps", "1")


def test_rows_and_agreement(run_script, tmp_path):
    out = tmp_path / "step.json"
    done = run_script(SCRIPT, *TINY, "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    assert content["machine"]["threads"] == 1
    rows = content["rows"]
    assert len({(row["case"], row["dtype"]) for row in rows}) == 10
    for row in rows:
        assert row.keys() == KEYS and row["ms"] > 0
        assert (row["points"], row["network"]) == (24, "6-5")
        if row["name"] == "stock_bare":
            assert row["case"].endswith("_hard") and row["difference"] is None
        else:
            assert row["difference"] < (1e-12 if row["dtype"] == "float64" else 1e-4)
    names = [row["name"] for row in rows if row["case"] == "brusselator_soft"]
    assert names == ["stock", "reverse", "jets"] * 2


def test_an_unknown_case_is_refused_in_one_line(run_script, tmp_path):
    done = run_script(SCRIPT, "--cases", "brusselator", folder=tmp_path)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("`--cases` must be among brusselator_hard, ")
