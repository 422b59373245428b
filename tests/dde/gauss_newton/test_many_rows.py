"""Trainings whose Jacobian comes in blocks: the same answers, states, words, refusals, memory."""

import json
import subprocess
import sys
from pathlib import Path

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.dde.model import block_rows
from tests.dde.gauss_newton.small_models import decay_model, equation, error, poisson, total, train
from tests.dde.gauss_newton.test_resume import stored, training

BLOCKWISE = ["accumulated", "sketched"]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(block_rows, "_POINTS", 128)


def trained(iterations, points=150, **options):
    dde.config.set_random_seed(0)
    model = poisson(points=points)
    train(model, iterations, **options)
    return model


def test_the_exact_sum_takes_the_steps_of_the_whole_jacobian():
    one, other = (trained(6, geodesic=False, solver=solver) for solver in ("primal", "accumulated"))
    assert total(other) == pytest.approx(total(one), rel=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"solver": "accumulated"}, {"sketch": 76}, {"sketch": 40, "damping": "target"}],
    ids=str,
)
def test_the_answer_is_that_of_the_whole_jacobian(options):
    model = trained(80, tolerance=0, **options)
    assert error(model) < 1e-4  # the whole Jacobian ends at 1e-5


def test_a_sketch_is_taken_where_there_are_many_rows(capsys):
    trained(3, points=2000, sketch="auto", verbose=1)
    assert "2004 rows for 19 parameters are not held, but made in blocks, from 17 pieces of the " \
        "points: steps come from a sketch of 76 rows." in capsys.readouterr().out  # fmt: skip
    trained(3, points=100, sketch="auto", verbose=1)
    assert "sketch" not in capsys.readouterr().out


def test_the_jacobian_is_not_held_where_it_does_not_fit(capsys, monkeypatch):
    monkeypatch.setattr("solvers.gauss_newton.problem._BLOCK", 64 * 19)
    monkeypatch.setattr(block_rows, "_POINTS", 2048)
    model = trained(6, points=4000, memory_limit_gb=5e-4, verbose=1)
    assert "steps come from the sum of J^T J." in capsys.readouterr().out
    assert total(model) < 0.1 * sum(model.losshistory.loss_train[0])


def test_many_points_are_looked_at_and_tested_in_pieces(monkeypatch):
    monkeypatch.setattr(block_rows, "_MANY", 100)
    sizes = []

    def pde(x, y):
        sizes.append(len(x))
        return equation(x, y)

    dde.config.set_random_seed(0)
    model = poisson(pde, points=400)
    sizes.clear()
    train(model, 8, solver="accumulated", display_every=3)
    assert max(sizes) == 130  # two of them at the walls
    dde.config.set_random_seed(0)
    monkeypatch.setattr(block_rows, "_MANY", 10**6)
    other = poisson(points=400)
    train(other, 8, solver="accumulated", display_every=3)
    assert model.losshistory.steps == other.losshistory.steps
    for name in ("loss_train", "loss_test"):
        ours, theirs = (np.array(getattr(each.losshistory, name)) for each in (model, other))
        assert np.allclose(ours, theirs, rtol=1e-6)
    assert np.allclose(model.train_state.y_pred_train, other.train_state.y_pred_train, rtol=1e-6)


def test_an_unknown_within_bounds():
    for options in ({"solver": "accumulated"}, {"sketch": 60}):
        model, k = decay_model(points=100)
        train(model, 25, tolerance=0, bounds=[(k, 0.0, 1.5)], **options)
        assert k.item() == 1.5
        train(model, 40, tolerance=0, bounds=[(k, 0.0, None)], **options)
        assert k.item() == pytest.approx(1.7, abs=1e-4)


@pytest.mark.parametrize("weights", ["balance", "adapt"])
@pytest.mark.parametrize("solver", BLOCKWISE)
def test_weights_move(weights, solver):
    model = poisson(points=150)
    adaptive = pinn_ext.AdaptiveWeights("ema", period=3, verbose=0)
    callbacks = [adaptive] if weights == "adapt" else []
    train(model, 20, *callbacks, weights=weights, solver=solver)
    assert error(model) < 2e-2
    assert not np.allclose(np.array(model.loss_weights, dtype=float), 1.0)


@pytest.mark.parametrize("solver", BLOCKWISE)
def test_a_run_goes_on_bit_for_bit(problem, solver):
    def fresh():
        dde.config.set_random_seed(0)
        return poisson(points=120)

    options = {"solver": solver, "resample_every": 4}
    model = fresh()
    training(model, **options).run(9)
    wanted = problem.vector(model)
    model = fresh()
    first = training(model, **options)
    first.run(5)
    saved = stored(first.state_dict())
    network = {name: value.clone() for name, value in model.net.state_dict().items()}
    points, random = (model.data.train_x, model.data.train_x_all), np.random.get_state()
    bc = model.data.train_x_bc
    first.run(9)
    assert torch.equal(problem.vector(model), wanted)
    model = fresh()
    model.net.load_state_dict(network)
    model.data.train_x, model.data.train_x_all = points
    model.data.train_x_bc = bc
    second = training(model, **options)
    second.load_state_dict(saved)
    np.random.set_state(random)
    second.run(9)
    assert torch.equal(problem.vector(model), wanted) and second.done == 9


