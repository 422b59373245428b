"""Command lines that are refused in one sentence, before a folder is made."""

import os
import signal

import pytest

from pinn_ext.program.interrupts import Interrupts


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--nonsense"], "The command line cannot be read: "),
        (["--cfg", "everything"], "The command line cannot be read: "),
        (["--experimental-rerun", "a.pickle"], "`--experimental-rerun` is not for this program"),
        (["-m", "--experimental-rerun", "a.pickle"], "`--experimental-rerun` is not for this"),
        (["hydra.mode=MULTIRUN"], "`hydra.mode` cannot be MULTIRUN without -m"),
        (["-m", "seed=1,2", "hydra.mode=RUN"], "`hydra.mode` cannot be RUN with -m"),
        (["-m", "seed=range(3,3)"], "A sweep must have at least one job"),
        (["-m", "seed=range(20000)"], "A sweep must have at most 10000 jobs"),
        (["-m", "seed=1,2", "hydra.sweeper.max_batch_size=-1"], "`hydra.sweeper.max_batch_size`"),
        (["hydra.run.dir=a-${nothing}"], "The output folder 'a-${nothing}' cannot be made out"),
        (["-m", "seed=1,2", "hydra.sweep.dir=${nothing}"], "The output folder '${nothing}' cannot"),
        (
            ["-m", "seed=1,2", "hydra.sweep.subdir=${nothing}"],
            "`hydra.sweep.subdir` cannot be made",
        ),
        (
            ["-m", "seed=1,2", "hydra.sweep.subdir=a/${hydra.job.num}"],
            "`hydra.sweep.subdir` must be",
        ),
        (["-m", "seed=1,2", "hydra.sweep.subdir=.."], "`hydra.sweep.subdir` must be"),
        (
            ["-m", "seed=1,2", "hydra.sweep.subdir=${hydra.job.name}"],
            "`hydra.sweep.subdir` must give",
        ),
        (["hydra.run.dir=" + "a" * 300], "The folder aaa"),
        (["experiment.name=" + "a" * 300], "`experiment.name` must have at most 200 bytes"),
        (["training.resume=" + "a" * 5000], "There is no checkpoint at aaa"),
        (["compare", "a" * 5000], "There is no folder aaa"),
        (["-m", "seed=1,2", "hydra.sweep.subdir=" + "a" * 300], "`hydra.sweep.subdir` must be"),
        (["-m", "seed=1,2", "hydra.output_subdir=../x"], "`hydra.output_subdir` must be the name"),
        (["-m", "seed=1,2", "hydra.output_subdir=."], "`hydra.output_subdir` must be the name"),
        (["--package", "x"], "`--package` and `--resolve` say how"),
        (["--resolve"], "`--package` and `--resolve` say how"),
        (["training.optimizer=" + "a" * 9000], "`training.optimizer` must be one of"),
        (["-m", "seed=range(0,inf)"], "`seed=range(0,inf)` must have finite ends"),
        (["-m", "training=glob(no_such_*)"], "A sweep must have at least one job"),
    ],
    ids=str,
)
def test_refused(run, arguments, start):
    done = run(*arguments)
    assert done.status == 2 and done.err.startswith(f"pinn-ext: {start}"), done.err
    assert done.err.count("\n") == 1 and len(done.err) < 1600


def test_a_sweep_starts_no_job_in_the_folder_of_a_run(run, tmp_path):
    (tmp_path / "all" / "1").mkdir(parents=True)
    (tmp_path / "all" / "1" / "report.json").write_text("{}")
    done = run("-m", "seed=4,5", f"hydra.sweep.dir={tmp_path / 'all'}")
    assert done.status == 2 and "must not hold a run yet" in done.err
    assert [file.name for file in (tmp_path / "all").rglob("*")] == ["1", "report.json"]


def test_a_sweep_follows_no_link_and_keeps_what_lies_where_hydra_writes(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "0").symlink_to(tmp_path / "elsewhere")
    done = run("-m", "seed=4,5", f"hydra.sweep.dir={tmp_path / 'all'}")
    assert done.status == 2 and "of a job must not be a link" in done.err
    (tmp_path / "all" / "1" / ".hydra").mkdir(parents=True)
    (tmp_path / "all" / "0").unlink()
    sweep = ("-m", "seed=4,5", "hydra.output_subdir=.hydra", f"hydra.sweep.dir={tmp_path / 'all'}")
    done = run(*sweep)
    assert done.status == 2 and "must not hold .hydra yet" in done.err
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_closed_terminal_is_heard_unless_it_is_ignored():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts().caught() as ignoring:
            os.kill(os.getpid(), signal.SIGHUP)
        assert ignoring.signal is None
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with Interrupts().caught() as hearing:
            os.kill(os.getpid(), signal.SIGHUP)
        assert hearing.exit_status == 129
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, former)
