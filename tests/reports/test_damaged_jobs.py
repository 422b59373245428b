"""A job that is damaged, lost or running hides no other in a comparison."""

import contextlib
import fcntl
import json
import math
import os

import pytest

from pinn_ext.files import RunError
from pinn_ext.reports import compare, planned_jobs
from pinn_ext.reports.compare import picture

HISTORY = "epoch,phase,error_u,error_v\n1,epochs,0.5,0.25\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one job of number 5 that ended well."""
    monkeypatch.setattr(picture, "draw", lambda *what: None)
    _job(tmp_path, 5)
    return tmp_path


def _job(folder, number, history=HISTORY, **changes):
    own = folder / str(number)
    own.mkdir()
    content = {
        "status": "ok",
        "job": number,
        "strategy": "ema",
        "overrides": [f"seed={number}"],
        "relative_l2": {"u": 0.5, "v": 0.25},
        "raw_losses_last": {"PI_loss1": 2.0},
        "seconds_training": 3.0,
    }
    (own / "report.json").write_text(json.dumps({**content, **changes}))
    (own / "history.csv").write_text(history)
    return own


def _rows(folder):
    rows, text = compare.compare(folder)
    assert (folder / "comparison.csv").exists() and "ema" in text
    return {row["job"]: row for row in rows}


@pytest.mark.parametrize(
    "change",
    [
        {"status": None},
        {"strategy": 3},
        {"overrides": "seed=4"},
        {"job": "four"},
        {"relative_l2": {"u": 0.1}},
        {"relative_l2": {"u": 0.1, "v": "small"}},
        {"raw_losses_last": [1.0]},
        {"seconds_training": "long"},
        {"history": ""},
        {"history": "epoch,phase,error_u\n1,epochs,0.5\n"},
        {"history": HISTORY + "2,epochs,x,y\n"},
        {"history": HISTORY + "2\n"},
    ],
    ids=str,
)
def test_a_damaged_job(folder, change):
    _job(folder, 4, **change)
    rows = _rows(folder)
    assert rows[4]["status"] == "damaged" and rows[4]["u"] is None
    file = "history.csv" if "history" in change else "report.json"
    assert rows[4]["message"].startswith(file)
    assert rows[5]["status"] == "ok" and rows[5]["worst"] == 0.5


@pytest.mark.parametrize("text", ["", "7", "[", "[" * 100_000, "\xff\xfe"], ids=range(5))
def test_a_report_that_is_no_mapping(folder, text):
    (_job(folder, 4) / "report.json").write_text(text, "latin-1")
    rows = _rows(folder)
    assert (rows[4]["status"], rows[5]["status"]) == ("damaged", "ok")


def test_a_job_with_the_error_of_one_field_alone_comes_last(folder):
    _job(folder, 4, relative_l2={"u": 0.1, "v": math.nan})
    rows, _ = compare.compare(folder)
    assert [row["job"] for row in rows] == [5, 4] and math.isnan(rows[1]["worst"])


def test_two_folders_of_one_job_are_both_shown(folder):
    own = _job(folder, "again")
    content = json.loads((own / "report.json").read_text())
    (own / "report.json").write_text(json.dumps({**content, "job": 5}))
    assert len(_rows(folder)) == 2


def test_a_torn_list_of_jobs(folder):
    (folder / "multirun.yaml").write_text("hydra: [\n")
    rows = _rows(folder)
    assert rows[5]["status"] == "ok" and rows["-"]["status"] == "damaged"


def test_a_job_without_a_report_is_running_or_lost(folder):
    (folder / "0").mkdir()
    planned = [[f"seed={i}"] for i in range(6)]
    with open(folder / "0" / "run.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows, _ = compare.compare(folder, planned)
    states = {row["job"]: row["status"] for row in rows}
    assert states == {5: "ok", 0: "running", **dict.fromkeys(range(1, 5), "lost")}


def test_files_that_cannot_be_written_leave_the_table(folder, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match="No space left") as caught:
        compare.compare(folder)
    assert "5.00e-01" in caught.value.text and caught.value.rows[0]["job"] == 5


def test_no_links_are_written_through(folder):
    (folder / "mine").write_text("precious\n")
    (folder / "comparison.csv").symlink_to(folder / "mine")
    _rows(folder)
    assert (folder / "mine").read_text() == "precious\n"


@pytest.mark.parametrize("count", ["range(10001)", "range(0,1e12,1)", "shuffle(range(1000000000))"])
def test_a_sweep_too_large_is_counted_not_made(count):
    with pytest.raises(ValueError, match="at most 10000 jobs"):
        planned_jobs.expand([f"seed={count}"])


@contextlib.contextmanager
def hold(folder):
    """Hold the folder of a run, as its process does."""
    with open(folder / "run.lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_run_that_goes_on_is_running_whatever_it_has_reported_before(folder):
    own = _job(folder, 4)
    with hold(own):
        rows = _rows(folder)
        assert (rows[4]["status"], rows[4]["u"], rows[4]["strategy"]) == ("running", None, "ema")
    assert _rows(folder)[4]["status"] == "ok"


def test_single_runs_without_a_report_are_running_or_lost(folder):
    for name in ("begun", "killed"):
        (folder / name).mkdir()
        (folder / name / "config.yaml").write_text("seed: 1\n")
    with hold(folder / "begun"):
        rows = _rows(folder)
    assert {key: row["status"] for key, row in rows.items()} == {
        5: "ok",
        "begun": "running",
        "killed": "lost",
    }


def test_the_continuation_of_a_job_beside_its_sweep_is_shown(folder):
    (_job(folder, 0) / "report.json").rename(folder / "0" / "kept.json")
    other = folder / "0-continued"
    other.mkdir()
    (folder / "0" / "kept.json").rename(other / "report.json")
    (folder / "0" / "history.csv").rename(other / "history.csv")
    rows = {row["job"]: row for row in compare.compare(folder, [["seed=0"]])[0]}
    assert rows[0]["status"] == "ok" and rows[0]["overrides"] == "seed=0"
    content = json.loads((other / "report.json").read_text())
    (folder / "0" / "report.json").write_text(json.dumps({**content, "status": "interrupted"}))
    (folder / "0" / "history.csv").write_text(HISTORY)
    rows = {row["job"]: row["status"] for row in compare.compare(folder, [["seed=0"]])[0]}
    assert rows[0] == "interrupted" and rows["0-continued"] == "ok"
