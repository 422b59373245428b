"""Loops of our own in the place of `model.train`: what DeepXDE's users expect of each of them."""

import copy

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from tests.dde.gauss_newton.small_models import (
    Hooks,
    assert_refused,
    equation,
    error,
    poisson,
    total,
    watch,
)
from tests.dde.gauss_newton.small_models import train as gauss_newton
from tests.dde.quasi_newton.trainings import train as quasi_newton

LOOPS = {"Gauss-Newton": gauss_newton, "Quasi-Newton": quasi_newton}


@pytest.fixture(params=LOOPS)
def train(request):
    return LOOPS[request.param]


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


def test_callbacks_are_called_as_by_model_train(problem, train):
    model, ours, theirs = poisson(), Hooks(), Hooks()
    train(model, 3, ours)
    problem.train(model, theirs, iterations=3)
    assert ours.calls == theirs.calls and len(ours.calls) == 3 + 3 * 4


def test_counters_and_losses_at_each_iteration(problem, train):
    model, seen = poisson(loss_weights=[1.0, 30.0]), []

    def look(iteration):
        state = model.train_state
        assert state.step == state.iteration == iteration
        assert sum(state.loss_train) == pytest.approx(total(model), rel=1e-12)
        seen.append(sum(state.loss_train))

    history, _ = train(model, 15, watch(problem, look), display_every=4)
    assert history.steps == [0, 4, 8, 12, 15]
    assert sum(history.loss_train[0]) > seen[0] and np.all(np.diff(seen) < 0)


@pytest.mark.parametrize(
    "callback",
    [
        dde.callbacks.EarlyStopping(baseline=0.0, patience=3),
        dde.callbacks.EarlyStopping(min_delta=1e3, patience=3),
        dde.callbacks.Timer(0.0),
    ],
)
def test_callbacks_that_stop(train, callback, capsys):
    model = poisson()
    train(model, 30, copy.copy(callback), verbose=1, display_every=1)
    assert 1 <= model.train_state.step <= 4
    assert "stopped by a callback." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("train", "iterations", "options"),
    [(gauss_newton, 6, {"tolerance": 0.0}), (quasi_newton, 30, {})],
    ids=LOOPS,
)
def test_between_other_optimisers(problem, train, iterations, options):
    dde.optimizers.config.LBFGS_options.update(maxiter=20, iter_per_step=10, fun_per_step=13)
    model = poisson()
    problem.train(model, iterations=5)
    train(model, 4)
    problem.train(model, iterations=5)  # the compiled Adam goes on
    assert model.train_state.step == 14
    model.compile("L-BFGS", verbose=0)
    problem.train(model)
    step, before = model.train_state.step, total(model)
    train(model, iterations, **options)
    assert model.train_state.step == model.losshistory.steps[-1] == step + iterations
    assert total(model) < before
    problem.train(model)
    model.compile("adam", lr=1e-5, verbose=0)
    problem.train(model, iterations=3)
    assert total(model) < before


def test_no_iterations(train, capsys):
    model = poisson()
    before = copy.deepcopy(model.net.state_dict())
    train(model, 0, verbose=1)
    assert model.train_state.step == 0 and model.losshistory.steps == [0]
    assert all(torch.equal(value, before[key]) for key, value in model.net.state_dict().items())
    assert "ended after 0 iterations" in capsys.readouterr().out


def test_the_best_step_can_be_disregarded(train):
    model = poisson()
    train(model, 10)
    assert model.train_state.best_step == 10
    model.train_state.best_loss_train = -1.0
    train(model, 2, disregard_previous_best=True)
    assert model.train_state.best_step == 12


def test_nothing_is_left_behind(train):
    model = poisson()
    dde.optimizers.config.LBFGS_options["maxiter"] = 77
    tables = {**vars(dde.config)}, dict(dde.optimizers.config.LBFGS_options)
    data, names = set(vars(model.data)), set(vars(model))
    generator = torch.get_rng_state(), np.random.get_state()[1].copy()
    optimiser = copy.deepcopy(model.opt.state_dict())
    train(model, 8)
    assert ({**vars(dde.config)}, dict(dde.optimizers.config.LBFGS_options)) == tables
    assert set(vars(model.data)) == data and set(vars(model)) - names <= {"batch_size"}
    assert torch.get_default_dtype() == torch.float64
    assert torch.equal(torch.get_rng_state(), generator[0])
    assert np.array_equal(np.random.get_state()[1], generator[1])
    assert model.opt.state_dict() == optimiser
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    assert all(parameter.grad is None for parameter in model.net.parameters())


def test_a_change_of_the_weights_is_taken_up(problem, train):
    model, totals = poisson(), []

    def change(iteration):
        if iteration == 4:
            model.loss_weights = [0.1, 1000.0]

    def look(_):
        totals.append((sum(model.train_state.loss_train), total(model)))

    train(model, 8, problem.At("on_epoch_begin", change), watch(problem, look))
    ours, deepxde = zip(*totals, strict=True)
    assert np.allclose(ours, deepxde, rtol=1e-12)
    with pytest.raises(ValueError, match="one number for each of 2 loss terms"):
        train(
            model, 3, problem.At("on_epoch_begin", lambda _: setattr(model, "loss_weights", [1.0]))
        )


