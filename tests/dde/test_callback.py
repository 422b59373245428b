"""`AdaptiveWeights` in stock DeepXDE scripts of every kind."""

import itertools
import warnings
from collections import Counter

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveWeights, strategies
from tests.pairs import pairwise


def weights_of(model):
    return model.loss_weights.tolist()


@pytest.mark.parametrize(
    ("kind", "strategy", "dtype"),
    pairwise(
        itertools.product(
            ["poisson", "heat", "fit"], strategies.term_names(), ["float32", "float64"]
        )
    ),
)
def test_one_line_makes_a_script_adaptive(problem, kind, strategy, dtype):
    dde.config.set_default_float(dtype)
    method = strategies.create(strategy)
    adaptive = AdaptiveWeights(strategy, period=2, verbose=0)
    if getattr(method, "needs_times", False) and kind != "heat":
        with pytest.raises(ValueError, match=f"{strategy}.*time-dependent problem"):
            problem.train(getattr(problem, kind)(), adaptive)
        return
    model = problem.train(getattr(problem, kind)(), adaptive, iterations=6)
    terms = {"poisson": 2, "heat": 3, "fit": 1}[kind]
    assert len(weights_of(model)) == terms == len(adaptive.manager.loss_names)
    assert model.loss_weights.dtype == next(model.net.parameters()).dtype
    assert not model.loss_weights.requires_grad
    moved = method.moves == "terms" and terms > 1
    assert (weights_of(model) != pytest.approx([1.0] * terms, rel=1e-6)) == moved
    for row in adaptive.history:
        assert ("point_weights" in row) == (method.moves == "points")
    if method.moves == "points":
        first, *_, last = [row["point_weights"] for row in adaptive.history]
        assert first != last and set(first) <= set(adaptive.manager.loss_names)
        assert all(low <= mean <= high for low, mean, high in last.values())
    assert [row["step"] for row in adaptive.history] == [2, 4, 6]
    assert adaptive.stopped is None and adaptive.seconds > 0
    assert "losses_train" not in vars(model.data)


def test_external_variables_auxiliary_functions_and_forward_mode(problem):
    rate = dde.Variable(2.0)

    def with_variable(x, y):
        return -dde.grad.hessian(y, x) - rate * torch.sin(x)

    model = problem.poisson(pde=with_variable, external_trainable_variables=[rate])
    adaptive = AdaptiveWeights(period=2, verbose=0)
    problem.train(model, adaptive, iterations=4)
    assert rate.item() != 2.0
    assert len(adaptive.best.parameters) == len(list(model.net.parameters())) + 1

    def with_auxiliary(x, y, aux):
        return -dde.grad.hessian(y, x) - aux

    data = problem.poisson_data(with_auxiliary, auxiliary_var_function=lambda x: np.sin(x))
    model = dde.Model(data, problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    problem.train(model, AdaptiveWeights(period=2, verbose=0), iterations=4)
    assert weights_of(model) != [1.0, 1.0]

    dde.config.set_default_autodiff("forward")

    def forward(x, y):
        return -dde.grad.hessian(y, x)[0] - torch.sin(x)

    model = problem.poisson(pde=forward)
    problem.train(model, AdaptiveWeights(period=2, verbose=0), iterations=4)
    assert weights_of(model) != [1.0, 1.0]


def test_weights_start_from_the_models_own_and_leave_its_list_alone(problem):
    own = [1.0, 100.0, 10.0]
    adaptive = AdaptiveWeights("fixed", verbose=0)
    model = problem.train(problem.heat(loss_weights=own), adaptive)
    assert adaptive.manager.get_weights() == {"pde_1": 1.0, "dirichlet_1": 100.0, "ic_1": 10.0}
    assert weights_of(model) == own == [1.0, 100.0, 10.0] and model.loss_weights is not own


def test_an_epoch_is_a_period_and_the_strategy_sees_its_mean(problem):
    model = problem.heat()
    seen = []
    inner = model.data.losses_train

    def spy(*args, **kwargs):
        losses = inner(*args, **kwargs)
        if next(model.net.parameters()).requires_grad:
            seen.append([loss.item() for loss in losses])
        return losses

    model.data.losses_train = spy
    adaptive = AdaptiveWeights("ema", period=4, verbose=0)
    problem.train(model, adaptive, iterations=10)
    means = [np.mean(seen[start : start + 4], axis=0) for start in (0, 4)]
    assert [row["losses"] for row in adaptive.history] == [pytest.approx(m) for m in means]
    assert model.data.losses_train is spy  # what was there before is back
    # A period goes on in the next training: 2 steps are left over from the first.
    problem.train(model, adaptive, iterations=2)
    assert adaptive.history[-1]["losses"] == pytest.approx(np.mean(seen[8:12], axis=0))


def count_passes(problem, monkeypatch, model, callbacks):
    """Return how often network, losses and backward passes were called in a training."""
    counts = Counter()

    def counted(name, function):
        def wrapper(*args, **kwargs):
            counts[name] += 1
            return function(*args, **kwargs)

        return wrapper

    with monkeypatch.context() as patch:
        for owner, name in (
            (type(model.net), "forward"),
            (type(model.data), "losses"),
            (torch.Tensor, "backward"),
            (torch.autograd, "grad"),
        ):
            patch.setattr(owner, name, counted(name, getattr(owner, name)))
        problem.train(model, *callbacks, iterations=12, display_every=5)
    return counts


@pytest.mark.parametrize("optimizer", ["adam", "L-BFGS"])
@pytest.mark.parametrize("strategy", strategies.term_names())
def test_no_extra_forward_or_backward_pass(problem, monkeypatch, strategy, optimizer):
    dde.optimizers.config.LBFGS_options.update(maxiter=21, iter_per_step=7, fun_per_step=99)
    counts = []
    for callbacks in ([], [AdaptiveWeights(strategy, period=3, verbose=0)]):
        dde.config.set_random_seed(1)
        model = problem.heat(optimizer, lr=None if optimizer == "L-BFGS" else 1e-2)
        counts.append(count_passes(problem, monkeypatch, model, callbacks))
    # Gradients: a backward pass for each of 3 terms at 4 updates; kernels: one a probe.
    method = strategies.create(strategy)
    reads_more = method.needs - {"losses", "field_scales"} and optimizer == "adam"
    more = 12 * getattr(method, "probes", 1) if reads_more else 0
    assert counts[1] == counts[0] + Counter(grad=more)
    assert min(counts[0][name] for name in ("forward", "losses", "backward", "grad")) > 0


@pytest.mark.parametrize("weights", [None, [1.0, 3.0, 0.5]])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "L-BFGS"])
def test_fixed_trains_bit_for_bit_as_without_the_callback(problem, optimizer, weights):
    dde.optimizers.config.LBFGS_options.update(maxiter=30, iter_per_step=10, fun_per_step=99)
    results = []
    for callbacks in ([], [AdaptiveWeights("fixed", period=2, verbose=0)]):
        dde.config.set_random_seed(3)
        lr = None if optimizer == "L-BFGS" else 1e-2
        model = problem.heat(optimizer, lr=lr, loss_weights=weights, decay=None)
        problem.train(model, *callbacks, iterations=9, display_every=4)
        results.append(problem.vector(model))
    assert torch.equal(*results)


