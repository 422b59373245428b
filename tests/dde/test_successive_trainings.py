"""Several trainings in a row, second-order optimisers, and DeepXDE's traps in between."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveWeights
from pinn_ext.dde.model import optimizers


def lbfgs(**options):
    dde.optimizers.config.LBFGS_options.update(
        **{"maxiter": 20, "iter_per_step": 10, "fun_per_step": 13, **options}
    )


def recorded(model):
    return np.asarray(model.losshistory.loss_train[-1])


def test_weights_in_force_are_what_deepxde_multiplies_by(problem):
    adaptive = AdaptiveWeights("ema", period=2, verbose=0)
    model = problem.train(problem.heat(), adaptive, iterations=7, display_every=7)
    weights = list(adaptive.manager.get_weights().values())
    assert recorded(model) == pytest.approx(np.multiply(weights, adaptive._last), rel=1e-5)
    assert model.loss_weights.tolist() == pytest.approx(weights)


def test_weights_act_at_the_step_after_their_update(problem):
    model, totals = problem.heat(lr=1e-6), []
    step = model.opt.step

    def spy(closure):
        total = step(closure)
        totals.append(total.item())
        return total

    model.opt.step = spy
    adaptive = AdaptiveWeights(period=3, normalization="none", max_ratio=None, verbose=0)
    problem.train(model, adaptive, iterations=4)
    weights, losses = adaptive.history[0]["weights"], adaptive.history[0]["losses"]
    assert totals[2] == pytest.approx(sum(losses), rel=1e-3)
    assert totals[3] == pytest.approx(np.dot(weights, losses), rel=1e-3) != sum(losses)


def test_each_update_assigns_a_fresh_detached_tensor(problem):
    model, seen = problem.heat(), []
    watch = problem.At("on_batch_end", lambda _: seen.append(model.loss_weights))
    problem.train(model, AdaptiveWeights("ema", period=1, verbose=0), watch, iterations=4)
    assert len({id(weights) for weights in seen}) == 4
    assert all(not weights.requires_grad and weights.is_leaf for weights in seen)


@pytest.mark.parametrize("rescale", [True, False])
def test_moments_are_rescaled_once_when_the_total_jumps(problem, monkeypatch, rescale):
    factors = []
    original = optimizers.rescale_moments
    monkeypatch.setattr(
        optimizers, "rescale_moments", lambda opt, c: (factors.append(c), original(opt, c))
    )
    model = problem.heat(loss_weights=[1e-3] * 3)
    moments = {}

    def look(when):
        return lambda step: moments.update({(when, step): problem.state(model)})

    adaptive = AdaptiveWeights(
        period=3, normalization="none", rescale_moments=rescale, max_ratio=None, verbose=0
    )
    problem.train(
        model,
        problem.At("on_batch_end", look("before")),
        adaptive,
        problem.At("on_batch_end", look("after")),
        iterations=8,
    )
    weights, losses = adaptive.history[0]["weights"], adaptive.history[0]["losses"]
    jump = np.dot(weights, losses) / (1e-3 * sum(losses))
    assert jump > 10 and factors == ([pytest.approx(jump)] if rescale else [])
    for index, (old, new) in enumerate(zip(moments["before", 3], moments["after", 3], strict=True)):
        power = index % 3  # step, exp_avg, exp_avg_sq of each parameter
        assert torch.allclose(new, old * (jump**power if rescale else 1.0), rtol=1e-4)


def test_rescaling_knows_each_kind_of_moment():
    parameter = torch.nn.Parameter(torch.ones(2))
    for make, changed in (
        (lambda p: torch.optim.Adam(p, amsgrad=True), {"exp_avg": 3, "exp_avg_sq": 9}),
        (lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9), {"momentum_buffer": 3}),
        (lambda p: torch.optim.Adamax(p), {"exp_avg": 3, "exp_inf": 3}),
        (lambda p: torch.optim.Adagrad(p), {"sum": 9}),
        (
            lambda p: torch.optim.RMSprop(p, momentum=0.9, centered=True),
            {"square_avg": 9, "grad_avg": 3, "momentum_buffer": 1},
        ),
    ):
        optimizer = make([parameter])
        parameter.grad = torch.tensor([1.0, -2.0])
        optimizer.step()
        before = {k: v.clone() for k, v in optimizer.state[parameter].items()}
        optimizers.rescale_moments(optimizer, 3.0)
        for key, factor in {**changed, "step": 1}.items():
            if key in before:
                assert torch.allclose(optimizer.state[parameter][key], factor * before[key])


def test_adam_then_lbfgs_hands_the_weights_over_and_freezes_them(problem, capsys):
    lbfgs()
    adaptive = AdaptiveWeights("ema", period=2)
    model = problem.train(problem.heat(), adaptive, iterations=6)
    moved = model.loss_weights.tolist()
    model.compile("L-BFGS", verbose=0)
    assert model.loss_weights is None  # DeepXDE has dropped them
    capsys.readouterr()
    for again in range(2):
        problem.train(model, adaptive)
        assert model.loss_weights.tolist() == moved
        shown = capsys.readouterr().out
        assert ("weights that compile() dropped are back: pde_1=" in shown) == (not again)
        assert recorded(model) == pytest.approx(np.multiply(moved, adaptive._last), rel=1e-5)
        assert ("weights are frozen for L-BFGS: pde_1=" in shown) == (not again)  # said once
    assert [row["weights"] for row in adaptive.history[3:]] == [pytest.approx(moved)] * 3


def test_a_new_callback_takes_up_the_last_weights(problem, capsys):
    lbfgs()
    model = problem.heat()
    problem.train(model, AdaptiveWeights("ema", period=2, verbose=0), iterations=6)
    moved = model.loss_weights.tolist()
    model.compile("L-BFGS", verbose=0)
    problem.train(model, AdaptiveWeights("ema"))
    assert model.loss_weights.tolist() == pytest.approx(moved)
    assert "weights of the last training are taken up: pde_1=" in capsys.readouterr().out
    assert problem.heat().loss_weights is None  # another model has no such history


def test_compiling_with_weights_starts_from_those(problem):
    adaptive = AdaptiveWeights("equal_init", period=2, verbose=0)
    model = problem.train(problem.heat(), adaptive, iterations=4)
    assert adaptive.manager.updates == 1
    model.compile("adam", lr=1e-2, loss_weights=[1.0, 5.0, 2.0], verbose=0)
    problem.train(model, adaptive, iterations=1)
    assert adaptive.manager.updates == 0
    assert model.loss_weights.tolist() == [1.0, 5.0, 2.0]
    problem.train(model, adaptive, iterations=2)
    assert adaptive.manager.updates == 1  # it equalises again


def test_two_trainings_in_a_row_are_one(problem):
    results = []
    for parts in ([12], [5, 7], [1] * 12):
        dde.config.set_random_seed(4)
        model, adaptive = problem.heat(), AdaptiveWeights("ema", period=4, verbose=0)
        for iterations in parts:
            problem.train(model, adaptive, iterations=iterations)
        results.append(([row["weights"] for row in adaptive.history], problem.vector(model)))
    assert len(results[0][0]) == 3
    for history, vector in results[1:]:
        assert history == results[0][0] and torch.equal(vector, results[0][1])


def test_another_number_of_terms_starts_anew(problem):
    model, adaptive = problem.heat(), AdaptiveWeights(period=2, verbose=0)
    problem.train(model, adaptive, iterations=4)
    model.data.bcs, model.data.num_bcs = [], []
    model.data.train_x = model.data.train_y = model.data.train_aux_vars = None
    model.data.train_next_batch()
    model.compile("adam", lr=1e-2, verbose=0)
    problem.train(model, adaptive, iterations=4)
    assert adaptive.manager.loss_names == ["pde_1"] and model.loss_weights.shape == (1,)
    assert adaptive.restore_best() >= 4


@pytest.mark.parametrize("wanted", [1, 7, 30])
def test_lbfgs_makes_no_more_iterations_than_maxiter(problem, wanted):
    """DeepXDE freezes the length of a block at import and would run 1000."""
    dde.optimizers.set_LBFGS_options(maxiter=wanted)
    dde.optimizers.config.LBFGS_options["iter_per_step"] = 1000
    model = problem.poisson("L-BFGS", lr=None)
    problem.train(model, AdaptiveWeights(verbose=0))
    assert model.opt.state_dict()["state"][0]["n_iter"] <= wanted


def test_lbfgs_ends_where_deepxde_would_go_on_for_ever(problem, capsys):
    lbfgs(maxiter=1000, gtol=1e3)  # every gradient counts as converged
    model = problem.heat("L-BFGS", lr=None)
    problem.train(model, AdaptiveWeights())
    assert "L-BFGS has converged" in capsys.readouterr().out
    lbfgs(gtol=1e-8)
    model.compile("L-BFGS", verbose=0)
    problem.train(model, AdaptiveWeights(verbose=0))
    for group in model.opt.param_groups:  # converged after some blocks, too
        group["tolerance_grad"] = 1e3
    problem.train(model, AdaptiveWeights(verbose=0))


def test_lbfgs_that_converges_within_a_block_is_counted(problem):
    lbfgs(maxiter=2000, iter_per_step=500, fun_per_step=700, gtol=1e-2)
    adaptive = AdaptiveWeights(verbose=0)
    model = problem.train(problem.poisson("L-BFGS", lr=None), adaptive)
    assert adaptive.stopped is None and len(adaptive.history) >= 1
    assert "losses_train" not in vars(model.data)


@pytest.mark.parametrize("kind", ["L-BFGS", "NNCG"])
def test_the_first_evaluation_of_a_step_counts(problem, kind):
    dde.optimizers.set_NNCG_options(rank=2, cgmaxiter=3)
    dde.config.set_random_seed(6)
    net = problem.net()
    object_ = torch.optim.LBFGS(net.parameters(), max_iter=4, line_search_fn="strong_wolfe")
    model = problem.poisson(object_ if kind == "L-BFGS" else "NNCG", lr=None, net=net)
    inner, seen, first = model.data.losses_train, [], []

    def spy(*args, **kwargs):
        losses = inner(*args, **kwargs)
        seen.append([loss.item() for loss in losses])
        return losses

    model.data.losses_train = spy
    start = problem.At("on_batch_begin", lambda _: first.append(len(seen)))
    adaptive = AdaptiveWeights("ema", period=1, verbose=0)
    problem.train(model, start, adaptive, iterations=3)
    assert len(seen) > 3 + 1
    assert [row["losses"] for row in adaptive.history] == [seen[index] for index in first]
    assert model.loss_weights.tolist() == [1.0, 1.0]  # frozen


def test_resampled_points_are_seen(problem):
    model, adaptive = problem.heat(), AdaptiveWeights("ema", period=2, verbose=0)
    resample = dde.callbacks.PDEPointResampler(period=2)
    problem.train(model, resample, adaptive, iterations=6)
    problem.train(model, adaptive, resample, iterations=5)
    assert len(adaptive.history) == 5 and adaptive.stopped is None
    assert recorded(model) == pytest.approx(
        np.multiply(model.loss_weights.tolist(), adaptive._last), rel=1e-5
    )


def test_an_l1_regulariser_appends_a_loss_without_a_weight(problem):
    net = problem.net(regularizer=("l1", 1e-3))
    model, adaptive = problem.poisson(net=net), AdaptiveWeights("ema", period=2, verbose=0)
    problem.train(model, adaptive, iterations=7)
    assert adaptive.manager.loss_names == ["pde_1", "dirichlet_1"]
    assert len(recorded(model)) == 3 and len(model.loss_weights) == 2
    weighted = np.multiply(model.loss_weights.tolist(), adaptive._last)
    assert recorded(model)[:2] == pytest.approx(weighted, rel=1e-5)


def test_a_recorder_left_by_an_exception_goes_at_the_next_training(problem):
    def interrupt(step):
        if step == 3:
            raise KeyboardInterrupt

    model, adaptive = problem.heat(), AdaptiveWeights("ema", period=2, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        problem.train(model, adaptive, problem.At("on_batch_begin", interrupt))
    assert "losses_train" in vars(model.data)
    # Residual vectors may be asked for in the meantime.
    x = torch.as_tensor(model.train_state.X_train).requires_grad_()
    vectors = model.data.losses_train(None, model.net(x), lambda t, p: p - t, x, model)
    assert [vector.ndim for vector in vectors] == [2, 2, 2]
    rows = len(adaptive.history)
    problem.train(model, iterations=3)
    assert "losses_train" not in vars(model.data) and len(adaptive.history) == rows

    with pytest.raises(KeyboardInterrupt):
        problem.train(model, adaptive, problem.At("on_batch_begin", interrupt))
    problem.train(model, adaptive, iterations=4)
    assert "losses_train" not in vars(model.data)
    assert type(model).train is dde.Model.train and len(adaptive.history) > rows


def test_frozen_layers_do_not_hide_the_steps(problem):
    rate = dde.Variable(2.0)

    def pde(x, y):
        return -dde.grad.hessian(y, x) - rate * torch.sin(x)

    model = problem.poisson(pde=pde, external_trainable_variables=[rate])
    freeze = problem.At("on_batch_begin", lambda _: model.net.requires_grad_(False))
    adaptive = AdaptiveWeights("ema", period=2, verbose=0)
    problem.train(model, freeze, adaptive, iterations=4)
    assert len(adaptive.history) == 2


@pytest.mark.parametrize("second_phase", ["freeze", "blocks"])
def test_a_row_of_a_block_has_the_losses_of_its_end(problem, second_phase):
    lbfgs(maxiter=30, fun_per_step=100)
    adaptive = AdaptiveWeights(
        "ema", period=2, verbose=0, second_phase=second_phase, diagnostics=True
    )
    model = problem.train(problem.heat(), adaptive, iterations=6)
    model.compile("L-BFGS", verbose=0)
    problem.train(model, adaptive)
    state, row = model.train_state, adaptive.history[-1]
    model.loss_weights = None
    raw = model.outputs_losses_train(state.X_train, state.y_train, state.train_aux_vars)[1]
    assert row["step"] == state.step and row["losses"] == pytest.approx(raw.tolist())
    ends = [one["step"] for one in adaptive.history]
    steps = [one["step"] for one in adaptive.gradient_history]
    assert ends[:3] == [2, 4, 6] and len(ends) >= 6
    assert steps == [2, 4, *ends[2:3], *ends[2:-1]]  # where they were measured: as blocks begin


@pytest.mark.parametrize("first", [True, False])
def test_the_best_of_other_tensors_is_forgotten(problem, first):
    """A variable that is trained, or no more, belongs to another model than before."""
    adaptive, factor = AdaptiveWeights("ema", period=2, verbose=0), dde.Variable(2.0)

    def compiled(trains):
        variables = [factor] if trains else []
        model.compile("adam", lr=1e-3, external_trainable_variables=variables, verbose=0)

    model = problem.heat()
    compiled(first)
    problem.train(model, adaptive, iterations=6)
    compiled(not first)
    before = [p.detach().clone() for p in model.net.parameters()]
    with pytest.raises(ValueError, match="must be of the tensors that are trained now"):
        adaptive.restore_best()
    assert all(map(torch.equal, before, model.net.parameters()))
    problem.train(model, adaptive, iterations=4)
    assert adaptive.restore_best() > 6
