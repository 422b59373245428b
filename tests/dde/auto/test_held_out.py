"""Points that a training never sees: drawn apart, and measured without a trace."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext.dde.auto.held_out import HeldOutPoints
from pinn_ext.dde.model import state as model_state


def test_losses_are_those_of_the_equation_on_other_points(problem):
    model = problem.heat(loss_weights=[2.0, 3.0, 4.0])
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()
    unseen = HeldOutPoints(model, 4000, seed=0)
    losses = unseen.losses(model)
    assert np.random.get_state()[1].tolist() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    # Of the initial data: the mean over x of (sin(pi x) - N(x, 0))^2, by a fine rule.
    x = np.linspace(0, 1, 2001, dtype=np.float32)[:, None]
    answer = model.predict(np.hstack((x, 0 * x)))
    assert losses[2] == pytest.approx(((np.sin(np.pi * x) - answer) ** 2).mean(), rel=0.05)
    assert unseen.losses(model) == losses
    assert HeldOutPoints(model, 4000, seed=0).losses(model) == losses
    assert HeldOutPoints(model, 4000, seed=1).losses(model) != losses


def test_measuring_leaves_no_trace(problem):
    frozen = problem.net(2, regularizer=("l1", 1e-3))
    model = dde.Model(problem.heat_data(), frozen)
    model.compile("adam", lr=1e-2, verbose=0, loss_weights=[1.0, 2.0, 3.0])
    next(frozen.parameters()).requires_grad_(False)
    data, weights = model.data, model.loss_weights
    known = [len(bc.func.__closure__[0].cell_contents) for bc in data.bcs]
    assert len(HeldOutPoints(model, 50, 0).losses(model)) == 3  # without that of the L1 term
    assert model.data is data and model.loss_weights is weights
    assert not next(frozen.parameters()).requires_grad
    assert [len(bc.func.__closure__[0].cell_contents) for bc in data.bcs] == known


def test_conditions_that_random_points_miss_are_measured_where_they_are(problem):
    line = dde.geometry.Interval(0, 1)
    middle = dde.icbc.DirichletBC(line, lambda x: x, lambda x, on: np.isclose(x[0], 0.5))
    points = dde.icbc.PointSetBC(np.array([[0.25]], dtype=np.float32), 1.0)
    anchors = np.array([[0.5]], dtype=np.float32)
    data = dde.data.PDE(
        line, lambda x, y: dde.grad.jacobian(y, x), [middle, points], 12, anchors=anchors
    )
    model = dde.Model(data, problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    losses = HeldOutPoints(model, 50, 0).losses(model)
    answers = model.predict(np.array([[0.5], [0.25]], dtype=np.float32))[:, 0]
    assert losses[1:] == pytest.approx([(answers[0] - 0.5) ** 2, (answers[1] - 1) ** 2], rel=1e-5)


def test_observations_in_batches_are_drawn_apart(problem):
    data, seen = problem.observed_data(), []
    observed = data.bcs[1]
    model = dde.Model(data, problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    for held_out in (False, True):
        dde.config.set_random_seed(3)
        state = model_state.take(model)
        if held_out:
            assert len(HeldOutPoints(model, 50, 0).losses(model)) == 3
        batches = [observed.batch_indices.copy()]
        for _ in range(6):  # more than an epoch of the sampler, which shuffles in place
            data.resample_train_points()
            batches.append(observed.batch_indices.copy())
        seen.append(np.array(batches))
        for _ in range(2):
            model_state.put_back(model, state)
            assert np.array_equal(observed.batch_indices, batches[0])
            data.resample_train_points()
            assert np.array_equal(observed.batch_indices, batches[1])
        model_state.put_back(model, state)
    assert np.array_equal(*seen)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_a_state_that_is_put_back_is_the_same_training_again(problem, optimizer):
    rate = dde.Variable(2.0)

    def equation(x, y):
        return -dde.grad.hessian(y, x) - rate * torch.sin(x)

    model = problem.poisson(
        optimizer, pde=equation, external_trainable_variables=[rate], decay=("step", 3, 0.5)
    )
    problem.train(model, iterations=5)
    state = model_state.take(model)
    ends = []
    for _ in range(2):
        model_state.put_back(model, state)
        problem.train(model, iterations=7)
        model.data.resample_train_points()
        ends.append((problem.vector(model), model.data.train_x, model.lr_scheduler.last_epoch))
    assert torch.equal(ends[0][0], ends[1][0]) and np.array_equal(ends[0][1], ends[1][1])
    assert ends[0][2] == ends[1][2] == 12
    assert model_state.without_points(state)["data"] is None


def test_other_data_is_refused(problem):
    def integral(x, y, integrals):
        return dde.grad.jacobian(y, x) + y

    line = dde.geometry.TimeDomain(0, 1)
    data = dde.data.IDE(line, integral, [], 3, kernel=lambda x, s: x, num_domain=4)
    with pytest.raises(ValueError, match=r"auto can judge models on .*, got IDE: choose another"):
        HeldOutPoints(dde.Model(data, problem.net()), 10, 0)
