"""The benchmark of what the callback costs: all of its parts are measured. No time is asserted."""

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "overhead.py"


@pytest.mark.slow
def test_rows(run_script, tmp_path):
    out = tmp_path / "overhead.json"
    options = (
        "--iterations",
        "2",
        "--points",
        "100",
        "--strategies",
        "ema,gradient_balance,rba",
        "--out",
        out,
    )
    done = run_script(SCRIPT, *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(out.read_text("utf-8"))["rows"]
    assert [(row["strategy"], row["terms"]) for row in rows] == [
        (name, terms) for terms in (3, 8) for name in ("ema", "gradient_balance", "rba")
    ]
    for row in rows:
        parts = ("recorder", "snapshot", "finite", "update")
        assert all(row[f"{part}_us"] > 0 for part in parts)
        assert (row["gradients_us"] > 0) and (row["every_step"] is None) == (
            row["strategy"] != "gradient_balance"
        )


def test_terms_are_three_or_eight(run_script, tmp_path):
    done = run_script(SCRIPT, "--terms", "4", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "`--terms` must be among 3, 8, got 4."


@pytest.mark.slow
def test_two_checkouts_in_turns(run_script, tmp_path):
    out = tmp_path / "overhead.json"
    options = ("--iterations", "2", "--points", "100", "--strategies", "ema", "--terms", "3")
    other = ("--compare-to", SCRIPT.parents[1], "--out", out)
    done = run_script(SCRIPT, *options, *other, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(out.read_text("utf-8"))["rows"]
    assert [(row["checkout"], row["steps"]) for row in rows] == [("this", 20), ("other", 20)]
    assert all(row["fraction_of_training"] > 0 and row["step_ms"] > 0 for row in rows)


def test_another_checkout_is_one(run_script, tmp_path):
    done = run_script(SCRIPT, "--compare-to", tmp_path, folder=tmp_path)
    assert done.returncode == 1
    assert "`--compare-to` must be a checkout of this project, got" in done.stderr
