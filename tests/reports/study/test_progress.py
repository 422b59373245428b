"""Lines of a study's progress, and what is left of it."""

from pinn_ext.reports.study import progress
from tests.reports.study.rows import job, row


def test_time_left_is_taken_from_jobs_of_the_same_case():
    jobs = [job("a", seed=0), job("a", seed=1), job("b", seed=0), job("b", seed=1)]
    assert progress.seconds_left(jobs, {}, 1) is None
    rows = {jobs[0].name: row(jobs[0], 0.1) | {"wall": 10.0}}
    assert progress.seconds_left(jobs, rows, 1) == 30.0  # b is taken to last as long as a
    rows[jobs[2].name] = row(jobs[2], 0.1) | {"wall": 30.0}
    assert progress.seconds_left(jobs, rows, 1) == 40.0
    assert progress.seconds_left(jobs, rows, 2) == 20.0
    failed = {jobs[0].name: row(jobs[0], None, status="failed")}
    assert progress.seconds_left(jobs, failed, 1) is None  # a failure takes no time


def test_lines():
    own = job("a", seed=3)
    rows = {own.name: row(own, 0.1)}
    line = progress.line(rows[own.name], 12, rows, 100.0)
    assert line == "[ 1/12] a.soft.epochs.fixed.3: u 5.00e-02, v 1.00e-01, 3.0 s | 2 min left"
    failed = row(own, None, status="failed")
    assert progress.line(failed, 1, rows, None).endswith("failed: It has failed.")
    unknown = row(own, None, held_out=0.5)
    assert "held-out score 0.5, 3.0 s" in progress.line(unknown, 2, rows, None)
