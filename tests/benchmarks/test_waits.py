"""The benchmark of waits: its rows, and what it says where there is no device to count them on."""

import json
from pathlib import Path

import pytest

from tests.device import build, pretend

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "waits.py"


@pytest.mark.slow
def test_rows_and_places(run_script, tmp_path):
    try:
        build.library()
    except build.UnavailableError as reason:
        pytest.skip(f"no make-believe device: {reason}")
    out = tmp_path / "waits.json"
    options = ("--only", "DeepXDE", "--places", "--out", out)
    done = run_script(SCRIPT, *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(out.read_text("utf-8"))["rows"]
    assert [row["training"].split(", ")[1] for row in rows] == ["no callback", "ema", "sa_pinn"]
    for row in rows:
        assert row["sum"] == sum(row[kind] for kind in pretend.KINDS) and row["operators"] > 100
    assert rows[0]["to_device"] == rows[0]["sum"] == 1  # DeepXDE sends its points in each step
    assert "1 x to_device\n" in done.stdout and "torch.as_tensor(inputs)" in done.stdout


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        ((), {"CXX": "no-such-compiler"}, "cannot be built: no C++ compiler: no-such-compiler"),
        (("--device", "cuda"), {"CUDA_VISIBLE_DEVICES": ""}, "`--device cuda` needs a GPU"),
        (("--only", "adam"), {}, "`--only` must be a part of DeepXDE, no callback | "),
    ],
)
def test_without_a_device(run_script, tmp_path, options, environment, message):
    done = run_script(SCRIPT, *options, folder=tmp_path, **environment)
    assert done.returncode == 1 and message in done.stderr
