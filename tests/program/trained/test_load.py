"""A network is built again from its run, without a trace elsewhere (`pinn_ext.load`)."""

import copy
import random
from pathlib import Path

import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext import systems
from pinn_ext.checks import ArgumentError
from pinn_ext.files import RunError
from pinn_ext.program import checkpoints
from pinn_ext.program.problem import description
from pinn_ext.program.trained import trained_run
from tests.program.untrained import untrained
from tests.systems.problem_files.test_from_file import PLAIN

OLD = Path(__file__).resolve().parents[1] / "data" / "checkpoints"


def points(system, count=50, dtype=torch.float64):
    low, high = (torch.tensor(end, dtype=dtype) for end in (system.lower, system.upper))
    draw = torch.rand(count, system.dimension + 1, generator=torch.Generator().manual_seed(1))
    return low + draw[:, :-1].to(dtype) * (high - low), draw[:, -1].to(dtype) * system.final_time


def output(network, x, t):
    inputs = torch.cat([torch.as_tensor(x), torch.as_tensor(t)[:, None]], dim=1)
    with torch.no_grad():
        return network(inputs.to(network.centre.dtype))


def test_fields_are_those_of_the_network_in_memory(trained):
    run = pinn_ext.load(trained.folder)
    x, t = points(run.system)
    wanted = output(trained.network, x, t)
    assert run.dtype == torch.float32 and not run.network.training
    assert not any(parameter.requires_grad for parameter in run.network.parameters())
    assert torch.equal(run.fields(x, t), wanted)
    found = run.fields(x.numpy(), t.numpy())
    assert found.dtype == np.float32 and np.array_equal(found, wanted.numpy())
    last = output(trained.network, x, torch.ones(len(x)))
    assert np.array_equal(run.fields(x.numpy()[:, 0], 1), last.numpy())
    assert run.config.training.epochs == 3 and run.system.name == "coupled_burgers"


def test_a_checkpoint_and_the_best_network(trained):
    best = pinn_ext.load(trained.folder, best=True)
    wanted = torch.load(trained.folder / "best.pt", weights_only=True)["model_state_dict"]
    for run in (best, pinn_ext.load(trained.folder / "best.pt")):
        assert all(torch.equal(run.network.state_dict()[k], v) for k, v in wanted.items())
    assert pinn_ext.load(trained.folder / "checkpoint.pt", best=True).file == best.file
    assert best.file == trained.folder / "best.pt"


def test_float64_is_the_same_function(trained):
    run = pinn_ext.load(trained.folder, dtype="float64")
    x, t = points(run.system)
    assert torch.equal(run.fields(x, t), output(copy.deepcopy(trained.network).double(), x, t))


@pytest.mark.parametrize("name", sorted(systems.names()))
@pytest.mark.parametrize("conditions", ["hard", "soft"])
def test_every_system_in_float64_whatever_the_default(tmp_path, name, conditions):
    """Numbers of a system must not hang on torch's default float type, which is the caller's."""
    run = f"problem={name}", f"problem.conditions={conditions}", "dtype=float64"
    network = untrained(tmp_path / "run", *run)
    loaded = pinn_ext.load(tmp_path / "run")
    x, t = points(loaded.system)
    torch.set_default_dtype(torch.float64)  # as it was in the run
    assert loaded.dtype == torch.float64 and torch.equal(loaded.fields(x, t), output(network, x, t))


@pytest.mark.parametrize("name", ["ema", "gauss_newton"])
def test_an_old_run(name):
    run = pinn_ext.load(OLD / name)
    saved = checkpoints.load(OLD / name / "checkpoint.pt")["model_state_dict"]
    assert all(torch.equal(run.network.state_dict()[key], value) for key, value in saved.items())
    assert np.isfinite(run.fields(run.grid(5), 0.5)).all()


def test_nothing_changes_elsewhere(trained):
    files = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder_of(trained)}
    torch.set_default_dtype(torch.float64)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    run = pinn_ext.load(trained.folder)
    run.derivatives(run.grid(5), 0.5)
    assert run.fields(run.grid(5), 0.5).dtype == np.float32
    assert torch.get_default_dtype() == torch.float64
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[2]
    assert np.random.get_state()[1].tolist() == states[1]
    assert files == {f: (f.stat().st_mtime_ns, f.read_bytes()) for f in folder_of(trained)}


