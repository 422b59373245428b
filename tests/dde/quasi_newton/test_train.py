"""Quasi-Newton in place of L-BFGS: what DeepXDE's users expect."""

import copy
import itertools
import re

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from solvers.quasi_newton import METHODS
from tests.dde.gauss_newton.small_models import (
    LINE,
    decay_model,
    equation,
    error,
    poisson,
    total,
)
from tests.dde.quasi_newton.trainings import train


def test_it_prints_deepxdes_table_and_why_it_ended(capsys):
    model = poisson()
    history, state = pinn_ext.train_quasi_newton(model, 12, display_every=5)
    assert history is model.losshistory and state is model.train_state
    printed = capsys.readouterr().out
    table = re.findall(r"^(\d+) +\[\d\.\d+e", printed, re.MULTILINE)
    assert table == ["0", "5", "10", "12"] == [str(step) for step in history.steps]
    assert "Training model by Quasi-Newton..." in printed
    assert "Quasi-Newton (ssbroyden): 19 parameters, their inverse Hessian takes" in printed
    assert printed.endswith("Quasi-Newton ended after 12 iterations: all 12 iterations are made.\n")
    train(model, 2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("method", METHODS)
def test_small_errors_on_poisson(method):
    model = poisson()
    train(model, 120, method=method)
    assert error(model) < 2e-2


def test_checkpoints_metrics_and_model_save_path(tmp_path):
    x = np.linspace(0, 1, 50)[:, None]
    data = dde.data.DataSet(x, x**2, x, x**2)
    model = poisson(data=data, metrics=["l2 relative error"])
    keep = dde.callbacks.ModelCheckpoint(str(tmp_path / "best"), save_better_only=True, period=8)
    history, _ = train(model, 24, keep, display_every=8, model_save_path=str(tmp_path / "end"))
    assert history.metrics_test[-1][0] < history.metrics_test[0][0]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["best-16.pt", "best-24.pt", "best-8.pt", "end-24.pt"]


def test_unknown_coefficients_are_found_and_watched(tmp_path):
    model, k = decay_model()
    table = dde.callbacks.VariableValue(k, 1, str(tmp_path / "k.dat"), precision=12)
    train(model, 120, table)
    lines = (tmp_path / "k.dat").read_text().splitlines()
    assert len(lines) == model.train_state.step + 1
    assert k.item() == pytest.approx(1.7, abs=1e-2)


# ---- what Gauss-Newton refuses ------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss", ["MAE", "mean l2 relative error", lambda t, v: (v - t).abs().pow(1.5).mean()]
)
def test_other_losses(loss):
    x = np.linspace(0.1, 1, 20)[:, None]
    model = poisson(data=dde.data.DataSet(x, 1 + x**2, x, 1 + x**2), loss=loss)
    train(model, 2)
    before = total(model)
    train(model, 100)
    assert total(model) < 0.2 * before


def test_an_l1_regularisation_is_in_the_loss():
    net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
    net.regularizer = ("l1", 1e-2)
    model = poisson(net=net)
    train(model, 40)
    losses = model.losshistory.loss_train
    assert len(losses[0]) == 3 and sum(losses[-1]) < 0.5 * sum(losses[0])
    size = sum(p.abs().sum().item() for p in net.parameters())
    assert losses[-1][-1] == pytest.approx(1e-2 * size)


def test_an_l2_regularisation_is_that_of_gauss_newton(problem):
    def trained(call, iterations):
        dde.config.set_random_seed(0)
        net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
        net.regularizer = ("l2", 1e-3)
        model = poisson(net=net)
        call(model, iterations)
        return problem.vector(model).norm().item(), total(model)

    size, loss = trained(lambda model, n: train(model, n), 150)
    other, least = trained(
        lambda model, n: pinn_ext.train_gauss_newton(model, n, tolerance=0.0, verbose=0), 30
    )
    free = poisson()
    train(free, 100)
    assert loss + 5e-4 * size**2 <= 1.2 * (least + 5e-4 * other**2)
    assert loss > 100 * total(free)


def test_networks_with_several_inputs():
    net = dde.nn.DeepONetCartesianProd([3, 8], [1, 8], "tanh", "Glorot normal")
    branch, trunk = np.random.rand(4, 3), np.linspace(0, 1, 6)[:, None]
    sets = (branch, trunk), np.random.rand(4, 6), (branch, trunk), np.random.rand(4, 6)
    model = dde.Model(dde.data.TripleCartesianProd(*sets), net)
    model.compile("adam", lr=1e-3, verbose=0)
    history, _ = train(model, 60)
    assert history.loss_train[-1][0] < 0.2 * history.loss_train[0][0]


