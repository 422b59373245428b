"""Memory that runs out ends a run with one sentence, and what was trained is kept."""

import contextlib

import pytest
import torch

from pinn_ext.cli import main
from pinn_ext.dde.phases import Phase
from pinn_ext.files import RunError
from pinn_ext.program.machine import out_of_memory
from tests.program.conftest import SMALL, read_report, read_rows

CPU = torch.device("cpu")
OF_TORCH = torch.cuda.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 20.50 GiB. GPU 0 has a total capacity of 8.00 GiB."
)
OF_CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 3221225472 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OF_TORCH, "beside the training, as 20.50 GiB more were asked for: smaller values of"),
        (OF_CPU, "beside the training, as 3 GiB more were asked for: smaller values of"),
        (MemoryError(), "beside the training: smaller values of `dataset.num_graphs`"),
    ],
)
def test_what_was_asked_for(error, said):
    with pytest.raises(RunError, match=said), out_of_memory.said(CPU):
        raise error


def test_words_of_a_solver_stay():
    text = out_of_memory.sentence(MemoryError("The Jacobian needs 3 GiB."), CPU)
    assert text == "The Jacobian needs 3 GiB."


def test_other_errors_stay():
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory.said(CPU):
        raise RuntimeError("shapes cannot be multiplied")


@pytest.fixture
def runs_out(monkeypatch):
    """Let memory run out at the n-th step of trainings: `with runs_out(step, error)`."""

    @contextlib.contextmanager
    def at(step, error):
        count, original = [0], Phase.on_epoch_end

        def counting(self):
            count[0] += 1
            if count[0] == step:
                raise error
            original(self)

        with monkeypatch.context() as patch:
            patch.setattr(Phase, "on_epoch_end", counting)
            yield

    return at


def test_a_run_ends_with_its_last_checkpoint(run, runs_out):
    whole = run(*SMALL, "device=cpu", "dtype=float64")
    with runs_out(8, OF_TORCH):  # in the third epoch
        done = run(*SMALL, "device=cpu", "dtype=float64")
    assert done.status == 1 and done.err.count("\n") == 1
    file = done.folder.name + "/checkpoint.pt"
    said = "The memory of cpu ran out after epoch 2 of 3, as 20.50 GiB more were asked for: "
    assert said in done.err and done.err.endswith(f"{file} can be gone on from.\n")
    for key in ("dataset.batch_size", "network.hidden", "dtype"):
        assert f"`{key}`" in done.err
    report = read_report(done.folder)
    assert report["status"] == "failed" and report["epochs"] == 2
    assert report["message"] in done.err
    again = main([f"training.resume={done.folder}"])
    assert again == 0 and read_rows(done.folder) == read_rows(whole.folder)


def test_a_run_that_cannot_be_built(run, monkeypatch):
    def nothing_left(*args, **options):
        raise OF_CPU

    monkeypatch.setattr("pinn_ext.program.build.Evaluator", nothing_left)
    done = run(*SMALL, "device=cpu")
    assert done.status == 1 and done.err.count("\n") == 1
    assert "The memory of cpu ran out beside the training" in done.err
    assert "`dataset.num_graphs`" in done.err


def test_gauss_newton_keeps_its_words_and_names_the_keys(run, monkeypatch):
    from solvers.gauss_newton import Stepper

    def full(self):
        self.linearize()  # so that it is known what is solved
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB.")

    arguments = (*SMALL, "device=cpu", "training=gauss_newton")
    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "_step", full)
        done = run(*arguments)
    assert done.status == 1 and done.err.count("\n") == 1
    assert "Memory ran out on cpu with " in done.err and "tried to allocate 3.00 GiB: " in done.err
    assert "take solver='matrix_free', or fewer rows (points) or parameters; " in done.err
    assert "; smaller values of `training.gauss_newton.points`, `network.hidden`, " in done.err
    assert "`training.gauss_newton.memory_limit_gb` need less; " in done.err
    assert done.err.endswith("/checkpoint.pt can be gone on from.\n")


def test_a_solver_without_room_keeps_its_words_and_names_the_keys(run):
    limit = "training.gauss_newton.memory_limit_gb=1e-6"
    done = run(*SMALL, "device=cpu", "training=gauss_newton", limit)
    assert done.status == 1 and done.err.count("\n") == 1
    assert "`memory_limit_gb` must leave room for a solver with " in done.err
    assert "; smaller values of `training.gauss_newton.points`, `network.hidden` need" in done.err


@pytest.mark.slow
def test_a_job_of_a_sweep_lets_the_others_run(run, runs_out):
    with runs_out(4, OF_CPU):
        done = run(*SMALL, "-m", "device=cpu", "seed=0,1", "training.epochs=1")
    assert done.status == 1
    first, second = (read_report(done.folder / name) for name in ("0", "1"))
    assert (first["status"], second["status"]) == ("ok", "failed")
    assert "ran out" in second["message"]
