"""The benchmarks of networks that step, on very little. No time is asserted."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
TINY = (
    *("dataset.num_graphs=4", "dataset.num_validation=2", "dataset.num_test=2"),
    *("dataset.nodes_per_side=6", "dataset.family.steps=2", "training.epochs=1"),
    *("network.width=8", "network.layers=1"),
)


@pytest.mark.slow
def test_rows_of_a_case(run_script, tmp_path):
    out = tmp_path / "rows.json"
    rows = "--rows", "fixed,equal_init"
    script = FOLDER / "families.py"
    done = run_script(
        script, "strategies", *TINY, *rows, "--seeds", 1, "--out", out, folder=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    assert [row["row"] for row in content["rows"]] == ["fixed", "equal_init"]
    for row in content["rows"]:
        assert 0 < row["frozen_u"] < 1 and row["worst"] >= max(row["u"], row["v"]) > 0


@pytest.mark.slow
def test_coupled_burgers(run_script, tmp_path):
    out = tmp_path / "rows.json"
    tiny = ("--nodes", 20, "--patch", 8, "--graphs", 2, "--epochs", 1, "--problems", 1)
    script = FOLDER / "gnrk_burgers.py"
    done = run_script(script, *tiny, "--layers", 1, "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["answer"]: row for row in json.loads(out.read_text("utf-8"))["rows"]}
    exact, coarse, frozen = list(rows.values())[1:]
    assert max(exact["u"], exact["v"]) < 1e-2 < coarse["u"] < frozen["u"]


def test_an_unknown_row_is_refused_in_one_line(run_script, tmp_path):
    done = run_script(FOLDER / "families.py", "networks", "--rows", "mlp", folder=tmp_path)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line == "`--rows` must be among gnn, mesh_graph_net, got mlp."
