"""Numbers that break within L-BFGS's line search, after the first evaluation of a block."""

import itertools

import deepxde as dde
import pytest
import torch

from pinn_ext import AdaptiveWeights
from tests.pairs import pairwise


class Cliff:
    """The residual `y' + y`, and what is done to it from a given evaluation on."""

    def __init__(self, change):
        self.change, self.calls, self.at = change, 0, None

    def __call__(self, t, y):
        self.calls += 1
        residual = dde.grad.jacobian(y, t) + y
        beyond = self.at is not None and self.calls >= self.at
        return self.change(residual, y) if beyond else residual


def nan_loss(residual, y):
    return residual * float("nan")


def nan_gradient(residual, y):
    return residual + torch.sqrt((y - y.detach()) ** 2)  # 0, whose slope is infinity times 0


def decay(change, **options):
    span = dde.geometry.TimeDomain(0, 2)
    start = dde.icbc.IC(span, lambda t: 1 + 0 * t, lambda _, on: on)
    cliff = Cliff(change)
    data = dde.data.PDE(span, cliff, [start], 10, 1)
    model = dde.Model(data, dde.nn.FNN([1, 5, 1], "tanh", "Glorot normal"))
    dde.optimizers.config.LBFGS_options.update(maxiter=60, iter_per_step=6, fun_per_step=12)
    model.compile("L-BFGS", verbose=0, **options)
    return model, cliff


def stand_of(problem, model):
    return problem.vector(model), problem.state(model)


BROKEN = {
    nan_loss: "loss term pde_1 is not finite at step ",
    nan_gradient: "a gradient is not finite although the losses are at step ",
}


@pytest.mark.parametrize(
    ("precision", "second", "change", "place"),
    pairwise(
        itertools.product(
            ["float32", "float64"], ["freeze", "blocks"], BROKEN, [(1, 3), (3, 2), (3, 5)]
        )
    ),
)
def test_the_block_is_undone(problem, precision, second, change, place):
    block, evaluation = place
    dde.config.set_default_float(precision)
    model, cliff = decay(change)
    before = []

    def look(number):
        before.append((stand_of(problem, model), model.train_state.step))
        if number == block:
            cliff.at = cliff.calls + evaluation

    adaptive = AdaptiveWeights("ema", period=1, second_phase=second, verbose=0)
    with pytest.warns(RuntimeWarning, match="training stopped, parameters are those before"):
        problem.train(model, problem.At("on_batch_begin", look), adaptive)
    (vector, state), step = before[-1]
    assert adaptive.stopped == f"{BROKEN[change]}{step + 1}" and len(before) == block
    assert torch.equal(problem.vector(model), vector)
    if second == "blocks":  # goes back to the weights before, and to their curvature
        return
    now = problem.state(model)
    assert len(now) == len(state) and all(map(torch.equal, now, state))


def test_a_trial_that_went_too_far_is_left_to_the_search(problem):
    """One infinite evaluation is a step that the search shortens, no end of the training."""
    model, cliff = decay(nan_loss)

    def once(residual, y):
        return residual + float("inf") if cliff.calls == cliff.at else residual

    cliff.change = once

    def look(number):
        if number == 2:
            cliff.at = cliff.calls + 3

    adaptive = AdaptiveWeights("fixed", verbose=0)
    problem.train(model, problem.At("on_batch_begin", look), adaptive)
    assert cliff.at is not None and cliff.calls > cliff.at
    assert adaptive.stopped is None and problem.vector(model).isfinite().all()


def test_a_term_of_weight_0_that_overflows_makes_the_sum_nan(problem):
    """Zero times infinity: the term is named, though its weight is 0."""
    model, cliff = decay(lambda residual, y: residual + float("inf"), loss_weights=[0.0, 1.0])

    def look(number):
        if number == 1:
            cliff.at = cliff.calls + 2

    adaptive = AdaptiveWeights("fixed", verbose=0)
    with pytest.warns(RuntimeWarning, match="loss term pde_1 is not finite"):
        problem.train(model, problem.At("on_batch_begin", look), adaptive)
    assert problem.vector(model).isfinite().all()
