"""A job that its cluster queues again goes on from its checkpoint, in its own folder only."""

import pytest

from pinn_ext.dde.phases import Phase
from pinn_ext.files import FolderTaken, refuse_taken
from pinn_ext.program import checkpoints, requeued, sweep
from pinn_ext.program.composition import compose
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.run_info import Info
from tests.program.conftest import SMALL, Stop, read_report, read_rows


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """Begin a job in a folder: `attempt(name, stop_at=2)` gives its report, None if stopped."""

    def call(name="0", *overrides, stop_at=None, job_id="77_0", number=0):
        cfg, _ = compose([*SMALL, *overrides])
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        count, original = [0], Phase.on_epoch_end

        def counting(self):
            count[0] += 1
            if count[0] == stop_at:
                raise Stop
            original(self)

        with monkeypatch.context() as patch:
            patch.setattr(Phase, "on_epoch_end", counting)
            info = Info([*overrides], {}, number, job_id)
            try:
                return sweep.attempt(cfg, folder, info, Interrupts())
            except Stop:
                return None

    return call


@pytest.fixture(params=[{"SUBMITIT_EXECUTOR": "slurm"}, {"SLURM_RESTART_COUNT": "1"}], ids=str)
def queued_again(request, monkeypatch):
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


def test_it_goes_on(attempt, tmp_path, queued_again, capsys):
    assert attempt(stop_at=8) is None  # an epoch has three steps
    assert len(read_rows(tmp_path / "0")) == 3  # a header and two epochs
    assert attempt()["status"] == "ok"
    assert "Job 0 was queued again: it goes on from its checkpoint." in capsys.readouterr().out
    assert attempt("whole")["status"] == "ok"
    assert read_rows(tmp_path / "0") == read_rows(tmp_path / "whole")


def test_it_begins_anew_before_its_first_checkpoint(attempt, tmp_path, queued_again, monkeypatch):
    def stopped(*arguments):
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", stopped)
        assert attempt() is None
    assert sorted(p.name for p in (tmp_path / "0").iterdir()) == [
        *("config.yaml", "history.csv", "run.lock", "versions.json")
    ]
    assert attempt()["status"] == "ok" and read_report(tmp_path / "0")["epochs"] == 3


@pytest.mark.parametrize(
    ("overrides", "job_id"), [([], "78_0"), (["seed=9"], "77_0"), ([], None)], ids=str
)
def test_others_are_left_alone(attempt, tmp_path, queued_again, overrides, job_id):
    attempt(stop_at=2)
    before = (tmp_path / "0" / "checkpoint.pt").read_bytes()
    content = attempt("0", *overrides, job_id=job_id)
    assert content["status"] == "failed" and "must not hold a run yet" in content["message"]
    assert (tmp_path / "0" / "checkpoint.pt").read_bytes() == before


def test_only_under_a_cluster(attempt, tmp_path, monkeypatch):
    for name in ("SUBMITIT_EXECUTOR", "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    attempt(stop_at=2)
    assert "must not hold a run yet" in attempt()["message"]
    assert not requeued.may_be_again({}) and not requeued.may_be_again({"SLURM_RESTART_COUNT": "0"})


def test_files_of_a_user_stay(attempt, tmp_path, queued_again):
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "config.yaml").write_text("mine: true\n")
    assert attempt()["status"] == "failed"
    assert (tmp_path / "0" / "config.yaml").read_text() == "mine: true\n"
    with pytest.raises(FolderTaken):
        refuse_taken(tmp_path / "0")
