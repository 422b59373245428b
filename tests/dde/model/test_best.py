"""The best model by raw losses, and the state that an exact continuation needs."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveWeights
from pinn_ext.dde.model.best import BestModel
from tests.stored import stored


def test_best_is_the_smallest_sum_of_losses_over_their_first_values():
    best, live = BestModel(), [torch.zeros(2)]
    with pytest.raises(ValueError, match="no best model yet"):
        best.restore(live)
    for step, losses in enumerate([[4.0, 100.0], [8.0, 10.0], [1.0, 300.0], [1.0, 30.0]]):
        live[0].fill_(step)
        best.record_if_best(step, losses, live)
    best.record_if_best(9, [float("nan"), 0.0], live)
    assert (best.step, best.score) == (3, pytest.approx(0.55))
    live[0].fill_(-1.0)
    assert best.restore(live) == 3 and live[0].tolist() == [3.0, 3.0]


def test_best_holds_what_stood_before_the_last_step_of_a_period(problem):
    rate = dde.Variable(2.0)

    def pde(x, y):
        return -dde.grad.hessian(y, x) - rate * torch.sin(x)

    model = problem.poisson(pde=pde, external_trainable_variables=[rate])
    seen = {}
    look = problem.At("on_batch_begin", lambda step: seen.update({step - 1: problem.vector(model)}))
    adaptive = AdaptiveWeights(period=5, verbose=0)
    problem.train(model, look, adaptive, iterations=20)
    assert adaptive.best.step in (4, 9, 14, 19)
    assert adaptive.restore_best() == adaptive.best.step
    assert torch.equal(problem.vector(model), seen[adaptive.best.step])


def test_moving_weights_do_not_fool_the_best(problem):
    # Weights grow a thousandfold at step 5: to DeepXDE nothing later is better.
    model = problem.heat(loss_weights=[1e-3, 1e-3, 1e-3])
    adaptive = AdaptiveWeights(period=5, normalization="none", verbose=0)
    problem.train(model, adaptive, iterations=40, display_every=5)
    raw = [sum(row["losses"]) for row in adaptive.history]
    assert raw[-1] < 0.9 * raw[0]
    assert model.train_state.best_step == 5 < 20 < adaptive.best.step


def test_what_lbfgs_has_reached_is_not_lost(problem):
    dde.optimizers.config.LBFGS_options.update(maxiter=200, iter_per_step=100, fun_per_step=125)
    model, adaptive = problem.poisson(), AdaptiveWeights(period=5, verbose=0)
    problem.train(model, adaptive, iterations=5)
    after_adam = adaptive.best.score
    model.compile("L-BFGS", verbose=0)
    problem.train(model, adaptive)
    end = problem.vector(model)
    adaptive.restore_best()
    assert adaptive.best.score < 0.1 * after_adam
    assert torch.allclose(problem.vector(model), end, atol=1e-2)


@pytest.mark.parametrize("strategy", ["equal_init", "ema"])
def test_a_saved_state_continues_bit_for_bit(problem, strategy):
    def make():
        dde.config.set_random_seed(5)
        return problem.heat(), AdaptiveWeights(strategy, period=4, verbose=0)

    model, straight = make()
    problem.train(model, straight, iterations=6)
    problem.train(model, straight, iterations=7)

    other, before = make()
    problem.train(other, before, iterations=6)  # stops within a period
    saved = stored(before.state_dict())
    other.loss_weights = None
    after = AdaptiveWeights(strategy, period=4, verbose=0)
    after.load_state_dict(saved, other)
    problem.train(other, after, iterations=7)
    assert torch.equal(problem.vector(model), problem.vector(other))
    assert straight.state_dict()["manager"] == after.state_dict()["manager"]
    assert (straight.best.step, straight.best.score) == (after.best.step, after.best.score)


def test_a_state_of_another_kind_is_refused(problem):
    adaptive, model = AdaptiveWeights("ema", period=2, verbose=0), problem.heat()
    problem.train(model, adaptive, iterations=2)
    state = adaptive.state_dict()
    with pytest.raises(ValueError, match="must have strategy 'fixed', got 'ema'"):
        AdaptiveWeights("fixed").load_state_dict(state, model)
    with pytest.raises(ValueError, match="must have loss_names"):
        AdaptiveWeights("ema", names=["a", "b", "c"]).load_state_dict(state, model)
    with pytest.raises(ValueError, match="missing"):
        AdaptiveWeights("ema").load_state_dict({"manager": None}, model)
    fresh = AdaptiveWeights("ema", verbose=0)
    fresh.load_state_dict(stored(AdaptiveWeights("ema").state_dict()), model)
    assert fresh.manager is None


def test_restoring_needs_a_training(problem):
    with pytest.raises(ValueError, match="train for at least one period"):
        AdaptiveWeights().restore_best()
    adaptive = AdaptiveWeights(period=50, verbose=0)
    problem.train(problem.heat(), adaptive, iterations=3)
    with pytest.raises(ValueError, match="train for at least one period"):
        adaptive.restore_best()
    assert np.isinf(adaptive.best.score)