def test_learning_rate_schedules_go_on(problem):
    rates = []
    for callbacks in ([], [AdaptiveWeights(period=2, verbose=0)]):
        model = problem.heat(decay=("step", 2, 0.5))
        problem.train(model, *callbacks, iterations=6)
        rates.append(model.opt.param_groups[0]["lr"])
    assert rates[0] == rates[1] == 1e-2 / 8


def test_a_given_or_derived_name_is_shown(problem, capsys):
    problem.train(problem.heat(), AdaptiveWeights(period=5))
    shown = capsys.readouterr().out
    assert "equal_init on 3 loss terms (pde_1, dirichlet_1, ic_1), one update each 5" in shown
    problem.train(problem.heat(), AdaptiveWeights("fixed", names=["a", "b", "c"]))
    assert "fixed on 3 loss terms (a, b, c)\n" in capsys.readouterr().out


def test_weights_without_limits_are_said_to_be_so(problem, capsys):
    problem.train(problem.heat(), AdaptiveWeights("capu", period=5), iterations=5)
    assert "one update each 5 iterations, without ratio cap and clamps\n" in capsys.readouterr().out


def test_closing_table_holds_raw_losses_and_weights(problem, capsys):
    adaptive = AdaptiveWeights("equal_init", period=5)
    model = problem.train(problem.heat(), adaptive, iterations=20, display_every=20)
    lines = capsys.readouterr().out.splitlines()
    table = lines[lines.index("AdaptiveWeights (equal_init) at step 20:") + 1 :]
    assert table[0].split() == ["term", "raw", "loss", "first", "last", "weight", "first", "last"]
    rows = {line.split()[0]: [float(cell) for cell in line.split()[1:]] for line in table[1:]}
    assert list(rows) == ["pde_1", "dirichlet_1", "ic_1"]
    raw = np.asarray(model.losshistory.loss_train[-1]) / np.asarray(weights_of(model))
    assert [row[1] for row in rows.values()] == pytest.approx(raw, rel=1e-3)
    first = model.losshistory.loss_train[0]  # weights were ones
    assert [row[0] for row in rows.values()] == pytest.approx(first, rel=1e-3)
    assert [row[2] for row in rows.values()] == [1.0] * 3
    assert [row[3] for row in rows.values()] == pytest.approx(weights_of(model), rel=1e-3)


def test_verbose_0_is_silent_and_2_says_every_update(problem, capsys):
    model = problem.heat()
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.train(
            iterations=6, verbose=0, callbacks=[AdaptiveWeights("ema", period=2, verbose=0)]
        )
    out = capsys.readouterr().out
    assert "Adaptive" not in out and "pde_1" not in out
    problem.train(problem.heat(), AdaptiveWeights("ema", period=2, verbose=2), iterations=6)
    out = capsys.readouterr().out
    assert all(f"AdaptiveWeights: step {step}: pde_1=" in out for step in (2, 4, 6))