def folder_of(trained):
    return sorted(trained.folder.iterdir())


def test_deepxde_is_not_loaded(run_script, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys, pinn_ext\nrun = pinn_ext.load({str(OLD / 'ema')!r})\n"
        "run.derivatives(run.grid(5), 0.0)\nassert 'deepxde' not in sys.modules\n"
    )
    done = run_script(script, folder=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "problem",
    [
        ("problem=coupled_burgers",),
        ("problem=brusselator",),
        ("problem=brusselator", "problem.conditions=soft", "problem.geometry=annulus"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_derivatives_are_those_of_reverse_passes(tmp_path, problem, mode):
    network = untrained(tmp_path / "run", *problem, "dtype=float64")
    x, t = points(network.system, 20)
    inputs = torch.cat([x, t[:, None]], dim=1).requires_grad_()
    wanted = [[], []]
    for field in network(inputs).unbind(dim=1):
        (first,) = torch.autograd.grad(field.sum(), inputs, create_graph=True)
        second = [
            torch.autograd.grad(first[:, k].sum(), inputs, retain_graph=True)[0][:, k]
            for k in range(network.system.dimension)
        ]
        wanted[0].append(first.detach())
        wanted[1].append(sum(second))
    first, laplacian = (torch.stack(part, dim=-1) for part in wanted)
    with mode():
        found = pinn_ext.load(tmp_path / "run").derivatives(x, t)
    assert torch.allclose(found.time, first[:, -1], rtol=1e-10, atol=1e-10)
    assert torch.allclose(found.gradient, first[:, :-1], rtol=1e-10, atol=1e-10)
    assert torch.allclose(found.laplacian, laplacian, rtol=1e-9, atol=1e-9)
    arrays = pinn_ext.load(tmp_path / "run").derivatives(x.numpy(), t.numpy())
    assert np.array_equal(arrays.gradient, found.gradient.numpy())


def test_many_points_go_through_in_pieces(tmp_path, monkeypatch):
    untrained(tmp_path / "run", "dtype=float64")
    run = pinn_ext.load(tmp_path / "run")
    x, t = points(run.system)
    whole = run.fields(x, t), *run.derivatives(x, t)
    monkeypatch.setattr(trained_run, "PIECE", 7)
    for one, other in zip(whole, (run.fields(x, t), *run.derivatives(x, t)), strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def test_tensors_are_differentiable(tmp_path):
    untrained(tmp_path / "run")
    run = pinn_ext.load(tmp_path / "run", dtype=torch.float64)
    x, t = points(run.system)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(run.fields(x, t)[:, 0].sum(), x)
    found = run.derivatives(x, t)
    assert torch.allclose(slope, found.gradient[:, :, 0]) and not found.time.requires_grad
    with torch.no_grad():
        assert not run.fields(x, t).requires_grad


def test_a_grid(tmp_path):
    untrained(tmp_path / "run", "problem.geometry=disk", "problem.conditions=soft")
    run = pinn_ext.load(tmp_path / "run")
    x = run.grid(3)
    assert x.reshape(3, 3, 2)[2, 0].tolist() == [2.0, 0.0] and len(run.grid()) == 101**2
    assert run.contains(x).tolist() == [n % 2 == 1 or n == 4 for n in range(9)]
    with pytest.raises(ArgumentError, match="`grid` must be a whole number >= 2"):
        run.grid(1)


@pytest.mark.parametrize(
    ("x", "t", "sentence"),
    [
        (np.zeros((3, 1)), 0.0, r"`x` must have shape \[N, 2\], got \[3, 1\]."),
        (np.zeros(3), 0.0, r"`x` must have shape \[N, 2\], got \[3\]."),
        (np.zeros((3, 2)), np.zeros(2), r"`t` must be a number or have shape \[3\], got \[2\]."),
        (np.full((3, 2), np.nan), 0.0, "`x` must be finite, got 6 that are not."),
        ([["a", "b"]], 0.0, "`x` must hold numbers, got"),
        (np.zeros((3, 2)), None, "`t` must"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit(tmp_path, x, t, sentence):
    untrained(tmp_path / "run")
    run = pinn_ext.load(tmp_path / "run")
    for method in (run.fields, run.derivatives):
        with pytest.raises(ArgumentError, match=sentence):
            method(x, t)


def test_what_is_no_run(tmp_path, trained):
    (tmp_path / "sweep" / "0").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no checkpoint")
    untrained(tmp_path / "sweep" / "0")
    cases = {
        "nowhere": "There is no run at .*nowhere.",
        "empty": "The folder .*empty holds no checkpoint.pt, it is no run.",
        "sweep": "holds no checkpoint.pt, it is no run; it holds runs, such as .*sweep/0.",
        "text": "text is damaged or no checkpoint of pinn_ext.",
    }
    for name, sentence in cases.items():
        with pytest.raises(RunError, match=sentence):
            pinn_ext.load(tmp_path / name)
    with pytest.raises(RunError, match=r"The best network must lie in .*best.pt, got nothing"):
        pinn_ext.load(tmp_path / "sweep" / "0", best=True)
    for options in ({"dtype": "float16"}, {"device": "cuda:99"}, {"problem_file": "a.py"}):
        with pytest.raises(ArgumentError, match=next(iter(options))):
            pinn_ext.load(trained.folder, **options)


def test_a_checkpoint_that_does_not_fit(tmp_path):
    folder = tmp_path / "run"
    untrained(folder)
    whole = checkpoints.load(folder / "checkpoint.pt")
    state, config = whole["model_state_dict"], whole["config"]
    (folder / "versions.json").write_text('{"pinn-ext": "9.0"}')
    other = {**config, "problem": {**config["problem"], "name": "burgers_9d"}}
    cases = [
        (
            {"config": {**config, "new_key": 1}},
            "does not fit this version .*new_key.*pinn_ext '9.0",
        ),
        ({"config": other}, "cannot be built again: `problem.name` must be one of"),
        ({"config": 3}, "is damaged .*`config` must be a mapping"),
        (
            {"model_state_dict": {**state, "centre": state["centre"][:1]}},
            "another network .*`centre` is \\[1\\] there",
        ),
        ({"model_state_dict": {}}, "another network .*it lacks `"),
    ]
    for change, sentence in cases:
        checkpoints.save(folder / "checkpoint.pt", {**whole, **change})
        with pytest.raises(RunError, match=sentence) as caught:
            pinn_ext.load(folder)
        assert "\n" not in str(caught.value)
    checkpoints.save(folder / "checkpoint.pt", {"config": config})
    with pytest.raises(RunError, match="incomplete, it lacks model_state_dict"):
        pinn_ext.load(folder)


def test_the_file_of_a_problem_has_to_be_named(tmp_path):
    """It is code: what a checkpoint names is never run, what has changed is refused."""
    folder, file, moved = tmp_path / "run", tmp_path / "mine.py", tmp_path / "moved.py"
    file.write_text(PLAIN)
    network = untrained(folder, "problem=from_file", f"problem.file={file}", "dtype=float64")
    whole = checkpoints.load(folder / "checkpoint.pt")
    checkpoints.save(
        folder / "checkpoint.pt", {**whole, "problem_file": description(network.system)}
    )
    checkpoints.save(folder / "best.pt", whole)
    file.rename(moved)
    file.write_text("raise SystemExit('this was run')\n")
    with pytest.raises(RunError, match=r"only run when you name it: add --problem-file .*mine.py"):
        pinn_ext.load(folder)
    with pytest.raises(ArgumentError, match="`problem_file` must name a file, got nothing at"):
        pinn_ext.load(folder, problem_file=tmp_path / "absent.py")
    for best in (False, True):
        run = pinn_ext.load(folder, best=best, problem_file=moved)
        x, t = points(run.system)
        assert torch.equal(run.fields(x, t), output(network, x, t))
    moved.write_text(PLAIN + "# changed\n")
    for best in (False, True):
        with pytest.raises(RunError, match=r"moved.py has changed since the run .*# changed"):
            pinn_ext.load(folder, best=best, problem_file=moved)
