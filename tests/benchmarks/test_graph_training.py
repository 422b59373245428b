"""The benchmark of graph training on few graphs. No time is asserted."""

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "graph_training.py"
TINY = ("--graphs", 10, "--nodes", 6, "--epoch-graphs", "10,20", "--repeats", 1, "--steps", 1)


@pytest.mark.slow
def test_rows(run_script, tmp_path):
    out = tmp_path / "rows.json"
    done = run_script(SCRIPT, *TINY, "--networks", "gnn", "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    rows = content["rows"]
    whole = [*["epoch"] * 2, *["processes"] * 2]
    assert [row["what"] for row in rows] == [*["step"] * 3, "tests", *whole]
    assert [row["way"] for row in rows] == ["program", "plain", "collated", *["program"] * 5]
    assert [row["graphs"] for row in rows] == [10, 10, 10, 10, 10, 20, 10, 10]
    tests = rows.pop(3)
    assert tests["ms"] > 0 and tests["steps"] > 0
    assert rows[1]["ratio_to_plain"] == 1 and all(row["graphs_per_second"] > 0 for row in rows)
    states = 36 * 2 * 4  # float32; no constant varies
    assert [row["bytes_per_graph"] for row in rows[3:5]] == [states] * 2
    assert [row["processes"] for row in rows[5:]] == [1, 2]
    assert content["machine"]["nodes"] == 36


def test_an_unknown_network_is_refused_in_one_line(run_script, tmp_path):
    done = run_script(SCRIPT, "--networks", "mlp", folder=tmp_path)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line == "`--networks` must be among gnn, mesh_graph_net, got mlp."