# ---- trainings that are cut short ---------------------------------------------------------------


class Interrupts:
    """An equation that is interrupted from the keyboard at its n-th evaluation."""

    def __init__(self, at):
        self.left = at

    def __call__(self, x, y):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return equation(x, y)


@pytest.mark.parametrize(
    ("train", "at"),
    [(gauss_newton, at) for at in range(10, 30)] + [(quasi_newton, at) for at in range(8, 24, 3)],
)
def test_ctrl_c_keeps_the_last_accepted_step(problem, train, at, capsys):
    pde = Interrupts(at)
    model, hooks = poisson(pde), Hooks()
    accepted = [problem.vector(model)]
    keep = problem.At("on_batch_end", lambda _: accepted.append(problem.vector(model)))
    history, state = train(model, 60, hooks, keep, verbose=1, display_every=2)
    assert pde.left <= 0, "it was interrupted"
    assert "interrupted; the last accepted step is kept." in capsys.readouterr().out
    if state.step == len(accepted) - 1:  # else interrupted in the test after a step that counts
        assert torch.equal(problem.vector(model), accepted[-1])
    assert hooks.calls[-1] == "train_end" and history.steps[0] == 0
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    problem.train(model, iterations=2)
    reached = total(model)
    train(model, 10)
    assert total(model) < reached


def test_ctrl_c_in_a_callback(problem, train):
    def interrupt(iteration):
        if iteration == 4:
            raise KeyboardInterrupt

    model, adaptive = poisson(), pinn_ext.AdaptiveWeights(verbose=0)
    train(model, 10, adaptive, problem.At("on_batch_begin", interrupt))
    assert model.train_state.step == 3 and "losses_train" not in vars(model.data)


def test_an_error_of_a_callback_leaves_the_model_usable(problem, train):
    def fail(iteration):
        if iteration == 3:
            raise RuntimeError("mine")

    model, adaptive = poisson(), pinn_ext.AdaptiveWeights("ema", period=2, verbose=0)
    with pytest.raises(RuntimeError, match="mine"):
        train(model, 10, adaptive, problem.At("on_batch_end", fail))
    assert model.train_state.step == 3 and total(model) < sum(model.losshistory.loss_train[0])
    train(model, 5, adaptive)
    problem.train(model, adaptive, iterations=4)
    assert model.train_state.step == 12 and "losses_train" not in vars(model.data)


def test_an_error_of_the_equation_is_the_users_own(train):
    calls = []

    def pde(x, y):
        calls.append(1)
        if len(calls) == 12:
            raise RuntimeError("mine")
        return equation(x, y)

    model = poisson(pde)
    with pytest.raises(RuntimeError, match="mine"):
        train(model, 10)
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    before = error(model)
    train(model, 20)
    assert error(model) < before


# ---- what is refused before it begins -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", -1),
        ("iterations", 2.0),
        ("iterations", "3"),
        ("iterations", True),
        ("iterations", None),
        ("resample_every", -1),
        ("resample_every", 2.5),
        ("display_every", 0),
        ("memory_limit_gb", 0),
        ("memory_limit_gb", "1"),
    ],
)
def test_numbers_out_of_range(train, name, value):
    model = poisson()
    with pytest.raises(ValueError, match=f"`{name}` must be a .* number.*, got {value!r}"):
        train(model, **{"iterations": 3, name: value})
    assert model.losshistory.steps == [] and model.callbacks is None


@pytest.mark.parametrize(
    ("name", "value"), [("verbose", -1), ("disregard_previous_best", 1), ("callbacks", "x")]
)
@pytest.mark.parametrize("train", [pinn_ext.train_gauss_newton, pinn_ext.train_quasi_newton])
def test_other_arguments(train, name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        train(poisson(), 3, **{name: value})


def uncompiled():
    return dde.Model(poisson().data, dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))


def frozen():
    model = poisson()
    model.net.requires_grad_(False)
    return model


REFUSED = {
    "not compiled": (uncompiled, "must be compiled"),
    "weights": (lambda: poisson(loss_weights=[1.0]), "one number for each of 2 loss terms"),
    "NaN": (
        lambda: poisson(lambda x, y: torch.log(y - y.detach() - 1)),
        r"must be finite to start from, got NaN or infinity in .*pde_1",
    ),
    "frozen": (frozen, "got only frozen ones"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_are_refused_are_left_alone(train, name):
    assert_refused(train, *REFUSED[name])


def test_mixed_precision_is_refused(train, monkeypatch):
    model = poisson()
    monkeypatch.setattr(dde.config, "mixed", True)
    with pytest.raises(ValueError, match="got mixed precision"):
        train(model)
