"""The table of NIST's regressions: digits of all methods, with all defaults."""

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "nist.py"


@pytest.fixture
def rows_of(run_script, tmp_path):
    def call(*arguments):
        out = tmp_path / "nist.json"
        done = run_script(SCRIPT, *arguments, "--out", out, folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        content = json.loads(out.read_text("utf-8"))
        assert content.keys() == {"machine", "rows"}
        return content["rows"]

    return call


def test_a_row_for_each_start(rows_of):
    rows = rows_of("--problems", "MGH17,Lanczos1", "--methods", "ours,trf,trf_jac_5000")
    assert [(row["problem"], row["start"]) for row in rows] == [
        *(("MGH17", 1), ("MGH17", 2)),
        *(("Lanczos1", 1), ("Lanczos1", 2)),
    ]
    hard, easy, *rounded = rows
    assert hard["ours"] > 6 and hard["ours_success"]
    assert hard["trf"] < 1 and not hard["trf_success"], "ended by its number of evaluations"
    assert hard["trf_jac_5000"] > 6 and hard["trf_jac_5000_success"]
    assert min(easy["ours"], easy["trf"], easy["trf_jac_5000"]) > 6
    for row in rounded:
        assert 1 < row["ours"] < 4 and not row["ours_success"]


@pytest.mark.slow
def test_nothing_wrong_is_a_success(rows_of):
    rows = rows_of()
    assert len(rows) == 54
    for row in rows:
        assert row["ours"] >= 4 or not row["ours_success"], row
        if max(row["lm_5000"], row["trf_5000"]) >= 6:
            assert row["ours"] >= 6 and row["ours_success"], row


@pytest.mark.parametrize(
    ("flag", "value", "legal"), [("--problems", "MGH1", "MGH10"), ("--methods", "dogbox", "ours")]
)
def test_an_unknown_name_is_refused_in_one_line(run_script, tmp_path, flag, value, legal):
    done = run_script(SCRIPT, flag, value, folder=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"`{flag}` must be among ") and legal in line and value in line
