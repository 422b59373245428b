"""The program with `device=pretend` has the numbers of the CPU, also in parts and in failing."""

from pathlib import Path

import pytest
import torch

from pinn_ext.program import checkpoints
from pinn_ext.systems.coupled_burgers import CoupledBurgers
from solvers.operators import GraphOperators
from tests.program.conftest import SMALL, read_report, read_rows

ROOT = Path(__file__).resolve().parents[2]
QUICK = (*SMALL[:-1], "training.epochs=2")
PHASE = ("training.loss.use_gn_solver=true", "training.gauss_newton.iterations=3")
BOX = ("problem=brusselator",)
ON_A_DISK = (
    "problem=brusselator", "problem.geometry=disk", "dataset=cloud", "problem.conditions=soft"
)  # fmt: skip
SA_PINN = ("training=adaptive_sa_pinn", *PHASE)
DEVICE = "device=pretend"
RATES = CoupledBurgers.rhs


@pytest.fixture(autouse=True)
def host_by_default():
    """A run sets the default device itself, as a process of its own would find it."""
    torch.set_default_device(None)


def numbers(folder):
    """Return the history's columns of numbers, rows of epochs by name of the column."""
    header, *rows = read_rows(folder)
    table = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    return {name: values for name, values in table.items() if name != "phase"}


def same_history(one, other, rel=1e-6):
    here, there = numbers(one), numbers(other)
    assert list(here) == list(there)
    for name, values in here.items():
        for own, wanted in zip(values, there[name], strict=True):
            assert own == wanted or float(own) == pytest.approx(float(wanted), rel=rel), name


def parameters(folder):
    saved = checkpoints.load(Path(folder, "checkpoint.pt"))["model_state_dict"]
    return torch.cat([value.cpu().flatten() for value in saved.values()])


@pytest.mark.parametrize(
    "arguments",
    [
        ("training=adaptive_ntk", "training.loss.adaptive.diagnostics=true", "training.keep=best"),
        ("training=adaptive_sa_pinn", "problem.conditions=soft", "training.schedule=cosine"),
        ("training=adaptive_causal", "problem=linear_reaction_diffusion"),
        ("training=adaptive_rba", *ON_A_DISK),
        ("training.loss.use_rk4=false", "dataset=triangulation", *BOX),
        (*PHASE, "training.gauss_newton.points=60", *ON_A_DISK),
    ],
    ids=" ".join,
)
def test_a_run_has_the_numbers_of_the_cpu(run, arguments):
    folders = []
    for device in (DEVICE, "device=cpu"):
        done = run(*QUICK, "dtype=float64", *arguments, device)
        assert done.status == 0, done.err
        assert read_report(done.folder)["status"] == "ok"
        folders.append(done.folder)
    same_history(*folders)
    torch.testing.assert_close(*map(parameters, folders), rtol=1e-6, atol=1e-9)


def test_pilots_of_auto(run):
    auto = ("training=adaptive_auto", "problem.conditions=soft", "dtype=float64")
    choices = []
    for device in (DEVICE, "device=cpu"):
        done = run(*SMALL, *auto, "training.epochs=10", device)
        assert done.status == 0, done.err
        choices.append((read_report(done.folder)["choice"], done.folder))
    assert choices[0][0] == choices[1][0]
    same_history(choices[0][1], choices[1][1])


@pytest.mark.parametrize(
    ("first", "second", "step"),
    [
        ("pretend", "cpu", 4),
        ("cpu", "pretend", 7),
    ],
)
def test_a_run_goes_on_on_another_device(run, run_killed, first, second, step):
    arguments = [*SMALL, *SA_PINN, "training.epochs=3", "dtype=float64"]
    whole = run(*arguments, f"device={second}")
    run_killed(step, *arguments, f"device={first}", "hydra.run.dir=broken")
    resumed = run("training.resume=broken", f"device={second}")
    assert resumed.status == 0, resumed.err
    assert "Resumed after" in resumed.out
    same_history(whole.folder, "broken")
    pair = parameters(whole.folder), parameters("broken")
    torch.testing.assert_close(*pair, rtol=1e-6, atol=1e-9)


def test_a_run_goes_on_where_torch_does_not_know_the_device(run, run_script, tmp_path):
    first = run(*QUICK, "training=adaptive_rba", DEVICE, "hydra.run.dir=moved")
    assert first.status == 0, first.err
    more = ("training.resume=moved", "training.epochs=3")
    done = run_script(ROOT / "main.py", *more, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The run goes on on cpu, it was on pretend (" in done.stdout
    assert read_report(tmp_path / "moved")["epochs"] == 3


def test_a_loss_that_is_not_finite_fails_at_the_step_of_the_cpu(run, monkeypatch):
    """Though the device begins the next step before the host has seen it."""
    ends = []
    for device in (DEVICE, "device=cpu"):
        calls = []

        def poisoned(self, u, v, d, calls=calls):
            calls.append(1)
            du, dv = RATES(self, u, v, d)
            broken = len(calls) > 40 and not isinstance(d, GraphOperators)  # of the RK4 terms
            return (du, dv * float("nan")) if broken else (du, dv)

        monkeypatch.setattr(CoupledBurgers, "rhs", poisoned)
        done = run(*QUICK, "training=adaptive_ema", "training.epochs=30", "dtype=float64", device)
        assert done.status == 1 and "PI_loss2 is not finite at step" in done.err
        assert parameters(done.folder).isfinite().all()
        ends.append((read_report(done.folder)["message"], done.folder))
    assert ends[0][0] == ends[1][0]
    same_history(ends[0][1], ends[1][1])
    torch.testing.assert_close(*(parameters(end[1]) for end in ends), rtol=1e-6, atol=1e-9)
