"""A job that a process still works on is called running, whatever its folder is called."""

import fcntl

import pytest

from pinn_ext.reports.compare import compare
from pinn_ext.reports.planned_jobs import job_number


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "multirun.yaml").write_text(
        "hydra:\n"
        "  sweeper: {_target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper}\n"
        "  overrides: {task: ['seed=3,4,5']}\n"
    )
    for number in range(2):
        own = tmp_path / f"seed={3 + number}"
        (own / ".hydra").mkdir(parents=True)
        (own / ".hydra" / "hydra.yaml").write_text(f"hydra:\n  job:\n    num: {number}\n")
        (own / "run.lock").touch()
    return tmp_path


def test_its_lock_is_held(folder):
    with open(folder / "seed=4" / "run.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows, _ = compare(folder)
    assert {row["job"]: row["status"] for row in rows} == {0: "lost", 1: "running", 2: "lost"}


def test_a_sweep_knows_its_folders(folder):
    for own in folder.glob("*/.hydra/hydra.yaml"):
        own.unlink()
    with open(folder / "seed=4" / "run.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows, _ = compare(folder, [["seed=3"], ["seed=4"]], ["seed=3", "seed=4"])
        assert {row["job"]: row["status"] for row in rows} == {0: "lost", 1: "running"}
        rows, _ = compare(folder)  # which job this is nobody has written down
    assert {row["job"]: row["status"] for row in rows}["seed=4"] == "running"


@pytest.mark.parametrize("text", ["", "a: [", "hydra: 3\n", "hydra: {job: {num: x}}\n"])
def test_numbers_that_cannot_be_read(tmp_path, text):
    for name, number in (("7", 7), ("name", None)):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        (tmp_path / name / ".hydra" / "hydra.yaml").write_text(text)
        assert job_number(tmp_path / name) == number