def test_frozen_parameters_stay():
    model, k = decay_model()
    train(model, 50)
    for parameter in model.net.parameters():
        parameter.requires_grad_(False)
    before = copy.deepcopy(model.net.state_dict())
    with torch.no_grad():
        k.fill_(0.3)
    train(model, 20)
    assert all(torch.equal(value, before[key]) for key, value in model.net.state_dict().items())
    assert abs(k.item() - 0.3) > 0.1


# ---- points, float types, ends ------------------------------------------------------------------


def test_new_points_are_taken_up(capsys):
    model, seen = poisson(points=20), []
    model.train_state.X_train = None
    watcher = dde.callbacks.Callback()
    watcher.on_epoch_end = lambda: seen.append(model.train_state.X_train.copy())
    train(model, 12, watcher, resample_every=5, verbose=1)
    same = [np.array_equal(a, b) for a, b in itertools.pairwise(seen)]
    assert [i for i, equal in enumerate(same, 1) if not equal] == [5, 10]
    assert "are the same at each draw, so new ones are drawn" in capsys.readouterr().out
    train(model, 12, dde.callbacks.PDEPointResampler(period=4))
    assert model.train_state.step == 24


def here(model):
    return torch.cat([p.detach().reshape(-1) for p in model.net.parameters()])


def test_float32_models_compute_in_float64_until_it_ends(capsys):
    dde.config.set_default_float("float32")
    model, state, seen = poisson(), {}, []
    keep = dde.callbacks.Callback()
    keep.on_epoch_end = lambda: seen.append(
        (here(model).dtype, model.predict(np.ones((1, 1))).dtype)
    )
    train(model, 120, keep, state=state, verbose=1)
    assert "the float32 network computes in float64 until" in capsys.readouterr().out
    assert set(seen) == {(torch.float64, np.dtype("float64"))}
    assert dde.config.real(np) is np.float32 and torch.get_default_dtype() == torch.float32
    assert here(model).dtype == torch.float32
    assert torch.equal(here(model), state["stepper"]["x"].float())
    assert model.train_state.X_train.dtype == np.float32
    assert error(model) < 2e-2
    model.train(iterations=2, verbose=0)  # the compiled Adam goes on
    assert not torch.equal(here(model), state["stepper"]["x"].float())


def test_float32_can_be_kept(capsys):
    dde.config.set_default_float("float32")
    model, state = poisson(), {}
    train(model, 100, state=state, precision="own", verbose=1)
    assert "the network computes in float32, parameters and curv" in capsys.readouterr().out
    assert state["stepper"]["x"].dtype == torch.float64
    assert here(model).dtype == torch.float32
    assert torch.equal(here(model), state["stepper"]["x"].float())
    assert model.losshistory.loss_train[-1].dtype == np.float32
    assert error(model) < 5e-2


def test_float32_numbers_of_the_users_own_are_named():
    dde.config.set_default_float("float32")
    turn = torch.eye(1)
    model = poisson(lambda x, y: equation(x, y @ turn))
    with pytest.raises(ValueError, match="`precision` must be 'own' for a model with float32"):
        train(model, 3)
    assert here(model).dtype == torch.float32 and dde.config.real(np) is np.float32
    train(model, 3, precision="own")


def test_rounding_ends_it(capsys):
    x = np.linspace(0, 1, 20)[:, None]
    model = poisson(data=dde.data.DataSet(x, np.sign(x - 0.51), x, np.sign(x - 0.51)))
    for parameter in list(model.net.parameters())[:-1]:  # the last bias alone: a parabola
        parameter.requires_grad_(False)
    train(model, 100, verbose=1)
    printed = capsys.readouterr().out
    assert model.train_state.step < 30
    assert re.search(
        "the value stands at rounding: ten steps|the gradient is small: its la", printed
    )
    model = poisson()
    train(model, 100, gtol=0.1, verbose=1)
    assert "the gradient is small: its largest entry is at most `gtol`." in capsys.readouterr().out


def test_a_trial_that_is_not_finite_is_a_step_not_taken():
    """log u = -x, from u = 5: steps that are too long make u negative."""
    negative = []

    def logarithm(x, y):
        negative.append(bool((y <= 0).any()))
        return torch.log(y) + x

    net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
    net.linears[-1].bias.data.fill_(0.2)
    for linear in net.linears:
        linear.weight.data.mul_(0.1)
    model = poisson(data=dde.data.PDE(LINE, logarithm, [], 60, 2), net=net)
    train(model, 80, pinn_ext.AdaptiveWeights(verbose=0))
    assert any(negative) and not negative[0]
    assert error(model, lambda x: np.exp(-x)) < 5e-2
