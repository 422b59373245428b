"""The benchmark of the stable step runs on a few seeds; no step is above its limit."""

import json
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "stability.py"


def test_rows_and_ratios(run_script, tmp_path):
    out = tmp_path / "stability.json"
    few = ("--first", "5", "--seeds", "2", "--products-every", "5", "--large", "0")
    done = run_script(SCRIPT, *few, "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    assert content["machine"]["refused"] == 0
    rows = content["rows"]
    assert all(row.keys() == rows[0].keys() for row in rows), "rows of one table"
    (first,) = [r for r in rows if (r["by"], r["operators"]) == ("default", "decays")]
    assert first["count"] == 2
    assert {"default", "products"} == {row["by"] for row in rows}
    for row in rows:
        assert row["unstable"] == 0 and 0.5 < row["minimum"] <= row["median"] <= row["maximum"] <= 1
        assert 0 < row["most_calls"] <= 80 and row["seconds"] > 0


def test_no_seeds_are_refused(run_script, tmp_path):
    done = run_script(SCRIPT, "--seeds", "0", folder=tmp_path)
    assert done.returncode == 1 and "`--seeds`" in done.stderr