def test_the_same_seed_gives_the_same_bits(problem):
    vectors = [problem.vector(trained(10, sketch=76)) for _ in range(2)]
    assert torch.equal(*vectors)


class Wavy(torch.nn.Module):
    """A network with parameters outside of linear layers."""

    def __init__(self):
        super().__init__()
        self.kernel = torch.nn.Parameter(torch.randn(1, 40))
        self.last = torch.nn.Linear(40, 1)
        self.regularizer = None

    def forward(self, x):
        return self.last(torch.tanh(x @ self.kernel))


def test_a_network_without_fast_rows_is_said_to_be_slow(capsys):
    net = dde.nn.FNN([1, 40, 1], "tanh", "Glorot normal")
    wavy = Wavy()
    net.forward = wavy.forward
    net.linears = torch.nn.ModuleList([wavy])
    model = poisson(net=net, points=200)
    train(model, 5, solver="accumulated", verbose=1)
    said = capsys.readouterr().out
    assert said.count("each row takes a backward pass of its own, as the network is not made") == 1
    assert total(model) < 0.5 * sum(model.losshistory.loss_train[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sketch": 18}, "at least as many as the 19 parameters, got 18"),
        ({"sketch": 80.0}, "whole number of rows, .*, got 80.0"),
        ({"sketch": True}, "whole number of rows, .*, got True"),
        ({"sketch": "all"}, "`sketch` must be None, 'auto' or a whole number of rows.*got 'all'"),
        ({"sketch": 80, "solver": "matrix_free"}, "None for solver='matrix_free'.*got 80"),
        ({"sketch": "auto", "solver": "dual"}, "None for solver='dual'.*got 'auto'"),
    ],
)
def test_what_is_no_sketch_is_refused_before_anything_is_changed(options, words):
    model = poisson()
    with pytest.raises(ValueError, match=words):
        train(model, 3, **options)
    assert model.losshistory.steps == []


def test_nan_in_a_trial_is_a_step_that_is_not_taken():
    def pde(x, y):
        return equation(x, y) + 0.0 * torch.log(3.0 - y.abs().max(dim=1, keepdim=True).values)

    model = poisson(pde, points=120)
    train(model, 10, sketch=76)
    assert total(model) < sum(model.losshistory.loss_train[0])


SCRIPT = """
import os, sys, json
os.environ.setdefault("DDE_BACKEND", "pytorch")
import deepxde as dde, numpy as np, torch
torch.set_num_threads(1)
from pathlib import Path
import pinn_ext

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(l.split()[1]) for l in lines if l.startswith("VmHWM:"))

points, solver = int(sys.argv[1]), sys.argv[2]
dde.config.set_default_float("float64")
dde.config.set_random_seed(0)
line = dde.geometry.Interval(0, 1)
data = dde.data.PDE(line, lambda x, y: dde.grad.hessian(y, x) + y, [
    dde.icbc.DirichletBC(line, lambda x: 0 * x, lambda _, on: on)], 100, 2)
data.replace_with_anchors(np.linspace(0, 1, points)[:, None])
model = dde.Model(data, dde.nn.FNN([1, 24, 24, 1], "tanh", "Glorot normal"))
model.compile("adam", lr=1e-3, verbose=0)
Path("/proc/self/clear_refs").write_text("5")
start = peak()
pinn_ext.train_gauss_newton(model, 3, solver=solver, verbose=0)
size = sum(p.numel() for p in model.net.parameters())
print(json.dumps([start, peak(), (points + 2) * size * 8]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read from /proc")
@pytest.mark.parametrize("solver", BLOCKWISE)
def test_memory_of_a_training_does_not_grow_with_rows_times_parameters(solver):
    peaks, jacobians = [], []
    for points in (20_000, 100_000):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(points), solver],
            capture_output=True, text=True, check=True, timeout=600,
            cwd=Path(__file__).resolve().parents[3],
        )  # fmt: skip
        start, peak, jacobian = json.loads(done.stdout.splitlines()[-1])
        peaks.append(peak - start)
        jacobians.append(jacobian)
    grown = jacobians[1] - jacobians[0]
    assert grown > 400e6  # what the whole Jacobian would take more
    assert peaks[1] - peaks[0] < 0.1 * grown
