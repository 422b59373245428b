"""Gauss-Newton in place of `model.train`: what DeepXDE's users expect, and what is its own."""

import copy
import io
import itertools
import re

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext.dde.gauss_newton.loop import WEIGHTS, GaussNewtonTraining
from pinn_ext.dde.model.residual_rows import ModelRows
from solvers.gauss_newton import DAMPINGS, SOLVERS

LINE = dde.geometry.Interval(0, 1)


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


def equation(x, y):
    return -dde.grad.hessian(y, x) - np.pi**2 * torch.sin(np.pi * x)


def poisson(pde=equation, points=60, net=None, data=None, **options):
    """Return a compiled model of -u'' = pi^2 sin(pi x) with several rows a parameter (19)."""
    walls = dde.icbc.DirichletBC(LINE, lambda x: 0 * x[:, :1], lambda _, on: on)
    data = data or dde.data.PDE(LINE, pde, [walls], points, 2, num_test=20)
    model = dde.Model(data, net or dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, **options)
    return model


def train(model, iterations=10, *callbacks, verbose=0, **options):
    options.setdefault("display_every", 10**6)
    return pinn_ext.train_gauss_newton(
        model, iterations, callbacks=list(callbacks), verbose=verbose, **options
    )


def error(model, exact=lambda x: np.sin(np.pi * x), inputs=1):
    x = np.random.default_rng(0).random((200, inputs))
    return dde.metrics.l2_relative_error(exact(x), model.predict(x))


def total(model):
    """Return DeepXDE's own weighted loss of the present parameters."""
    state = model.train_state
    losses = model._outputs_losses(True, state.X_train, state.y_train, state.train_aux_vars)[1]
    return float(np.sum(losses))


def watch(problem, function):
    """Return a callback that calls a function of the model's iteration at each epoch's end."""
    return problem.At("on_epoch_end", function)


# ---- as model.train -----------------------------------------------------------------------------


def test_it_prints_deepxdes_table_and_why_it_ended(capsys):
    model = poisson()
    history, state = pinn_ext.train_gauss_newton(model, 12, display_every=5)
    assert history is model.losshistory and state is model.train_state
    printed = capsys.readouterr().out
    table = re.findall(r"^(\d+) +\[\d\.\d+e", printed, re.MULTILINE)
    assert table == ["0", "5", "10", "12"] == [str(step) for step in history.steps]
    assert "Best model at step 12:" in printed
    assert printed.endswith("Gauss-Newton ended after 12 iterations: all 12 iterations are made.\n")
    train(model, 2)
    assert capsys.readouterr().out == ""


class Hooks(dde.callbacks.Callback):
    """Notes every call."""

    def __init__(self):
        super().__init__()
        self.calls = []
        for hook in ("train_begin", "epoch_begin", "batch_begin", "batch_end", "epoch_end",
                     "train_end"):  # fmt: skip
            setattr(self, f"on_{hook}", lambda hook=hook: self.calls.append(hook))

    def init(self):
        self.calls = ["init"]


def test_callbacks_are_called_as_by_model_train(problem):
    model, ours, theirs = poisson(), Hooks(), Hooks()
    train(model, 3, ours)
    problem.train(model, theirs, iterations=3)
    assert ours.calls == theirs.calls and len(ours.calls) == 3 + 3 * 4


def test_counters_and_losses_at_each_iteration(problem):
    model, seen = poisson(loss_weights=[1.0, 30.0]), []

    def look(iteration):
        state = model.train_state
        assert state.step == state.iteration == iteration
        assert sum(state.loss_train) == pytest.approx(total(model), rel=1e-12)
        seen.append(sum(state.loss_train))

    history, _ = train(model, 15, watch(problem, look), display_every=4)
    assert history.steps == [0, 4, 8, 12, 15]
    assert sum(history.loss_train[0]) > seen[0] and np.all(np.diff(seen) < 0)


def test_metrics_and_plots(tmp_path):
    x = np.linspace(0, 1, 50)[:, None]
    data = dde.data.DataSet(x, x**2, x, x**2)
    model = poisson(data=data, metrics=["l2 relative error"])
    history, state = train(model, 12, display_every=4)
    assert history.metrics_test[-1][0] < 1e-2 < history.metrics_test[0][0]
    dde.saveplot(history, state, issave=True, isplot=False, output_dir=str(tmp_path))
    assert np.loadtxt(tmp_path / "loss.dat").shape == (4, 4)  # step, train, test, metric


