"""The benchmark of the steppers runs on a small grid; its steps agree. No time is asserted."""

import json
import math
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "rk4.py"
# What the benchmark asks for: with it it need not start itself again.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}
NAMES = ["ours_eager", "torch_csr", "scipy_csr"]
KEYS = {
    "name",
    "graph",
    "nodes",
    "edges",
    "dtype",
    "threads",
    "ms_per_step",
    "ms_per_step_with_gradient",
    "ratio_to_ours",
    "ratio_to_roofline",
    "gb_per_s",
    "difference",
    "peak_bytes",
    "operator_bytes",
    "state_bytes",
    "note",
}


def test_rows_and_agreement(run_script, tmp_path):
    out = tmp_path / "rk4.json"
    tiny = ("--nodes", "400", "--graphs", "grid", "--repeats", "1", "--triad", "100000")
    arguments = (*tiny, "--only", ",".join(NAMES), "--out", out)
    done = run_script(SCRIPT, *arguments, folder=tmp_path, **MALLOC)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    assert content["machine"]["triad_gb_per_s"]["1"] > 0
    rows = {row["name"]: row for row in content["rows"]}
    assert list(rows) == NAMES
    for row in rows.values():
        assert row.keys() >= KEYS
        assert (row["graph"], row["nodes"], row["edges"]) == ("grid", 400, 1600)
        assert (row["dtype"], row["threads"], row["note"]) == ("float64", 1, None)
        assert row["difference"] < 1e-14
        assert row["ratio_to_ours"] is None, "`ours` was not asked for"
        moved = 400 * (256 + 4 * (12 * 4 + 4))
        assert math.isclose(row["gb_per_s"] * row["ms_per_step"], 1e-6 * moved)
    assert rows["torch_csr"]["gradient_difference"] < 1e-13
    assert rows["scipy_csr"]["ms_per_step_with_gradient"] is None
    eager = rows["ours_eager"]
    assert eager["state_bytes"] == 2 * 8 * 400
    if sys.platform == "linux" and eager["peak_bytes"] is not None:
        assert eager["peak_bytes"] >= eager["operator_bytes"] + eager["state_bytes"]


def test_an_unknown_name_is_refused_in_one_line(run_script, tmp_path):
    done = run_script(SCRIPT, "--only", "ours,theirs", folder=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("`--only` must be among ours, ") and line.endswith("got theirs.")
