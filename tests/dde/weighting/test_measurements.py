"""Gradients and tangent kernels that `AdaptiveWeights` measures in stock DeepXDE scripts."""

import math

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext import AdaptiveWeights, strategies
from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.measurements import meter as meters
from tests.stored import stored

OF_GRADIENTS = [
    name
    for name in strategies.names()
    if strategies.create(name).needs & {"gradients", "gradient_vectors"}
]
READ_MORE = [*OF_GRADIENTS, "ntk"]
FREE = {"normalization": "none", "max_ratio": None, "verbose": 0}


@pytest.fixture
def double():
    dde.config.set_default_float("float64")


@pytest.fixture
def seen(monkeypatch):
    """Return a list that gets what each update is shown: losses, gradients, traces."""
    rows = []
    inner = AdaptiveLossWeights.update

    def spy(self, epoch, loss_values, **more):
        rows.append({"epoch": epoch, "losses": loss_values, **more})
        return inner(self, epoch, loss_values, **more)

    monkeypatch.setattr(AdaptiveLossWeights, "update", spy)
    return rows


def parameters_before_steps(problem, model):
    """Return a callback and the list that it fills with the parameters before each step."""
    kept = []
    return problem.At("on_batch_begin", lambda _: kept.append(problem.vector(model).clone())), kept


def put(model, vector):
    start = 0
    for tensor in [*model.net.parameters(), *model.external_trainable_variables]:
        tensor.data.copy_(vector[start : start + tensor.numel()].view_as(tensor))
        start += tensor.numel()


def evaluate(model, loss_fn=None):
    """Return raw losses, or residuals, of a separate evaluation at the model's parameters."""
    state = model.train_state
    inputs = torch.as_tensor(state.X_train).requires_grad_()
    model.net.train()
    losses = model.data.losses_train(
        state.y_train,
        model.net(inputs),
        loss_fn or torch.nn.functional.mse_loss,
        inputs,
        model,
    )
    dde.gradients.clear()
    return losses if isinstance(losses, list) else [losses]


def plain_gradients(model, vector):
    """Return the gradient of each loss at parameters, `[k, P]`."""
    put(model, vector)
    parameters = [p for p in model.net.parameters() if p.requires_grad]
    rows = [
        torch.autograd.grad(
            loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for loss in evaluate(model)
    ]
    return torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])


def trace_row_by_row(model):
    """Return mean and Frobenius norm over N of the tangent kernel of each term."""
    parameters = list(model.net.parameters())
    found = []
    for residual in evaluate(model, lambda target, value: value - target):
        rows = torch.stack(
            [
                torch.cat(
                    [
                        part.reshape(-1)
                        for part in torch.autograd.grad(
                            number, parameters, retain_graph=True, materialize_grads=True,
                            allow_unused=True,
                        )
                    ]
                )
                for number in residual.reshape(-1)
            ]
        )  # fmt: skip
        kernel = rows @ rows.T
        found.append(
            (kernel.trace().item() / len(kernel), torch.linalg.norm(kernel).item() / len(kernel))
        )
    return found


@pytest.mark.parametrize("optimizer", ["adam", "L-BFGS"])
def test_measured_gradients_are_those_of_a_separate_evaluation(problem, seen, double, optimizer):
    dde.optimizers.config.LBFGS_options.update(maxiter=6, iter_per_step=3, fun_per_step=99)
    model = problem.heat(optimizer, lr=None if optimizer == "L-BFGS" else 1e-2)
    keep, before = parameters_before_steps(problem, model)
    adaptive = AdaptiveWeights(
        "lr_annealing", period=2, second_phase="blocks", diagnostics=True, verbose=0
    )
    problem.train(model, keep, adaptive, iterations=6)
    measured = before[1::2] if optimizer == "adam" else before
    assert len(seen) == len(measured) >= 2
    for row, vector in zip(seen, measured, strict=True):
        wanted = plain_gradients(model, vector)
        assert torch.allclose(row["gradients"].vectors, wanted, rtol=1e-9, atol=1e-14)
        assert row["gradients"].norms == pytest.approx(wanted.norm(dim=1).tolist(), rel=1e-9)
    last = adaptive.gradient_history[-1]
    assert last["norms"] == pytest.approx(wanted.norm(dim=1).tolist(), rel=1e-9)
    units = wanted / wanted.norm(dim=1, keepdim=True)
    assert np.array(last["cosines"]) == pytest.approx((units @ units.T).numpy(), abs=1e-9)


@pytest.mark.parametrize("strategy", READ_MORE)
def test_nothing_is_measured_but_at_updates(problem, monkeypatch, strategy):
    steps = []
    model = problem.heat()
    for name in ("measure_gradients", "unit_traces"):
        inner = getattr(meters, name)

        def counted(*args, inner=inner, **kwargs):
            steps.append(model.train_state.step + 1)
            return inner(*args, **kwargs)

        monkeypatch.setattr(meters, name, counted)
    adaptive = AdaptiveWeights(
        strategy, period=2, update_frequency=2, warm_up=1, freeze_after=6, verbose=0
    )
    problem.train(model, adaptive, iterations=20)
    # Of periods 1 to 6, the first is warm-up, the next always acts, later ones if even.
    assert steps == [4, 8, 12]
    assert adaptive.manager.updates == 3


