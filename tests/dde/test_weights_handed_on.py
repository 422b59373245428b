"""Which loss weights a training starts from where `compile` gives none."""

import warnings

import deepxde as dde
import pytest
import torch

import pinn_ext
from pinn_ext import AdaptiveWeights

BACK = "weights that compile() dropped are back: pde_1="
TAKEN = "weights of the last training are taken up: pde_1="
ONES = "weights start from 1: compile() gave none"


@pytest.fixture(autouse=True)
def short_second_phases():
    options = {"maxiter": 6, "iter_per_step": 3, "fun_per_step": 5}
    dde.optimizers.config.LBFGS_options.update(options)
    dde.optimizers.set_NNCG_options(rank=2, cgmaxiter=3)


def after_adam(problem, strategy="ema"):
    """Return a model that Adam has trained, its callback, and the weights it has ended with."""
    adaptive = AdaptiveWeights(strategy, period=2, verbose=0)
    model = problem.train(problem.heat(), adaptive, iterations=6)
    moved = model.loss_weights.tolist()
    assert len(set(moved)) == 3
    return model, adaptive, moved


def start(problem, model, adaptive, kind="adam"):
    """Compile without weights and train; return the weights that the first step has seen."""
    seen = []

    def look(step):
        seen.append(model.loss_weights.tolist())
        if step == 1 and kind == "gauss_newton":
            model.stop_training = True

    watch = problem.At("on_batch_begin", look)
    if kind == "gauss_newton":
        model.compile("adam", lr=1e-3, verbose=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # few rows
            pinn_ext.train_gauss_newton(model, 1, callbacks=[adaptive, watch], verbose=0)
        return seen[0]
    if kind == "object":
        kind = torch.optim.LBFGS(model.net.parameters(), max_iter=2)
    first_order = kind in ("adam", "sgd", "rmsprop")
    model.compile(kind, lr=1e-3 if first_order else None, verbose=0)
    assert model.loss_weights is None
    problem.train(model, adaptive, watch, iterations=2)
    return seen[0]


@pytest.mark.parametrize("kind", ["adam", "sgd"])
@pytest.mark.parametrize("strategy", ["fixed", "ema", "lr_annealing"])
def test_a_new_callback_under_a_first_order_optimiser_starts_from_ones(
    problem, capsys, strategy, kind
):
    model, _, _ = after_adam(problem)
    new = AdaptiveWeights(strategy, period=2)
    assert start(problem, model, new, kind) == [1.0, 1.0, 1.0]
    assert capsys.readouterr().out.count(ONES) == 1
    if strategy == "fixed":
        assert model.loss_weights.tolist() == [1.0, 1.0, 1.0]


def test_so_does_the_same_callback_whose_strategy_begins_again(problem, capsys):
    model, adaptive, _ = after_adam(problem, "equal_init")
    adaptive.verbose = 1
    assert start(problem, model, adaptive) == [1.0, 1.0, 1.0]
    assert capsys.readouterr().out.count(ONES) == 1
    assert adaptive.manager.updates == 1  # it has equalised again


@pytest.mark.parametrize("kind", ["L-BFGS", "NNCG", "gauss_newton", "object"])
@pytest.mark.parametrize("same", [False, True])
def test_second_order_after_first_order_goes_on(problem, capsys, kind, same):
    model, adaptive, moved = after_adam(problem)
    adaptive.verbose = 1
    own = adaptive if same else AdaptiveWeights("fixed")
    assert start(problem, model, own, kind) == pytest.approx(moved)
    shown = capsys.readouterr().out
    assert (shown.count(BACK), shown.count(TAKEN)) == ((1, 0) if same else (0, 1))
    assert ONES not in shown


@pytest.mark.parametrize("then", ["adam", "L-BFGS", "gauss_newton"])
@pytest.mark.parametrize("same", [False, True])
def test_nothing_is_taken_up_after_second_order(problem, capsys, then, same):
    model, adaptive, moved = after_adam(problem)
    assert start(problem, model, adaptive, "L-BFGS") == pytest.approx(moved)
    adaptive.verbose = 1
    own = adaptive if same else AdaptiveWeights("fixed")
    assert start(problem, model, own, then) == [1.0, 1.0, 1.0]
    assert capsys.readouterr().out.count(ONES) == 1


def test_a_training_without_a_callback_in_between_was_the_last(problem):
    model, _, _ = after_adam(problem)
    model.compile("adam", lr=1e-3, verbose=0)
    problem.train(model, iterations=2)  # by ones
    assert start(problem, model, AdaptiveWeights("fixed", verbose=0), "L-BFGS") == [1.0] * 3


def test_a_training_that_was_broken_off_counts(problem):
    def stop(step):
        if step == 4:
            raise KeyboardInterrupt

    model, adaptive = problem.heat(), AdaptiveWeights("ema", period=1, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        problem.train(model, adaptive, problem.At("on_batch_begin", stop))
    moved = model.loss_weights.tolist()
    assert start(problem, model, AdaptiveWeights("fixed", verbose=0), "L-BFGS") == (
        pytest.approx(moved)
    )


def test_the_last_of_two_callbacks_hands_on(problem):
    model, first, moved = after_adam(problem)
    model.compile("adam", lr=1e-3, loss_weights=[3.0, 5.0, 7.0], verbose=0)
    problem.train(model, AdaptiveWeights("fixed", verbose=0), iterations=2)
    assert start(problem, model, first, "L-BFGS") == [3.0, 5.0, 7.0] != moved


@pytest.mark.parametrize("kind", ["adam", "L-BFGS"])
def test_weights_given_to_compile_are_never_replaced(problem, capsys, kind):
    model, _, _ = after_adam(problem)
    lr = 1e-3 if kind == "adam" else None
    model.compile(kind, lr=lr, loss_weights=[2.0, 4.0, 8.0], verbose=0)
    problem.train(model, AdaptiveWeights("fixed"), iterations=2)
    assert model.loss_weights.tolist() == [2.0, 4.0, 8.0]
    shown = capsys.readouterr().out
    assert not any(line in shown for line in (BACK, TAKEN, ONES))


def test_a_fresh_model_is_told_nothing(problem, capsys):
    problem.train(problem.heat(), AdaptiveWeights("ema", period=2), iterations=2)
    shown = capsys.readouterr().out
    assert not any(line in shown for line in (BACK, TAKEN, ONES))


@pytest.mark.parametrize("kind", ["adam", "L-BFGS"])
def test_a_state_that_was_loaded_is_the_last_training(problem, kind):
    """As in a run that is resumed at the border of its phases."""
    _, adaptive, moved = after_adam(problem)
    again = AdaptiveWeights("ema", period=2, verbose=0)
    model = problem.heat()
    again.load_state_dict(adaptive.state_dict(), model)
    expected = moved if kind == "L-BFGS" else [1.0, 1.0, 1.0]
    assert start(problem, model, again, kind) == pytest.approx(expected)


@pytest.mark.parametrize("between", ["nothing", "fixed", "no callback", "L-BFGS"])
def test_weights_of_points_are_those_of_the_last_training(problem, between):
    """They go on under L-BFGS, unless another training has come in between."""
    model = problem.train(problem.heat(), AdaptiveWeights("rba", verbose=0), iterations=3)
    if between == "fixed":
        start(problem, model, AdaptiveWeights("fixed", verbose=0))
    elif between == "no callback":
        problem.train(model, iterations=2)
    elif between == "L-BFGS":
        start(problem, model, AdaptiveWeights("rba", verbose=0), "L-BFGS")
    own = AdaptiveWeights("rba", verbose=0)
    start(problem, model, own, "L-BFGS")
    assert ("pde_1" in own.history[-1]["point_weights"]) == (between == "nothing")
