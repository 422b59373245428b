"""One job of a study: its row, whatever became of the run, and how it goes on."""

import json

import pytest

from pinn_ext.program.study import job as study_job
from pinn_ext.program.study.job import overrides_of, put_aside, run_job
from pinn_ext.program.study.plan import plan
from pinn_ext.program.study.study_file import from_values
from pinn_ext.reports.held_out import held_out_score
from pinn_ext.reports.study import rows as study_rows
from pinn_ext.reports.study.records import read_rows
from tests.program.conftest import Stop
from tests.program.study.conftest import COMMON, without_times
from tests.reports.study.rows import with_grid


def jobs(**values):
    minimal = {"systems": ["coupled_burgers"], "strategies": ["ema"], "seeds": 1, "common": COMMON}
    return plan(from_values({**minimal, **values}, "mine"))


def attempt(study, job, interrupts):
    return run_job(study, job, job.overrides, (), interrupts)


def test_a_job_leaves_a_row_and_goes_on_after_a_kill(tmp_path, stopping, interrupts):
    (job,) = jobs()
    whole = attempt(tmp_path / "whole", job, interrupts)
    assert whole["status"] == "ok" and whole["worst"] == max(whole["errors"].values())
    assert whole["core_seconds"] > 0
    assert whole["curve"]["at"] == [1, 2, 3, 4] and set(whole["curve"]["weights"]) == set(
        whole["validation_losses"]
    )
    with stopping(8):
        attempt(tmp_path / "killed", job, interrupts)
    with stopping(3):
        attempt(tmp_path / "killed", job, interrupts)
    assert read_rows(tmp_path / "killed") == {}
    again = attempt(tmp_path / "killed", job, interrupts)
    assert without_times({"": again}) == without_times({"": whole})
    assert read_rows(tmp_path / "killed") == {job.name: again}


def test_a_job_that_ended_before_its_row_is_not_run_again(tmp_path, interrupts, monkeypatch):
    (job,) = jobs()
    with monkeypatch.context() as patch:

        def stop(*arguments):
            raise Stop

        patch.setattr(study_job, "append_row", stop)
        with pytest.raises(Stop):
            attempt(tmp_path, job, interrupts)
    report = tmp_path / "jobs" / job.name / "report.json"
    before = report.stat().st_mtime_ns
    assert attempt(tmp_path, job, interrupts)["status"] == "ok"
    assert report.stat().st_mtime_ns == before and list(read_rows(tmp_path)) == [job.name]


def test_a_job_that_was_interrupted_has_no_row(tmp_path, interrupts):
    (job,) = jobs()
    interrupts.signal = 15
    assert attempt(tmp_path, job, interrupts) is None and read_rows(tmp_path) == {}
    interrupts.signal = None
    assert attempt(tmp_path, job, interrupts)["status"] == "ok"


def test_a_failed_job_is_a_row_and_can_be_tried_again(tmp_path, interrupts, monkeypatch):
    from pinn_ext.program.run import state

    (job,) = jobs()
    with monkeypatch.context() as patch:
        patch.setattr(state, "build", lambda *arguments: 1 / 0)
        row = attempt(tmp_path, job, interrupts)
    assert row["status"] == "failed" and "division by zero" in row["message"]
    assert (tmp_path / "jobs" / job.name / "error.log").is_file()
    # Killed before its row was written it has failed all the same.
    assert attempt(tmp_path, job, interrupts)["message"] == row["message"]
    put_aside(tmp_path, [job])
    assert attempt(tmp_path, job, interrupts)["status"] == "ok"
    assert len(list((tmp_path / "failed").iterdir())) == 1
    put_aside(tmp_path, [job])  # nothing to be put aside
    assert read_rows(tmp_path)[job.name]["status"] == "ok"


def test_a_failed_training_is_tried_again_from_its_checkpoint(tmp_path, interrupts, monkeypatch):
    (job,) = jobs()
    from pinn_ext.files import RunError
    from pinn_ext.reports import epoch_log

    def full(self, *arguments):
        raise RunError("The disk is full.")

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(epoch_log.EpochLog, "add", full)
            row = attempt(tmp_path, job, interrupts)
        assert row["message"] == "The disk is full."
        put_aside(tmp_path, [job])
    assert len(list((tmp_path / "failed").glob("*.json"))) == 2  # a report of each attempt
    assert attempt(tmp_path, job, interrupts)["status"] == "ok"


def test_the_weights_of_a_grid_are_chosen_by_the_held_out_score():
    pilots, last, rows = with_grid([0.3, 0.1, None, 0.2])
    overrides, used = overrides_of(last, rows)
    assert overrides == (*last.overrides, "training.loss.w1_IC=1") and len(used) == 4
    for name, worst in zip(rows, (1e-9, 0.5, None, 1e-9), strict=True):
        rows[name]["worst"] = worst  # the true error decides nothing
    assert overrides_of(last, rows)[0] == overrides
    _, last, rows = with_grid([None, None])
    assert overrides_of(last, rows)[0] is None
    assert overrides_of(pilots[0], {}) == (pilots[0].overrides, [])


def test_the_row_of_a_grid_has_the_cost_of_all():
    _, last, rows = with_grid([0.3, 0.1])
    own = {**rows["grid0"], "name": last.name}
    whole = study_rows.with_pilots(own, list(rows.values()))
    assert whole["seconds"] == 3 * own["seconds"] and whole["curve"]["at"] == [5, 6]
    assert whole["curve"]["seconds"] == [5.0, 6.0] and own["curve"]["seconds"] == [1.0, 2.0]
    assert whole["chosen_from"] == {"grid0": 0.3, "grid1": 0.1}
    assert whole["core_seconds"] is None  # rows of an older program have none
    counted = [{**row, "core_seconds": 1.5} for row in rows.values()]
    assert study_rows.with_pilots(counted[0], counted)["core_seconds"] == 4.5
    assert study_rows.with_pilots({"status": "failed"}, []) == {"status": "failed"}


def test_the_held_out_score():
    losses = {"PI_loss1": 4.0, "BC_loss1": 1.0}
    assert held_out_score(losses, "fields") == 14.0
    assert held_out_score(losses, "none") == pytest.approx(2.0)
    units = {name: 1e6 * loss for name, loss in losses.items()}
    assert held_out_score(units, "none") == pytest.approx(2e6)
    assert held_out_score({"PI_loss1": float("nan")}, "fields") == float("inf")


def test_a_long_history_is_thinned():
    terms = ["PI_loss1"]
    history = [
        {
            "epoch": n + 1,
            "phase": "epochs",
            "seconds": n / 3,
            "error_u": 1.0,
            "error_v": float("nan") if n == 999 else 2.0,
            "validation_PI_loss1": 1.0,
            "weight_PI_loss1": 1.0,
        }
        for n in range(1000)
    ]
    found = study_rows.curve(history, terms, "fields")
    assert len(found["at"]) == study_rows.POINTS and (found["at"][0], found["at"][-1]) == (1, 1000)
    assert found["worst"][0] == 2.0 and found["worst"][-1] is None
    json.dumps(found, allow_nan=False)
    assert len(study_rows.curve(history[:3], terms, "fields")["at"]) == 3
    assert len(study_rows.curve(history[:1], terms, "fields")["at"]) == 1
