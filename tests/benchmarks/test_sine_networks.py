"""The benchmark of sine networks, on a run of one epoch. No error is asserted."""

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "sine_networks.py"
TINY = ("training.epochs=1", "dataset.num_graphs=2", "network.hidden=[4]")


@pytest.mark.slow
def test_rows(run_script, tmp_path):
    out = tmp_path / "rows.json"
    options = ("--systems", "coupled_burgers", "--methods", "adam", "--w0", "2.5", "--seeds", "1")
    done = run_script(SCRIPT, *options, "--out", out, *TINY, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    assert content["machine"]["threads"] == 1
    assert [row["network"] for row in content["rows"]] == ["tanh", "sine, w0=2.5"]
    one, other = (row["median"] for row in content["rows"])
    assert one > 0 and other > 0 and one != other


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--systems", "burgers"), "`--systems` must be among belousov_zhabotinsky, "),
        (("--w0", "0"), "`--w0` must be numbers > 0, got 0."),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, arguments, line):
    done = run_script(SCRIPT, *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(line), done.stderr
