"""The benchmark of startup: its rows, and what it says of arguments that are of no use."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "startup.py"


@pytest.mark.slow
def test_rows(run_script, tmp_path):
    out = tmp_path / "startup.json"
    done = run_script(SCRIPT, "--repeats", "1", "--against", ROOT, "--out", out, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(out.read_text("utf-8"))["rows"]
    assert len(rows) == 8 and all(row["ratio"] > 0 for row in rows)
    assert rows[0]["ratio"] < 0.5  # `import pinn_ext` loads no torch


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--repeats", "0"), "`--repeats` must be a whole number >= 1, got 0."),
        (("--against", "nowhere"), "`--against` must be a checkout of this project, got nowhere."),
    ],
)
def test_refused(run_script, tmp_path, options, message):
    done = run_script(SCRIPT, *options, folder=tmp_path)
    assert done.returncode == 2 and message in done.stderr
