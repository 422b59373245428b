"""The program on an accelerator: which one it takes, going on elsewhere, memory that runs out."""

import contextlib
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from pinn_ext.cli import main
from pinn_ext.datasets import resident_graphs
from pinn_ext.dde.phases import Phase
from pinn_ext.program.checkpoints import load
from pinn_ext.reports import plots
from tests.device import pretend
from tests.program.conftest import SMALL, read_report, read_rows

RUN = (*SMALL, "dtype=float64")


@pytest.fixture(autouse=True)
def unrendered(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **_: file.write(b""))
    monkeypatch.setattr(plots, "fields", lambda file, *_: file.write(b""))


@pytest.fixture
def run(tmp_path, capsys):
    """Run the program into a folder: `run(name, *arguments)` gives status, out, err."""

    def call(name, *arguments):
        where = f"training.resume={name}" if arguments[:1] == ("resume",) else None
        own = [where, *arguments[1:]] if where else [f"hydra.run.dir={name}", *arguments]
        status = main([str(a) for a in own])
        out, err = capsys.readouterr()
        return status, out, err

    return call


def numbers(folder):
    """Return what the history says of losses, weights and errors."""
    return [[float(n) for n in (row[0], *row[2:])] for row in read_rows(folder)[1:]]


def close(one, other):
    assert len(numbers(one)) == len(numbers(other))
    for row, own in zip(numbers(one), numbers(other), strict=True):
        assert row == pytest.approx(own, rel=1e-9)


@pytest.mark.parametrize("name", ["pretend", "pretend:1"])
def test_all_of_a_run_lies_on_its_device(run, name):
    index = torch.device(name).index or 0
    before = pretend.memory_allocated(1 - index)
    status, _, err = run("gpu", *RUN, f"device={name}")
    assert status == 0, err
    assert pretend.current_device() == index and torch.get_default_device().index == index
    assert pretend.memory_allocated(1 - index) == before
    status, _, err = run("cpu", *RUN, "device=cpu")
    assert status == 0, err
    close("gpu", "cpu")


def test_the_cpu_is_taken_where_a_gpu_is_the_default_device(run):
    """As DeepXDE makes it on a machine with a GPU."""
    torch.set_default_device("pretend")
    with pretend.memory_limit(0):  # nothing can be put there
        status, _, err = run("cpu", *RUN, "device=cpu")
    assert status == 0, err
    assert torch.get_default_device().type == "cpu"
    torch.set_default_device("pretend")
    with pretend.memory_limit(0):
        status, _, err = run("auto", *RUN)  # CUDA or the CPU, no other accelerator
    assert status == 0, err
    assert read_rows("cpu") == read_rows("auto")


def test_a_device_that_is_not_there(run):
    for name in ("pretend:2", "pretendd"):
        status, _, err = run("none", *RUN, f"device={name}")
        assert status == 2
        assert f"torch can use (cpu, pretend:0, pretend:1), got '{name}'." in err


def test_each_process_of_a_job_has_a_card(run, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    status, _, err = run("second", *RUN, "device=pretend", "training.epochs=1")
    assert status == 0 and pretend.current_device() == 1, err
    status, _, err = run("first", *RUN, "device=pretend:0")
    assert status == 2 and "(process 1 on this machine takes pretend:1, there are 2)" in err


def test_going_on_elsewhere_and_back(run):
    assert run("whole", *RUN, "device=pretend", "training.epochs=3")[0] == 0
    status, out, err = run("moved", *RUN, "device=pretend", "training.epochs=1")
    assert status == 0 and "goes on on" not in out, err
    status, out, err = run("moved", "resume", "device=cpu", "training.epochs=2")
    name = f"pretend ({pretend.get_device_name(0)})"
    assert status == 0 and f"The run goes on on cpu, it was on {name} before" in out, err
    status, out, err = run("moved", "resume", "device=pretend", "training.epochs=3")
    assert status == 0 and f"The run goes on on {name}, it was on cpu before" in out, err
    close("moved", "whole")


def test_resumed_equals_undisturbed(run):
    """Also the generator of the device goes on where it was."""
    assert run("whole", *RUN, "device=pretend", "training=adaptive_ema")[0] == 0
    for epochs in (2, 3):
        first = [*RUN, "device=pretend", "training=adaptive_ema", "training.epochs=2"]
        arguments = first if epochs == 2 else ["resume", "training.epochs=3"]
        pretend.manual_seed_all(99 + epochs)
        status, out, err = run("parts", *arguments)
        assert status == 0 and "goes on on" not in out, err
    assert read_rows("whole") == read_rows("parts")
    one, other = (load_file(name)["random_state"] for name in ("whole", "parts"))
    assert one["accelerator"]["kind"] == "pretend"
    assert torch.equal(one["accelerator"]["state"], other["accelerator"]["state"])
    assert torch.equal(one["torch"], other["torch"])


def load_file(name):
    return load(Path(name) / "checkpoint.pt")


@pytest.mark.parametrize(
    "more",
    [
        ["training=gauss_newton", "training.gauss_newton.use_rk4=true"],
        ["training.lbfgs_iterations=4", "training.epochs=1"],
    ],
)
def test_as_on_the_cpu(run, more):
    few = ["training.gauss_newton.iterations=2", "training.gauss_newton.points=40"]
    for device in ("pretend", "cpu"):
        status, _, err = run(device, *RUN, *more, *few, f"device={device}")
        assert status == 0, err
    close("pretend", "cpu")


# ---- memory --------------------------------------------------------------------------------------


def test_graphs_that_do_not_fit_stay_in_main_memory(run, monkeypatch):
    assert run("all", *RUN, "device=pretend")[0] == 0
    monkeypatch.setattr(resident_graphs, "_PART", 0.0)
    status, out, err = run("copied", *RUN, "device=pretend")
    assert status == 0, err
    assert out.count("The 6 graphs, ") == 1
    assert "stay in main memory, as pretend:0 has too little that is free" in out
    assert read_rows("all") == read_rows("copied")


def test_memory_runs_out_in_an_epoch(run, monkeypatch):
    assert run("whole", *RUN, "device=pretend")[0] == 0
    original, steps, limit = Phase.on_epoch_end, [0], contextlib.ExitStack()

    def counting(self):
        original(self)
        steps[0] += 1
        if steps[0] == 7:  # after the first step of the third epoch
            limit.enter_context(pretend.memory_limit(256))

    with monkeypatch.context() as patch:
        patch.setattr(Phase, "on_epoch_end", counting)
        patch.setattr("pinn_ext.program.machine.out_of_memory.release", lambda _: limit.close())
        status, _, err = run("short", *RUN, "device=pretend")
    assert status == 1 and err.count("\n") == 1, err
    assert "The memory of pretend:0 ran out after epoch 2 of 3, as " in err
    assert err.endswith("short/checkpoint.pt can be gone on from.\n")
    report = read_report("short")
    assert report["status"] == "failed" and report["epochs"] == 2
    status, _, err = run("short", "resume")
    assert status == 0, err
    assert read_rows("short") == read_rows("whole")


def test_memory_that_is_gone_before_the_training(run):
    with pretend.memory_limit(0):
        status, _, err = run("none", *RUN, "device=pretend")
    assert status == 1 and err.count("\n") == 1
    assert "The memory of pretend:0 ran out beside the training" in err
