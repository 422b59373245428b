"""The same bits: from the same seed, and from a state that was handed in again."""

import copy

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext.dde.quasi_newton.loop import QuasiNewtonTraining
from solvers.quasi_newton import METHODS
from tests.dde.gauss_newton.small_models import poisson, total
from tests.dde.quasi_newton.trainings import train
from tests.stored import stored


def fresh(float_type="float64"):
    dde.config.set_default_float(float_type)
    dde.config.set_random_seed(7)
    return poisson()


@pytest.mark.parametrize(
    ("float_type", "precision"), [("float64", "own"), ("float32", "own"), ("float32", "float64")]
)
@pytest.mark.parametrize("method", METHODS)
def test_a_state_goes_on_bit_for_bit(problem, method, float_type, precision):
    how = {"method": method, "precision": precision}
    model = fresh(float_type)
    train(model, 30, **how)
    wanted = problem.vector(model)

    model, state = fresh(float_type), {}
    train(model, 11, **how, state=state)
    saved = stored(state)
    train(model, 19, **how, state=state)  # in the same process
    assert torch.equal(problem.vector(model), wanted)

    model = fresh(float_type)  # which has not the parameters of the state
    train(model, 19, **how, state=saved)
    assert torch.equal(problem.vector(model), wanted)
    assert saved["done"] == 30 and model.train_state.step == 19


def test_new_points_go_on_with_the_users_random_numbers(problem):
    model = fresh()
    train(model, 20, resample_every=4)
    wanted = problem.vector(model)
    model, state = fresh(), {}
    train(model, 10, resample_every=4, state=state)
    points = copy.deepcopy(model.data.train_x), model.data.train_x_all, model.data.train_x_bc
    numbers = np.random.get_state()
    model = fresh()
    model.data.train_x, model.data.train_x_all, model.data.train_x_bc = points
    np.random.set_state(numbers)
    train(model, 10, resample_every=4, state=stored(state))
    assert torch.equal(problem.vector(model), wanted)


def test_a_training_goes_on_by_itself_and_takes_up_what_others_did(problem):
    model = fresh()
    training = QuasiNewtonTraining(model, verbose=0)
    training.run(10)
    training.run(20)
    own = problem.vector(model)
    other = fresh()
    train(other, 20)
    assert torch.equal(own, problem.vector(other))
    problem.train(model, iterations=3)
    vector, curvature = problem.vector(model), training.state_dict()["stepper"]["iterations"]
    assert not torch.equal(vector, own) and curvature == 20
    training.run(20)  # nothing is left to do
    assert torch.equal(problem.vector(model), vector)
    before = total(model)
    training.run(25)
    assert total(model) < before


def test_the_curvature_is_worth_keeping(problem):
    kept, state = fresh(), {}
    for _ in range(3):
        train(kept, 30, state=state)
    forgotten = fresh()
    for _ in range(3):
        train(forgotten, 30)
    assert total(kept) < total(forgotten)


@pytest.mark.parametrize(
    ("part", "bad", "message"),
    [
        ("done", -1, r"`state.done` must be a whole number >= 0"),
        ("converged", 0, "`state.converged` must be true or false"),
        ("message", 3, "`state.message` must be text"),
        ("loss_weights", "x", "`state.loss_weights` must be a list"),
        ("stepper", {}, "`state` of the saved state must be a mapping"),
    ],
)
def test_damaged_states_are_refused_by_their_part(problem, part, bad, message):
    model, state = fresh(), {}
    train(model, 3, state=state)
    vector = problem.vector(model)
    with pytest.raises(ValueError, match=message):
        train(model, 3, state={**state, part: bad})
    assert torch.equal(problem.vector(model), vector)


def test_states_of_others_are_refused():
    model, state = fresh(), {}
    train(model, 3, state=state)
    with pytest.raises(ValueError, match="`method` of the saved state must be 'bfgs'"):
        train(model, 3, method="bfgs", state=dict(state))
    wide = poisson(net=dde.nn.FNN([1, 9, 1], "tanh", "Glorot normal"))
    with pytest.raises(ValueError, match=r"`x` of the saved state must be numbers \[28\]"):
        train(wide, 3, state=dict(state))
    with pytest.raises(ValueError, match="`state` must be a dictionary"):
        train(model, 3, state=[])
    assert set(state) == {"stepper", "done", "converged", "message", "loss_weights"}


def test_weights_that_move_after_the_last_step_are_other_units(problem):
    class Moves(dde.callbacks.Callback):
        def on_epoch_end(self):
            if self.model.train_state.step == 10:
                self.model.loss_weights = [100.0, 30.0]

    def trained(*pieces):
        model, state = fresh(), {}
        model.loss_weights = [1.0, 1.0]
        for iterations in pieces:
            train(model, iterations, Moves(), state=state)
        return problem.vector(model)

    wanted = trained(16)
    assert torch.equal(trained(10, 6), wanted) and torch.equal(trained(11, 5), wanted)
