"""The benchmark of fixed against adaptive weights, on a run of one epoch. No error is asserted."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "does_it_help.py"
TINY = ("training.epochs=1", "dataset.num_graphs=2", "network.hidden=[4]")


@pytest.mark.slow
def test_rows(run_script, tmp_path):
    out = tmp_path / "rows.json"
    options = ("--cases", "coupled_burgers", "--seeds", "1", "--out", out)
    done = run_script(SCRIPT, *options, *TINY, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    assert content["machine"]["threads"] == 1
    assert [row["strategy"] for row in content["rows"]] == ["fixed", "equal_init"]
    for row in content["rows"]:
        assert row["smallest"] == row["median"] == row["largest"] > 0
        assert row["arguments"] == "problem=coupled_burgers " + " ".join(TINY)


def test_examples_hold_what_is_replaced(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    examples = importlib.import_module("does_it_help").EXAMPLES
    for case in examples.values():
        text = (ROOT / "examples" / case.script).read_text("utf-8")
        assert text.count(case.seed) == text.count(f'"{case.strategy}"') == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--cases", "burgers"), "`--cases` must be among brusselator, "),
        (("--strategies", "none"), "`--strategies` must be among auto, "),
        (("--seeds", "0"), "`--seeds` must be at least 1, got 0."),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, arguments, line):
    done = run_script(SCRIPT, *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(line), done.stderr
