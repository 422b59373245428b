"""Loss weights during Gauss-Newton: kept, moved, balanced, left out."""

import itertools
from dataclasses import replace

import deepxde as dde
import numpy as np
import pytest

import pinn_ext
from solvers.gauss_newton import Stepper
from tests.dde.gauss_newton.small_models import error, poisson, total, train, watch


def test_adaptive_weights_stay_as_they_are(problem, capsys):
    model = poisson()
    adaptive = pinn_ext.AdaptiveWeights("ema", period=2)
    problem.train(model, adaptive, iterations=6)
    weights = adaptive.manager.get_weights()
    assert len(set(weights.values())) == 2
    capsys.readouterr()
    train(model, 8, adaptive)
    train(model, 2, adaptive)
    assert adaptive.manager.get_weights() == weights
    assert model.loss_weights.tolist() == list(weights.values())
    printed = capsys.readouterr().out
    assert printed.count("weights are frozen for Gauss-Newton") == 1
    assert "losses_train" not in vars(model.data)
    best = adaptive.restore_best()
    assert best == adaptive.best.step == 16


def test_weights_that_compile_dropped_are_taken_up(problem):
    model, adaptive = poisson(), pinn_ext.AdaptiveWeights("ema", period=2, verbose=0)
    problem.train(model, adaptive, iterations=6)
    weights = list(adaptive.manager.get_weights().values())
    model.compile("adam", lr=1e-3, verbose=0)
    assert model.loss_weights is None
    totals = []
    look = watch(
        problem, lambda _: totals.append((sum(model.train_state.loss_train), total(model)))
    )
    train(model, 4, adaptive, look)
    assert model.loss_weights.tolist() == weights
    assert np.allclose(*zip(*totals, strict=True), rtol=1e-12)


def test_weights_move_if_they_shall(problem):
    model, adaptive = poisson(), pinn_ext.AdaptiveWeights("ema", period=3, verbose=0)
    seen = []
    train(
        model,
        12,
        adaptive,
        watch(problem, lambda _: seen.append(adaptive._state.weights.values())),
        weights="adapt",
    )
    moved = [i for i, (a, b) in enumerate(itertools.pairwise(seen), 2) if a != b]
    assert moved == [3, 6, 9, 12]
    assert len(adaptive.history) == 4 and error(model) < 3e-2


def test_balanced_weights_repair_bad_ones(capsys):
    bad = [1.0, 1e-9]

    def trained(weights):
        dde.config.set_random_seed(0)
        net = dde.nn.FNN([1, 10, 1], "tanh", "Glorot normal")
        model = poisson(net=net, points=80, loss_weights=bad)
        train(model, 40, weights=weights, verbose=1)
        return model

    kept, balanced = trained("keep"), trained("balance")
    assert error(kept) > 1 and error(balanced) < 1e-4  # 2 to 30, 4e-6 to 4e-5 over six seeds
    printed = capsys.readouterr().out
    text = "balanced loss weights, from now on fixed: pde_1="
    assert printed.count(text) == 1
    assert sum(balanced.loss_weights.tolist()) == pytest.approx(sum(bad), rel=1e-6)


def test_balanced_weights_stay_where_the_step_after_them_fails(monkeypatch, capsys):
    own, numbers = Stepper.step, itertools.count(1)

    def step(stepper):
        made = own(stepper)
        return replace(made, accepted=next(numbers) <= 15)

    monkeypatch.setattr(Stepper, "step", step)
    train(poisson(), 40, weights="balance", verbose=1)
    printed = capsys.readouterr().out
    assert printed.count("balanced loss weights") == 1
    assert "ended after 15 iterations: no step lowers the loss any more" in printed


def test_a_term_of_weight_zero_is_left_out():
    model = poisson(loss_weights=[0.0, 1.0])
    train(model, 30, weights="balance")
    assert model.loss_weights[0] == 0.0
    first, last = model.losshistory.loss_train[0], model.losshistory.loss_train[-1]
    assert first[0] == last[0] == 0.0 and last[1] < 1e-12 * first[1]
