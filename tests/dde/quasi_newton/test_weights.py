"""Loss weights during quasi-Newton: frozen, moved between blocks, changed by others."""

import deepxde as dde
import numpy as np
import pytest

import pinn_ext
from tests.dde.gauss_newton.small_models import error, poisson, total, watch
from tests.dde.quasi_newton.trainings import train


def test_adaptive_weights_stay_as_they_are(problem, capsys):
    model = poisson()
    adaptive = pinn_ext.AdaptiveWeights("ema", period=2)
    problem.train(model, adaptive, iterations=6)
    weights = adaptive.manager.get_weights()
    assert len(set(weights.values())) == 2
    model.compile("adam", lr=1e-3, verbose=0)  # drops the weights
    capsys.readouterr()
    train(model, 8, adaptive)
    train(model, 2, adaptive)
    assert adaptive.manager.get_weights() == weights
    assert model.loss_weights.tolist() == list(weights.values())
    printed = capsys.readouterr().out
    assert printed.count("weights are frozen for Quasi-Newton") == 1
    assert printed.count("weights that compile() dropped are back") == 1
    assert "losses_train" not in vars(model.data)
    assert adaptive.restore_best() == adaptive.best.step > 6


def test_the_callback_does_not_change_what_is_trained(problem):
    def trained(*callbacks):
        dde.config.set_random_seed(0)
        model = poisson(loss_weights=[1.0, 20.0])
        train(model, 30, *callbacks)
        return problem.vector(model).tolist()

    assert trained() == trained(pinn_ext.AdaptiveWeights("ema", period=7, verbose=0))


def test_losses_of_each_iteration_are_noted_without_evaluating_them_again():
    model, calls = poisson(), []
    own = model.outputs_losses_train
    model.outputs_losses_train = lambda *a: calls.append(1) or own(*a)
    train(model, 20)
    plain = len(calls)
    calls.clear()
    dde.config.set_random_seed(0)
    again = poisson()
    own_again = again.outputs_losses_train
    again.outputs_losses_train = lambda *a: calls.append(1) or own_again(*a)
    adaptive = pinn_ext.AdaptiveWeights("ema", period=10, verbose=0)
    train(again, 20, adaptive)
    assert plain < len(calls) + 8 and len(calls) <= plain + 2 + 4  # one a period
    assert len(adaptive.history) == 2
    losses = np.array([row["losses"] for row in adaptive.history])
    assert losses.shape == (2, 2) and np.all(losses[1].sum() < losses[0].sum())


def test_losses_that_are_noted_are_those_where_iterations_start_not_those_of_trials(problem):
    model, ends = poisson(), []
    adaptive = pinn_ext.AdaptiveWeights("ema", period=3, verbose=0)
    train(model, 9, watch(problem, lambda _: ends.append(total(model))), adaptive)
    noted = [sum(row["losses"]) for row in adaptive.history]
    wanted = [np.mean(ends[2:5]), np.mean(ends[5:8])]
    np.testing.assert_allclose(noted[1:], wanted, rtol=1e-9)


@pytest.mark.parametrize("strategy", ["ema", "lr_annealing", "softadapt"])
def test_weights_move_between_blocks(problem, strategy):
    model = poisson()
    adaptive = pinn_ext.AdaptiveWeights(strategy, period=25, second_phase="blocks", verbose=0)
    seen = []
    look = watch(problem, lambda _: seen.append(adaptive.manager.get_weights().copy()))
    train(model, 100, look, adaptive)
    moved = [i + 1 for i in range(1, 100) if seen[i] != seen[i - 1]]
    assert moved and set(moved) <= {25, 50, 75, 100}
    assert len(adaptive.history) == 4 and error(model) < 0.2


def test_points_keep_their_weights(problem):
    model = poisson()
    of_points = pinn_ext.AdaptiveWeights("rba", period=5, verbose=0)
    problem.train(model, of_points, iterations=40)
    seen = []
    train(model, 20, of_points, watch(problem, lambda _: seen.append(of_points._points._tables)))
    first, last = of_points.history[-3]["point_weights"], of_points.history[-1]["point_weights"]
    assert first == last and "pde_1" in first
    assert seen


def test_pilots_do_not_run(problem):
    model = poisson()
    adaptive = pinn_ext.AdaptiveWeights("auto", period=5, second_phase="blocks", verbose=0)
    train(model, 20, adaptive)
    assert model.train_state.step == 20


def test_new_points_with_nan_stop_with_a_reason(capsys):
    import torch

    bad = []

    def pde(x, y):
        residual = -dde.grad.hessian(y, x) - 1.0
        return residual + torch.sqrt(y - y.detach() - 1) if bad else residual

    model = poisson(pde)
    spoil = dde.callbacks.Callback()
    spoil.on_epoch_end = lambda: bad.append(1) if model.train_state.step == 5 else None
    train(model, 20, spoil, resample_every=5, verbose=1)
    assert "value and gradient must be finite to start from" in capsys.readouterr().out
    assert all(p.isfinite().all() for p in model.net.parameters())
