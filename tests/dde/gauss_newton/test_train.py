"""Gauss-Newton in place of `model.train`: what DeepXDE's users expect."""

import re

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from tests.dde.gauss_newton.small_models import (
    LINE,
    decay_model,
    error,
    poisson,
    train,
)


def test_it_prints_deepxdes_table_and_why_it_ended(capsys):
    model = poisson()
    history, state = pinn_ext.train_gauss_newton(model, 12, display_every=5)
    assert history is model.losshistory and state is model.train_state
    printed = capsys.readouterr().out
    table = re.findall(r"^(\d+) +\[\d\.\d+e", printed, re.MULTILINE)
    assert table == ["0", "5", "10", "12"] == [str(step) for step in history.steps]
    assert "Best model at step 12:" in printed
    assert printed.endswith("Gauss-Newton ended after 12 iterations: all 12 iterations are made.\n")
    train(model, 2)
    assert capsys.readouterr().out == ""


def test_metrics_and_plots(tmp_path):
    x = np.linspace(0, 1, 50)[:, None]
    data = dde.data.DataSet(x, x**2, x, x**2)
    model = poisson(data=data, metrics=["l2 relative error"])
    history, state = train(model, 12, display_every=4)
    assert history.metrics_test[-1][0] < 1e-2 < history.metrics_test[0][0]
    dde.saveplot(history, state, issave=True, isplot=False, output_dir=str(tmp_path))
    assert np.loadtxt(tmp_path / "loss.dat").shape == (4, 4)  # step, train, test, metric


def test_checkpoints_and_model_save_path(tmp_path):
    model = poisson()
    keep = dde.callbacks.ModelCheckpoint(str(tmp_path / "best"), save_better_only=True, period=4)
    train(model, 12, keep, display_every=4, model_save_path=str(tmp_path / "end"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["best-12.pt", "best-4.pt", "best-8.pt", "end-12.pt"]
    last = error(model)
    model.restore(str(tmp_path / "best-4.pt"))
    assert error(model) > last
    model.restore(str(tmp_path / "end-12.pt"))
    assert error(model) == last


def test_unknown_coefficients_are_found_and_watched(tmp_path):
    model, k = decay_model()
    table = dde.callbacks.VariableValue(k, 1, str(tmp_path / "k.dat"), precision=12)
    train(model, 40, table)
    lines = (tmp_path / "k.dat").read_text().splitlines()
    values = [float(line.split("[")[1].strip("]")) for line in lines]
    assert values[0] == 0.5 and len(values) == model.train_state.step + 1
    assert values[-1] == pytest.approx(k.item(), rel=1e-11) and k.item() == pytest.approx(
        1.7, abs=1e-6
    )


def test_small_errors_on_poisson_and_heat():
    model = poisson()
    train(model, 100)
    assert error(model) < 1e-5

    box = dde.geometry.GeometryXTime(LINE, dde.geometry.TimeDomain(0, 1))

    def heat(x, y):
        return dde.grad.jacobian(y, x, 0, 1) - 0.1 * dde.grad.hessian(y, x, i=0, j=0)

    walls = dde.icbc.DirichletBC(box, lambda x: 0 * x[:, :1], lambda _, on: on)
    start = dde.icbc.IC(box, lambda x: np.sin(np.pi * x[:, :1]), lambda _, on: on)
    data = dde.data.TimePDE(box, heat, [walls, start], 150, 40, 40)
    model = poisson(data=data, net=dde.nn.FNN([2, 10, 10, 1], "tanh", "Glorot normal"))
    train(model, 60)

    def exact(x):
        return np.exp(-0.1 * np.pi**2 * x[:, 1:]) * np.sin(np.pi * x[:, :1])

    assert error(model, exact, 2) < 1e-4


def test_it_ends_where_nothing_is_to_be_gained(capsys):
    model = poisson(points=100, net=dde.nn.FNN([1, 2, 1], "tanh", "Glorot normal"))
    train(model, 500, verbose=1)
    assert model.train_state.step < 500
    assert re.search(
        r"ended after \d+ iterations: the loss fell by less than 0.0001 of itself in each of 5 "
        r"iterations\.$",
        capsys.readouterr().out.rstrip(),
    )
    train(model, 500, tolerance=0.0, verbose=1)
    assert "no step lowers the loss any more" in capsys.readouterr().out


def test_the_best_parameters_come_back(problem):
    model, adaptive = poisson(), pinn_ext.AdaptiveWeights("ema", period=3, verbose=0)
    train(model, 6, adaptive)
    vector = problem.vector(model)
    problem.train(model, iterations=1)  # moves away from the best
    assert not torch.equal(problem.vector(model), vector)
    adaptive.restore_best()
    assert torch.equal(problem.vector(model), vector)