def test_checkpoints_and_model_save_path(tmp_path):
    model = poisson()
    keep = dde.callbacks.ModelCheckpoint(str(tmp_path / "best"), save_better_only=True, period=4)
    train(model, 12, keep, display_every=4, model_save_path=str(tmp_path / "end"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["best-12.pt", "best-4.pt", "best-8.pt", "end-12.pt"]
    last = error(model)
    model.restore(str(tmp_path / "best-4.pt"))
    assert error(model) > last
    model.restore(str(tmp_path / "end-12.pt"))
    assert error(model) == last


@pytest.mark.parametrize(
    "callback",
    [
        dde.callbacks.EarlyStopping(baseline=0.0, patience=3),
        dde.callbacks.EarlyStopping(min_delta=1e3, patience=3),
        dde.callbacks.Timer(0.0),
    ],
)
def test_callbacks_that_stop(callback, capsys):
    model = poisson()
    train(model, 30, callback, verbose=1, display_every=1)
    assert 1 <= model.train_state.step <= 4
    assert "stopped by a callback." in capsys.readouterr().out


def decay_model(points=40, net=None):
    """Return u' = -k u, u(0) = 1 with ten exact values for k = 1.7, and the variable k."""
    k = dde.Variable(0.5)
    x = np.linspace(0, 1, 10)[:, None]
    data = dde.data.PDE(
        LINE,
        lambda x, y: dde.grad.jacobian(y, x) + k * y,
        [dde.icbc.PointSetBC(x, np.exp(-1.7 * x))],
        points,
        2,
    )
    model = dde.Model(data, net or dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, external_trainable_variables=[k])
    return model, k


def test_unknown_coefficients_are_found_and_watched(tmp_path):
    model, k = decay_model()
    table = dde.callbacks.VariableValue(k, 1, str(tmp_path / "k.dat"), precision=12)
    train(model, 40, table)
    lines = (tmp_path / "k.dat").read_text().splitlines()
    values = [float(line.split("[")[1].strip("]")) for line in lines]
    assert values[0] == 0.5 and len(values) == model.train_state.step + 1
    assert values[-1] == pytest.approx(k.item(), rel=1e-11) and k.item() == pytest.approx(
        1.7, abs=1e-6
    )


def test_small_errors_on_poisson_and_heat():
    model = poisson()
    train(model, 100)
    assert error(model) < 1e-5

    box = dde.geometry.GeometryXTime(LINE, dde.geometry.TimeDomain(0, 1))

    def heat(x, y):
        return dde.grad.jacobian(y, x, 0, 1) - 0.1 * dde.grad.hessian(y, x, i=0, j=0)

    walls = dde.icbc.DirichletBC(box, lambda x: 0 * x[:, :1], lambda _, on: on)
    start = dde.icbc.IC(box, lambda x: np.sin(np.pi * x[:, :1]), lambda _, on: on)
    data = dde.data.TimePDE(box, heat, [walls, start], 150, 40, 40)
    model = poisson(data=data, net=dde.nn.FNN([2, 10, 10, 1], "tanh", "Glorot normal"))
    train(model, 60)

    def exact(x):
        return np.exp(-0.1 * np.pi**2 * x[:, 1:]) * np.sin(np.pi * x[:, :1])

    assert error(model, exact, 2) < 1e-4


def test_between_other_optimisers(problem):
    dde.optimizers.config.LBFGS_options.update(maxiter=20, iter_per_step=10, fun_per_step=13)
    model = poisson()
    problem.train(model, iterations=5)
    train(model, 4)
    problem.train(model, iterations=5)  # the compiled Adam goes on
    assert model.train_state.step == 14
    model.compile("L-BFGS", verbose=0)
    problem.train(model)
    step, before = model.train_state.step, total(model)
    train(model, 6)
    assert model.train_state.step == model.losshistory.steps[-1] == step + 6
    assert total(model) < 0.1 * before
    problem.train(model)
    model.compile("adam", lr=1e-5, verbose=0)
    problem.train(model, iterations=3)
    assert total(model) < 0.1 * before


def test_no_iterations(capsys):
    model = poisson()
    before = copy.deepcopy(model.net.state_dict())
    train(model, 0, verbose=1)
    assert model.train_state.step == 0 and model.losshistory.steps == [0]
    assert all(torch.equal(value, before[key]) for key, value in model.net.state_dict().items())
    assert "ended after 0 iterations" in capsys.readouterr().out


def test_the_best_step_can_be_disregarded():
    model = poisson()
    train(model, 10)
    assert model.train_state.best_step == 10
    model.train_state.best_loss_train = -1.0
    train(model, 2, disregard_previous_best=True)
    assert model.train_state.best_step == 12


def test_it_ends_where_nothing_is_to_be_gained(capsys):
    model = poisson(points=100, net=dde.nn.FNN([1, 2, 1], "tanh", "Glorot normal"))
    train(model, 500, verbose=1)
    assert model.train_state.step < 500
    assert re.search(
        r"ended after \d+ iterations: the loss fell by less than 0.0001 of itself in each of 5 "
        r"iterations\.$",
        capsys.readouterr().out.rstrip(),
    )
    train(model, 500, tolerance=0.0, verbose=1)  # for other last bits see test_standstill.py
    assert "no step lowers the loss any more" in capsys.readouterr().out


# ---- points -------------------------------------------------------------------------------------


class Points(dde.callbacks.Callback):
    """Keeps the training points of each iteration."""

    def init(self):
        self.seen = []

    def on_batch_end(self):
        self.seen.append(self.model.train_state.X_train.copy())

    def changes(self):
        """Return the iterations at which points are other ones than before."""
        pairs = enumerate(itertools.pairwise(self.seen), 2)
        return [i for i, (a, b) in pairs if not np.array_equal(a, b)]


@pytest.mark.parametrize("distribution", ["pseudo", "Hammersley"])
def test_points_are_drawn_anew(distribution, capsys):
    walls = dde.icbc.DirichletBC(LINE, lambda x: 0 * x[:, :1], lambda _, on: on)
    data = dde.data.PDE(LINE, equation, [walls], 60, 2, train_distribution=distribution)
    model, points = poisson(data=data), Points()
    train(model, 14, points, resample_every=4, verbose=1)
    assert points.changes() == [5, 9, 13]
    assert not set(points.seen[0][4:, 0]) & set(points.seen[-1][4:, 0])
    # DeepXDE may take the values of conditions from its cache: these points must stay.
    assert all(np.array_equal(x[:2], points.seen[0][:2]) for x in points.seen)
    assert data.train_distribution == distribution and error(model) < 3e-2
    told = "Hammersley points are the same at each draw" in capsys.readouterr().out
    assert told == (distribution == "Hammersley")


def test_deepxdes_resampler():
    walls = dde.icbc.DirichletBC(LINE, lambda x: 0 * x[:, :1], lambda _, on: on)
    data = dde.data.PDE(LINE, equation, [walls], 60, 2, train_distribution="pseudo")
    model, points = poisson(data=data), Points()
    train(model, 12, dde.callbacks.PDEPointResampler(period=5), points)
    assert points.changes() == [6, 11] and error(model) < 3e-2


def test_data_that_cannot_draw_points_are_refused(problem):
    with pytest.raises(
        ValueError, match=r"`resample_every` must be 0 for data.*\(DataSet\), got 3"
    ):
        train(problem.fit(), 5, resample_every=3)


def test_few_points_are_warned_of():
    with pytest.warns(RuntimeWarning, match="16 residual rows for 19 parameters") as caught:
        train(poisson(points=12), 1)
    assert caught[0].filename == __file__
    net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
    net.regularizer = ("l2", 1e-6)  # whose rows say nothing of the equation
    with pytest.warns(RuntimeWarning, match="16 residual rows for 19 parameters"):
        train(poisson(points=12, net=net), 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("options", [{}, {"resample_every": 1}])
def test_many_points_or_new_ones_are_not_warned_of(options):
    train(poisson(points=12 if options else 60), 1, **options)


# ---- weights ------------------------------------------------------------------------------------


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


def test_the_best_parameters_come_back(problem):
    model, adaptive = poisson(), pinn_ext.AdaptiveWeights("ema", period=3, verbose=0)
    train(model, 6, adaptive)
    vector = problem.vector(model)
    problem.train(model, iterations=1)  # moves away from the best
    assert not torch.equal(problem.vector(model), vector)
    adaptive.restore_best()
    assert torch.equal(problem.vector(model), vector)


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


def test_a_change_of_the_weights_is_taken_up(problem):
    model, totals = poisson(), []

    def change(iteration):
        if iteration == 4:
            model.loss_weights = [0.1, 1000.0]

    def look(_):
        totals.append((sum(model.train_state.loss_train), total(model)))

    train(model, 8, problem.At("on_epoch_begin", change), watch(problem, look))
    rows, deepxde = zip(*totals, strict=True)
    assert np.allclose(rows, deepxde, rtol=1e-12)
    with pytest.raises(ValueError, match="one number for each of 2 loss terms"):
        train(
            model, 3, problem.At("on_epoch_begin", lambda _: setattr(model, "loss_weights", [1.0]))
        )


def test_a_term_of_weight_zero_is_left_out():
    model = poisson(loss_weights=[0.0, 1.0])
    train(model, 30, weights="balance")
    assert model.loss_weights[0] == 0.0
    first, last = model.losshistory.loss_train[0], model.losshistory.loss_train[-1]
    assert first[0] == last[0] == 0.0 and last[1] < 1e-12 * first[1]


# ---- refusals -----------------------------------------------------------------------------------


LEGAL = {
    "damping": DAMPINGS,
    "solver": SOLVERS,
    "weights": WEIGHTS,
}


@pytest.mark.parametrize("name", LEGAL)
@pytest.mark.parametrize("value", ["nielson", None, 3, ["keep"]])
def test_names_that_do_not_exist(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be one of") as caught:
        train(poisson(), 3, **{name: value})
    assert all(legal in str(caught.value) for legal in LEGAL[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", -1),
        ("iterations", 2.0),
        ("iterations", "3"),
        ("iterations", True),
        ("iterations", None),
        ("tolerance", -1e-3),
        ("tolerance", float("nan")),
        ("resample_every", -1),
        ("resample_every", 2.5),
        ("display_every", 0),
        ("memory_limit_gb", 0),
        ("memory_limit_gb", "1"),
    ],
)
def test_numbers_out_of_range(name, value):
    model = poisson()
    with pytest.raises(ValueError, match=f"`{name}` must be a .* number.*, got {value!r}"):
        pinn_ext.train_gauss_newton(model, **{"iterations": 3, "verbose": 0, name: value})
    assert model.losshistory.steps == [] and model.callbacks is None


def operator_model():
    net = dde.nn.DeepONetCartesianProd([3, 5], [1, 5], "tanh", "Glorot normal")
    branch, trunk = np.random.rand(4, 3), np.linspace(0, 1, 6)[:, None]
    sets = (branch, trunk), np.random.rand(4, 6), (branch, trunk), np.random.rand(4, 6)
    model = dde.Model(dde.data.TripleCartesianProd(*sets), net)
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def regularised():
    net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
    net.regularizer = ("l1", 1e-3)
    return poisson(net=net)


def uncompiled():
    return dde.Model(poisson().data, dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))


REFUSED = {
    "not compiled": (uncompiled, "must be compiled"),
    "MAE": (lambda: poisson(loss="MAE"), "must be a mean of squared residuals.*pde_1"),
    "L1": (regularised, "regularisation must be 'l2' or none"),
    "DeepONet": (operator_model, "one array of inputs, got several"),
    "weights": (lambda: poisson(loss_weights=[1.0]), "one number for each of 2 loss terms"),
    "NaN": (
        lambda: poisson(lambda x, y: torch.log(y - y.detach() - 1)),
        r"must be finite to start from, got NaN or infinity in 62 of 62 rows of pde_1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_are_refused_are_left_alone(name):
    make, message = REFUSED[name]
    model, adaptive, hooks = make(), pinn_ext.AdaptiveWeights(), Hooks()
    before = copy.deepcopy(model.net.state_dict())
    with pytest.raises(ValueError, match=message):
        train(model, 5, adaptive, hooks)
    assert all(torch.equal(value, before[key]) for key, value in model.net.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    assert model.losshistory is None or model.losshistory.steps == []
    assert hooks.calls == [] and "losses_train" not in vars(model.data)


def test_mixed_precision_is_refused(monkeypatch):
    model = poisson()
    monkeypatch.setattr(dde.config, "mixed", True)
    with pytest.raises(ValueError, match="got mixed precision"):
        train(model)


def test_single_precision_says_where_it_ends(capsys):
    dde.config.set_default_float("float32")
    model = poisson()
    capsys.readouterr()
    train(model, 60, verbose=1)
    assert capsys.readouterr().out.count("float32 ends at errors of about 1e-4") == 1
    assert {p.dtype for p in model.net.parameters()} == {torch.float32} and error(model) < 1e-3


def test_too_little_memory_says_how_much_is_needed():
    model = poisson()
    with pytest.raises(MemoryError, match=r"62|64 rows.*primal .* GiB, dual .* GiB, matrix_free"):
        train(model, memory_limit_gb=1e-9)
    assert model.losshistory.steps == []


def test_another_path_where_memory_is_short(problem):
    model = poisson()
    train(model, 10, memory_limit_gb=3e-5)  # the Jacobian does not fit, products do
    assert total(model) < 1e-2 * sum(model.losshistory.loss_train[0])


# ---- what is not finite -------------------------------------------------------------------------


def test_a_trial_that_is_not_finite_is_rejected():
    """log u = -x, from u = 5: the first steps make u negative, where there is no logarithm."""
    negative = []

    def logarithm(x, y):
        negative.append(bool((y < 0).any()))
        return torch.log(y) + x

    net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
    net.linears[-1].bias.data.fill_(5.0)
    model = poisson(data=dde.data.PDE(LINE, logarithm, [], 60, 2), net=net)
    train(model, 60)
    assert any(negative) and not negative[0]
    assert error(model, lambda x: np.exp(-x)) < 1e-5


def test_new_points_may_have_no_finite_residual(capsys):
    good = np.linspace(0, 1, 62)[:, None]

    def picky(x, y):
        return equation(x, y) + 0 * torch.sqrt(1.5 - x)

    model = poisson(picky, net=dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))
    points = iter([good] * 6 + [2 * good] * 10)
    model.data.train_next_batch = lambda batch_size=None: (
        np.vstack([[[0.0], [1.0]], next(points)]),
        None,
        None,
    )
    train(model, 10, verbose=1)
    assert model.train_state.step == 5
    assert re.search(
        r"ended after 5 iterations: the residuals must be finite.*in \d+ of 62 rows of pde_1",
        capsys.readouterr().out,
    )
    assert all(parameter.isfinite().all() for parameter in model.net.parameters())


def test_test_points_without_a_finite_loss_stop_as_in_deepxde(capsys):
    model = poisson(lambda x, y: equation(x, y) + 0 * torch.sqrt(1.5 - x))
    model.data.test = lambda: (np.array([[0.0], [1.0], [2.0]]), None, None)
    train(model, 10, verbose=1)
    assert model.train_state.step == 1
    assert "the loss on the test points is NaN" in capsys.readouterr().out


# ---- interruptions ------------------------------------------------------------------------------


class Interrupts:
    """An equation that is interrupted from the keyboard at its n-th evaluation."""

    def __init__(self, at):
        self.left = at

    def __call__(self, x, y):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return equation(x, y)


@pytest.mark.parametrize("at", range(10, 30))
def test_ctrl_c_keeps_the_last_accepted_step(problem, at, capsys):
    pde = Interrupts(at)
    model, hooks = poisson(pde), Hooks()
    accepted = [problem.vector(model)]
    keep = problem.At("on_batch_end", lambda _: accepted.append(problem.vector(model)))
    history, state = train(model, 30, hooks, keep, verbose=1, display_every=2)
    assert pde.left <= 0, "it was interrupted"
    assert "interrupted; the last accepted step is kept." in capsys.readouterr().out
    if state.step == len(accepted) - 1:  # else interrupted in the test after a step that counts
        assert torch.equal(problem.vector(model), accepted[-1])
    assert hooks.calls[-1] == "train_end" and history.steps[0] == 0
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    problem.train(model, iterations=2)
    train(model, 30)
    assert error(model) < 3e-2


def test_ctrl_c_in_a_callback(problem):
    def interrupt(iteration):
        if iteration == 4:
            raise KeyboardInterrupt

    model, adaptive = poisson(), pinn_ext.AdaptiveWeights(verbose=0)
    train(model, 10, adaptive, problem.At("on_batch_begin", interrupt))
    assert model.train_state.step == 3 and "losses_train" not in vars(model.data)


def test_an_error_of_a_callback_leaves_the_model_usable(problem):
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


def test_an_error_of_the_equation_is_the_users_own(problem):
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
    train(model, 20)
    assert error(model) < 3e-2


# ---- what is its own ----------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_all_paths_lead_to_the_same(problem, solver):
    model = poisson()
    train(model, 6, solver=solver)
    dde.config.set_random_seed(0)
    reference = poisson()
    train(reference, 6, solver="primal")
    ours, theirs = total(model), total(reference)
    assert ours == pytest.approx(theirs, rel=0.3 if solver == "matrix_free" else 1e-6)


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("geodesic", [True, False])
def test_all_dampings_lower_the_loss(damping, geodesic):
    model = poisson()
    train(model, 25, damping=damping, geodesic=geodesic)
    part = 1.0 if damping == "line_search" else 1e-2  # undamped steps are for good starts
    assert total(model) < part * sum(model.losshistory.loss_train[0])


def test_the_same_seed_gives_the_same_bits(problem):
    vectors = []
    for _ in range(2):
        dde.config.set_random_seed(7)
        model = poisson()
        train(model, 15, resample_every=4)
        vectors.append(problem.vector(model))
    assert torch.equal(*vectors)


def training(model, **options):
    settings = {
        "tolerance": 1e-6, "damping": "nielsen", "geodesic": True, "solver": "auto",
        "weights": "keep", "resample_every": 0, "memory_limit_gb": None, "verbose": 0,
    }  # fmt: skip
    return GaussNewtonTraining(model, **{**settings, **options})


def stored(state):
    """Write and read a state as a checkpoint would."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("damping", DAMPINGS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_run_goes_on_bit_for_bit(problem, damping, weights):
    options = {"damping": damping, "weights": weights, "resample_every": 4}

    def fresh():
        dde.config.set_random_seed(0)
        adaptive = pinn_ext.AdaptiveWeights("ema", period=3, verbose=0)
        return poisson(points=40), adaptive, [adaptive] if weights == "adapt" else []

    model, _, callbacks = fresh()
    training(model, **options).run(14, callbacks=callbacks)
    wanted = problem.vector(model)

    model, adaptive, callbacks = fresh()
    first = training(model, **options)
    first.run(6, callbacks=callbacks)
    assert first.done == 6 and first.message == "all 6 iterations are made"
    saved = stored([first.state_dict(), adaptive.state_dict() if callbacks else None])
    network, points = copy.deepcopy(model.net.state_dict()), np.random.get_state()
    x = model.data.train_x, model.data.train_x_all, model.data.train_x_bc

    first.run(14, callbacks=callbacks)  # in the same process
    assert torch.equal(problem.vector(model), wanted)

    model, adaptive, callbacks = fresh()
    model.net.load_state_dict(network)
    model.data.train_x, model.data.train_x_all, model.data.train_x_bc = x
    if callbacks:
        adaptive.load_state_dict(saved[1], model)
    second = training(model, **options)
    second.load_state_dict(saved[0])
    np.random.set_state(points)
    second.run(14, callbacks=callbacks)
    assert torch.equal(problem.vector(model), wanted) and second.done == 14


def test_a_run_takes_up_what_others_have_trained(problem):
    model = poisson()
    run = training(model)
    run.run(5)
    problem.train(model, iterations=3)
    vector = problem.vector(model)
    run.run(5)  # nothing is left to do
    assert torch.equal(problem.vector(model), vector)
    run.run(8)
    assert not torch.equal(problem.vector(model), vector) and model.train_state.step == 11


def test_frozen_parameters_stay(problem):
    net = dde.nn.FNN([1, 6, 6, 1], "tanh", "Glorot normal")
    for parameter in net.linears[1].parameters():
        parameter.requires_grad_(False)
    kept = [parameter.clone() for parameter in net.linears[1].parameters()]
    model = poisson(net=net)
    train(model, 10, display_every=3)
    flags = [parameter.requires_grad for parameter in net.parameters()]
    assert flags == [True, True, False, False, True, True]
    assert all(map(torch.equal, net.linears[1].parameters(), kept))
    assert total(model) < 0.1 * sum(model.losshistory.loss_train[0])


def test_a_coefficient_alone_is_found_for_a_given_field():
    model, k = decay_model()
    train(model, 30)
    model.net.requires_grad_(False)
    with torch.no_grad():
        k.fill_(0.2)
    train(model, 10)
    assert k.item() == pytest.approx(1.7, abs=1e-4)
    assert not any(parameter.requires_grad for parameter in model.net.parameters())


def test_regularisation_is_part_of_what_is_minimised(problem):
    def trained(decay):
        dde.config.set_random_seed(0)
        net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
        net.regularizer = ("l2", decay)
        model = poisson(net=net)
        train(model, 60)
        return model

    model = trained(1e-2)
    assert problem.vector(model).norm() < 0.9 * problem.vector(trained(1e-12)).norm()
    rows = ModelRows(model)
    residual, jacobian = rows.linearize(rows.get())
    gradient = jacobian.T @ residual
    assert gradient.norm() < 1e-3 * jacobian.norm() * residual.norm()


def test_nothing_is_left_behind(problem):
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