def test_installing_twice_is_harmless(problem, capsys):
    one = AdaptiveWeights(period=3)
    model = problem.train(problem.heat(), one, one, iterations=6)
    assert [row["step"] for row in one.history] == [3, 6]
    assert capsys.readouterr().out.count("raw loss first") == 1
    assert "losses_train" not in vars(model.data)

    first, second = AdaptiveWeights("ema", period=2, verbose=0), AdaptiveWeights(verbose=0)
    with pytest.warns(RuntimeWarning, match="second one is idle"):
        problem.train(problem.heat(), first, second, iterations=4)
    assert len(first.history) == 2 and second.manager is None and not second.history


def test_one_callback_for_another_model_starts_afresh(problem):
    adaptive = AdaptiveWeights(period=2, verbose=0)
    problem.train(problem.heat(), adaptive, iterations=4)
    problem.train(problem.poisson(), adaptive, iterations=2)
    assert [len(row["losses"]) for row in adaptive.history] == [2]


def test_predict_with_the_callback_leaves_model_and_data_alone(problem):
    adaptive = AdaptiveWeights(period=2, verbose=0)
    model = problem.heat()
    model.predict(np.zeros((2, 2)), callbacks=[adaptive])
    assert "losses_train" not in vars(model.data) and "_train_sgd" not in vars(model)
    problem.train(model, adaptive, iterations=2)
    model.predict(np.zeros((2, 2)), callbacks=[adaptive])
    assert "losses_train" not in vars(model.data) and "_train_sgd" not in vars(model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "equal"}, "`strategy` must be one of"),
        ({"period": 0}, "`period` must be a whole number >= 1, got 0"),
        ({"period": 2.5}, "`period` must be a whole number"),
        ({"verbose": -1}, "`verbose` must be"),
        ({"names": []}, "at least one name"),
        ({"names": "pde"}, "must be a list of names"),
        ({"names": ["a", "a"]}, "must be distinct"),
        ({"max_ratio": 0.5}, "`max_ratio` must be"),
        ({"ema_alpha": 1}, "`ema_alpha` must be"),
        ({"normalization": "sum"}, "`normalization` must be one of"),
        ({"min_weight": 0}, "`min_weight` must be"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveWeights(**arguments)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], r"3 loss terms \(pde_1, dirichlet_1, ic_1\), got 1 weights"),
        ([1.0] * 4, "got 4 weights"),
        (2.0, r"got shape \[\]"),
        ([[1.0], [1.0], [1.0]], r"got shape \[3, 1\]"),
        ({"pde_1": 1.0}, "list of one number for each"),
        ([1.0, -1.0, 1.0], "not negative"),
        ([1.0, float("nan"), 1.0], "finite"),
        ([1.0, float("inf"), 1.0], "finite"),
        ([0.0, 0.0, 0.0], "not all 0"),
        ([1.0, 1e6, 1.0], r"\[min_weight, max_weight\]"),
    ],
)
def test_bad_weights_are_refused_before_any_step(problem, weights, message):
    model = problem.heat(loss_weights=weights)
    before = problem.vector(model)
    with pytest.raises(ValueError, match=message):
        problem.train(model, AdaptiveWeights(verbose=0))
    assert torch.equal(problem.vector(model), before)
    model.compile("adam", lr=1e-2, verbose=0)  # and the model can be trained after it
    problem.train(model, AdaptiveWeights(period=2, verbose=0), iterations=2)
    assert not torch.equal(problem.vector(model), before)


def test_weights_may_be_arrays_tensors_whole_numbers_or_zero(problem):
    for weights in (np.array([1, 2, 0]), torch.tensor([1.0, 2.0, 0.0]), [1, 2, 0], (1, 2, 0)):
        adaptive = AdaptiveWeights("ema", period=2, verbose=0)
        model = problem.train(problem.heat(loss_weights=weights), adaptive, iterations=4)
        assert adaptive._state.weights.first == [1.0, 2.0, 0.0]
        assert weights_of(model)[2] == 0.0  # a term that is only watched


def test_wrong_names_uncompiled_models_and_float_types_are_refused(problem):
    with pytest.raises(ValueError, match="one name for each of 3 loss terms"):
        problem.train(problem.heat(), AdaptiveWeights(names=["a", "b"], verbose=0))
    model = dde.Model(problem.heat_data(), problem.net(2))
    with pytest.raises(ValueError, match="must be compiled before"):
        problem.train(model, AdaptiveWeights(verbose=0))
    net = problem.net(2)
    dde.config.set_default_float("float64")
    model = dde.Model(problem.heat_data(), net)
    model.compile("adam", lr=1e-2, verbose=0)
    with pytest.raises(ValueError, match=r"torch\.float64, got torch\.float32"):
        problem.train(model, AdaptiveWeights(verbose=0))


def test_loss_terms_that_are_no_numbers_are_refused(problem):
    model = problem.poisson(loss=lambda true, predicted: (true - predicted) ** 2)
    with pytest.raises(ValueError, match=r"Each loss term must be one number .*'pde_1': \["):
        problem.train(model, AdaptiveWeights(verbose=0))
