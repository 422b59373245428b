"""Processes that run jobs: what becomes of a study when they die, fail, or are to stop."""

import os
import sys
import textwrap
import threading
import time

import pytest

from pinn_ext.files import RunError
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.study import folder as study_folder
from pinn_ext.program.study import workers
from pinn_ext.program.study.workers import Task, Workers
from pinn_ext.reports.study.records import read_rows
from tests.reports.study.rows import job

# A worker that does as the first override of a job says.
PUPPET = """
    import json, os, sys, time
    from pathlib import Path
    for line in sys.stdin:
        given = json.loads(line)
        what, name = given["overrides"][0], given["job"]["name"]
        begun = Path(sys.argv[1], name)
        again = begun.exists()
        begun.touch()
        if what == "die" or (what == "die once" and not again):
            os.kill(os.getpid(), 9)
        if what == "exit":
            sys.exit(3)
        if what == "error":
            print(json.dumps({"error": "The disk is full."}), flush=True)
        elif what == "wait":
            sys.stdin.read()  # until the parent closes it
            print(json.dumps({"row": None}), flush=True)
        else:
            print(json.dumps({"row": {"name": name, "pid": os.getpid()}}), flush=True)
"""


@pytest.fixture
def crew(tmp_path, monkeypatch):
    """Run tasks by puppets: `crew(["ok", "die"], count=1)` gives the rows by their seeds."""

    def command(study):
        return [sys.executable, "-c", textwrap.dedent(PUPPET), str(study)]

    monkeypatch.setattr(workers, "command", command)

    def call(what, count=1, interrupts=None):
        rows = {}
        with study_folder.locked(tmp_path) as lock:
            own = Workers(tmp_path, count, lock)
            tasks = [Task(job(seed=seed), (word,)) for seed, word in enumerate(what)]
            try:
                own.run(
                    tasks,
                    interrupts or Interrupts(),
                    lambda row: rows.update({row["name"].rpartition(".")[2]: row}),
                )
            finally:
                own.close()
        return rows

    return call


def test_one_process_runs_many_jobs(crew):
    rows = crew(["ok"] * 5)
    assert sorted(rows) == list("01234") and len({row["pid"] for row in rows.values()}) == 1


def test_several_run_at_once(crew):
    assert sorted(crew(["ok"] * 6, count=3)) == list("012345")
    assert crew([], count=3) == {}


def test_a_job_whose_process_dies_is_a_row_and_takes_no_other_along(crew, tmp_path):
    rows = crew(["ok", "die", "ok", "exit", "ok"])
    assert sorted(rows) == list("01234")
    assert rows["1"]["status"] == rows["3"]["status"] == "failed"
    assert rows["1"]["message"] == "Its process has ended 2 times, at last by signal 9."
    assert "by status 3" in rows["3"]["message"]
    assert sorted(read_rows(tmp_path)) == [rows["1"]["name"], rows["3"]["name"]]


def test_one_that_dies_once_goes_on(crew):
    assert "pid" in crew(["die once"])["0"]


def test_a_job_without_a_row_ends_the_study(crew):
    with pytest.raises(RunError, match=r"a\.soft\.epochs\.fixed\.1 has left no row: The disk is f"):
        crew(["ok", "error", "ok"])


def test_at_a_signal_the_jobs_at_work_end_and_no_other_begins(crew, tmp_path):
    interrupts = Interrupts()

    def signal_once_both_work():
        while len(list(tmp_path.glob("a.soft*"))) < 2:
            time.sleep(0.01)
        interrupts.signal = 15

    thread = threading.Thread(target=signal_once_both_work)
    thread.start()
    assert crew(["wait"] * 4, count=2, interrupts=interrupts) == {}
    thread.join()
    assert len(list(tmp_path.glob("a.soft*"))) == 2


def test_a_study_has_its_folder_alone(tmp_path):
    again = study_folder.locked(tmp_path / "new", patience=0.2)
    with study_folder.locked(tmp_path / "new"), pytest.raises(RunError, match="Another process"):
        again.__enter__()
    with study_folder.locked(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()


def test_folders_that_cannot_be_used(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"cannot be made, as .* is a file"):
        study_folder.check_place(tmp_path / "file" / "deep")
    study_folder.check_place(tmp_path / "a" / "b")
    with pytest.raises(RunError, match="cannot be written"):
        study_folder.locked(tmp_path / "file" / "deep").__enter__()
    if os.geteuid():
        tmp_path.chmod(0o500)
        with pytest.raises(RunError, match="cannot be written"):
            study_folder.check_place(tmp_path / "a")
        tmp_path.chmod(0o700)
