"""The figures of an accelerator, in a tiny size on the CPU. No time is asserted."""

import importlib
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
PARTS = ["main_job", "gauss_newton", "rk4", "overhead"]


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.delitem(sys.modules, "gpu", raising=False)
    before = list(sys.path)
    yield importlib.import_module("gpu")
    sys.path[:] = before
    for name in ("gpu", "_common", "_devices"):
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_all_parts_have_figures(run_script, tmp_path):
    out = tmp_path / "gpu.json"
    done = run_script(FOLDER / "gpu.py", "--device", "cpu", "--tiny", "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(out.read_text("utf-8"))
    assert content["machine"]["device"] == "cpu"
    rows = content["rows"]
    assert all(not row.get("note") for row in rows), [row.get("note") for row in rows]
    assert {row["part"] for row in rows} == set(PARTS)
    assert all(not isinstance(value, (dict, list)) for row in rows for value in row.values())
    headings = [line[4:] for line in done.stdout.splitlines() if line.startswith("### ")]
    assert headings == PARTS
    tables = done.stdout.split("### ")[1:]
    for table in tables:
        lines = [line for line in table.splitlines() if line.startswith("|")]
        assert len(lines) >= 3 and len({line.count("|") for line in lines}) == 1


def test_all_pieces_fit_into_their_benchmarks_and_ten_minutes(gpu):
    for pieces in (gpu.FULL, gpu.TINY):
        assert {piece.part for piece in pieces} == set(gpu.COLUMNS) == set(PARTS)
        assert all((FOLDER / piece.script).is_file() for piece in pieces)
    needed = [piece.seconds for piece in gpu.FULL]
    assert max(needed) < 600, "none takes all of the time"
    first = gpu.FULL[0].command("cuda:1", Path("out"))
    assert first[2:6] == ["--device", "cuda:1,cpu", "--out", "out"]
    assert gpu.TINY[1].command("cpu", Path("out"))[3] == "cpu"


def test_a_piece_that_fails_or_is_late_is_a_row_with_its_reason(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "FOLDER", tmp_path)
    (tmp_path / "bad.py").write_text("import sys; sys.exit('No card.')", "utf-8")
    (tmp_path / "slow.py").write_text("import time; time.sleep(60)", "utf-8")
    pieces = [gpu.Piece("rk4", "bad.py", ("--a",), 30.0), gpu.Piece("rk4", "slow.py", (), 0.2)]
    found = gpu.measure(pieces, "cpu", 1e6)
    assert found["rows"] == [
        {"part": "rk4", "piece": "--a", "note": "No card."},
        {"part": "rk4", "piece": "", "note": "did not end in 0 s"},
    ]
    assert gpu.measure(pieces, "cpu", 0.0)["rows"][0]["note"] == "not reached"
    text = gpu.markdown("rk4", found["rows"])
    assert text.count("\n|") == 2, "no row without figures"
    assert "--a: No card." in text


def test_a_table_has_the_figures_of_its_part_alone(gpu):
    rows = [
        {"part": "overhead", "piece": "", "strategy": "ema", "terms": 3, "step_ms": 1.23456},
        {"part": "rk4", "piece": "", "graph": "grid", "nodes": 400},
    ]
    lines = gpu.markdown("overhead", rows).splitlines()
    assert lines[0] == "### overhead"
    assert lines[2].startswith("| strategy | statistic | terms | step_ms |")
    assert lines[4:] == ["| ema |  | 3 | 1.23 |  |  |"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("--parts", "lbfgs"),
            "`--parts` must be among main_job, gauss_newton, rk4, overhead, got lbfgs.",
        ),
        (("--minutes", "0"), "`--minutes` must be positive, got 0.0."),
    ],
)
def test_bad_arguments_end_in_one_line(run_script, tmp_path, arguments, line):
    done = run_script(FOLDER / "gpu.py", *arguments, folder=tmp_path)
    assert (done.returncode, done.stderr.splitlines()) == (1, [line])