def test_unread_gradients_are_not_taken(problem, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("measured although no one reads it")

    monkeypatch.setattr(meters, "measure_gradients", refuse)
    monkeypatch.setattr(meters, "unit_traces", refuse)
    problem.train(problem.heat(), AdaptiveWeights("ema", period=2, verbose=0), iterations=4)


def source(x, y, rate):
    return -dde.grad.hessian(y, x) - rate * torch.sin(x)


@pytest.mark.parametrize("points", [2, 5])
def test_exact_kernel_is_that_of_the_jacobian_row_by_row(problem, seen, double, points):
    rate = dde.Variable(2.0)  # not a parameter of the network: left out of the kernel
    model = problem.poisson(
        pde=lambda x, y: source(x, y, rate),
        external_trainable_variables=[rate],
        loss_weights=[3.0, 0.5],
    )
    problem.train(
        model,
        AdaptiveWeights("ntk", period=points, options={"estimator": "exact"}, **FREE),
        iterations=points,
    )
    (row,) = seen
    wanted = [trace for trace, _ in trace_row_by_row(model)]
    assert row["ntk"] == pytest.approx(wanted, rel=1e-10)
    assert model.loss_weights.tolist() == pytest.approx([sum(wanted) / t for t in wanted])


def test_estimated_kernel_agrees_within_its_stated_error(problem, seen, double):
    probes, model = 400, problem.heat(lr=1e-12)
    adaptive = AdaptiveWeights("ntk", period=1, options={"probes": probes}, **FREE)
    problem.train(model, adaptive, iterations=1)
    (row,) = seen
    for found, (trace, norm) in zip(row["ntk"], trace_row_by_row(model), strict=True):
        assert abs(found - trace) < 4 * math.sqrt(2 / probes) * norm
        assert found != pytest.approx(trace, rel=1e-9)


def test_kernel_of_a_group_and_of_a_term_that_is_only_watched(problem, seen, double):
    model = problem.heat(loss_weights=[1.0, 0.0, 2.0])
    exact = {"estimator": "exact"}
    problem.train(model, AdaptiveWeights("ntk", period=1, options=exact, **FREE), iterations=1)
    traces = [trace for trace, _ in trace_row_by_row(model)]
    assert seen[-1]["ntk"] == pytest.approx([traces[0], traces[2]], rel=1e-10)
    assert model.loss_weights[1] == 0.0
    for options in (exact, {"probes": 3}):
        model = problem.heat(loss_weights=[1.0, 1.0, 3.0])
        adaptive = AdaptiveWeights(
            "ntk", period=1, options=options, groups={"data": ["dirichlet_1", "ic_1"]}, **FREE
        )
        problem.train(model, adaptive, iterations=1)
        assert len(seen[-1]["ntk"]) == 2
        assert model.loss_weights[2] == pytest.approx(3 * model.loss_weights[1].item())
        if options == exact:
            traces = [trace for trace, _ in trace_row_by_row(model)]
            wanted = [traces[0], 0.5 * traces[1] + 1.5 * traces[2]]
            assert seen[-1]["ntk"] == pytest.approx(wanted, rel=1e-10)


def test_gradients_of_a_group(problem, seen, double):
    model = problem.heat(loss_weights=[1.0, 1.0, 3.0])
    keep, before = parameters_before_steps(problem, model)
    adaptive = AdaptiveWeights(
        "gradient_balance", period=1, groups={"data": ["dirichlet_1", "ic_1"]}, **FREE
    )
    problem.train(model, keep, adaptive, iterations=1)
    assert [unit.name for unit in adaptive.manager.units] == ["pde_1", "data"]
    after = problem.vector(model)
    own = plain_gradients(model, before[0])
    put(model, after)
    wanted = [own[0].norm().item(), (0.5 * own[1] + 1.5 * own[2]).norm().item()]
    assert seen[0]["gradients"].norms == pytest.approx(wanted, rel=1e-10)
    assert model.loss_weights[2] == pytest.approx(3 * model.loss_weights[1].item())


def test_frozen_layers_are_left_out(problem, seen):
    model = problem.heat()
    first = next(model.net.parameters())  # DeepXDE's first test would thaw it
    freeze = problem.At("on_train_begin", lambda _: first.requires_grad_(False))
    start = first.detach().clone()
    problem.train(model, freeze, AdaptiveWeights("gradient_balance", period=2, verbose=0))
    assert torch.equal(first, start)
    whole = [p.numel() for p in model.net.parameters()]
    assert all(row["gradients"].sizes == whole[1:] for row in seen) and len(seen) == 5


@pytest.mark.parametrize(("where", "tensors"), [("all", 4), ("last_layer", 2), (0.5, 2)])
def test_part_of_the_parameters(problem, seen, where, tensors):
    model = problem.heat()
    adaptive = AdaptiveWeights("inverse_dirichlet", period=2, gradients_of=where, verbose=0)
    problem.train(model, adaptive, iterations=4)
    sizes = [p.numel() for p in model.net.parameters()]
    measured = seen[0]["gradients"].sizes
    assert len(measured) == tensors and seen[1]["gradients"].sizes == measured
    if where == "last_layer":
        assert measured == sizes[2:]


RESUMED = [
    ("lr_annealing", {}),
    ("gradient_balance", {}),
    ("gradnorm", {}),
    ("gradnorm", {"solver": "closed"}),
    ("inverse_dirichlet", {}),
    ("db_mtl", {"beta": 0.5}),
    ("ntk", {}),
    ("ntk", {"estimator": "exact"}),
    ("db_pinn", {"measure": "kurtosis"}),
    ("gradient_balance", {"average": 0.5}),
    ("random", {}),
    ("brdr_terms", {"steps": 3}),
    ("capu", {"steps": 2}),
]


@pytest.mark.parametrize(("strategy", "options"), RESUMED, ids=str)
def test_resumed_bit_for_bit(problem, strategy, options):
    def fresh():
        dde.config.set_random_seed(0)
        return problem.heat(), AdaptiveWeights(strategy, period=2, options=options, verbose=0)

    straight, adaptive = fresh()
    problem.train(straight, adaptive, iterations=9)

    model, first = fresh()
    problem.train(model, first, iterations=5)  # in the middle of a period
    states = [model.net.state_dict(), model.opt.state_dict(), first.state_dict()]
    network, optimizer, own = stored(states)

    resumed, second = fresh()
    torch.manual_seed(99)
    resumed.net.load_state_dict(network)
    resumed.opt.load_state_dict(optimizer)
    second.load_state_dict(own, resumed)
    problem.train(resumed, second, iterations=4)
    assert torch.equal(problem.vector(resumed), problem.vector(straight))
    assert torch.equal(resumed.loss_weights, straight.loss_weights)
    assert second.manager.state_dict() == adaptive.manager.state_dict()


@pytest.mark.parametrize("strategy", READ_MORE)
def test_refused_in_gauss_newton_unless_frozen(problem, strategy, double):
    model = problem.poisson(net=problem.net(width=2))
    adaptive = AdaptiveWeights(strategy, period=1, verbose=0)
    with pytest.raises(ValueError, match=r"`weights` must be 'keep' or 'balance'.*got 'adapt'"):
        pinn_ext.train_gauss_newton(
            model, iterations=2, callbacks=[adaptive], weights="adapt", verbose=0
        )
    pinn_ext.train_gauss_newton(model, iterations=2, callbacks=[adaptive], verbose=0)
    assert adaptive.manager.updates == 0


def detached(inputs, outputs, X):
    return outputs.detach()[:, :1]


@pytest.mark.parametrize("strategy", READ_MORE)
def test_a_condition_without_gradient_is_refused(problem, strategy):
    line = dde.geometry.Interval(0, 1)
    walls = dde.icbc.OperatorBC(line, detached, lambda _, on: on)
    model = dde.Model(problem.poisson_data(bcs=[walls]), problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    with pytest.raises(
        ValueError, match=r"must depend on the network.*'operator_1' without a grad"
    ):
        problem.train(model, AdaptiveWeights(strategy, period=2, verbose=0))
    # One that reads losses only trains it, and nothing of the refused callback is left behind.
    problem.train(model, AdaptiveWeights("ema", period=2, verbose=0), iterations=2)


class Doubled(dde.data.PDE):
    """Two terms, made of one call of the loss function."""

    def losses(self, *args, **kwargs):
        (one,) = super().losses(*args, **kwargs)
        return [one, 2 * one]


def test_kernel_of_terms_that_are_no_residuals_is_refused(problem):
    def equation(x, y):
        return -dde.grad.hessian(y, x) - torch.sin(x)

    data = Doubled(dde.geometry.Interval(0, 1), equation, [], 8, 2)
    model = dde.Model(data, problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    with pytest.raises(ValueError, match="Each of 2 loss terms must be the loss of one residual"):
        problem.train(model, AdaptiveWeights("ntk", period=2, verbose=0))
    model = problem.poisson(loss="MAE")
    exact = AdaptiveWeights("ntk", period=2, options={"estimator": "exact"}, verbose=0)
    with pytest.raises(ValueError, match="must be a mean of squared residuals"):
        problem.train(model, exact)


@pytest.mark.parametrize("strategy", READ_MORE)
def test_a_term_that_does_not_move_the_network(problem, strategy):
    """An equation of the inputs alone has a gradient of zero: weights stay legal."""
    model = problem.poisson(pde=lambda x, y: x + 0 * y)
    adaptive = AdaptiveWeights(strategy, period=1, verbose=0)
    problem.train(model, adaptive, iterations=5)
    weights = model.loss_weights
    assert torch.isfinite(weights).all() and (weights > 0).all()
    assert adaptive.stopped is None
