"""A training that breaks stops at that very step, with finite parameters."""

import itertools
import math

import deepxde as dde
import pytest
import torch

from pinn_ext import AdaptiveWeights
from pinn_ext.dde.weighting.step_snapshot import Snapshot
from tests.pairs import pairwise


class Breaks:
    """A Poisson residual whose value, or whose gradient only, breaks at a chosen evaluation."""

    def __init__(self, at, value=float("nan"), gradient_only=False):
        self.at, self.value, self.gradient_only, self.calls = at, value, gradient_only, 0

    def __call__(self, x, y):
        residual = -dde.grad.hessian(y, x) - torch.sin(x)
        self.calls += 1
        if self.calls < self.at:
            return residual
        if self.gradient_only:  # sqrt(0): value 0, derivative infinite times 0
            return residual + torch.sqrt((y - y.detach()) ** 2)
        return residual + self.value


def evaluations_before_training(problem):
    pde = Breaks(10**9)
    model = problem.poisson(pde=pde)
    calls = []
    problem.train(model, problem.At("on_batch_begin", lambda _: calls.append(pde.calls)))
    return calls[0]


def broken(problem, step, adaptive, optimizer="adam", **options):
    """Train a model that breaks at `step`; return it and what stood before that step."""
    before = {}
    pde = Breaks(evaluations_before_training(problem) + step, **options)
    dde.config.set_random_seed(2)
    model = problem.poisson(optimizer, pde=pde)

    def look(count):
        before[count] = problem.vector(model), problem.state(model), count

    watch = problem.At("on_batch_begin", look)
    with pytest.warns(RuntimeWarning, match="training stopped, parameters are those before"):
        problem.train(model, watch, adaptive, iterations=20)
    return model, before


@pytest.mark.parametrize(
    ("optimizer", "step", "value"),
    pairwise(
        itertools.product(["adam", "sgd", "rmsprop"], [1, 4, 6], [math.nan, math.inf, -math.inf])
    ),
)
def test_a_loss_that_is_not_finite_stops_at_that_step(problem, optimizer, step, value):
    adaptive = AdaptiveWeights(period=3, verbose=0)
    model, before = broken(problem, step, adaptive, optimizer, value=value)
    assert adaptive.stopped == f"loss term pde_1 is not finite at step {step}"
    assert len(before) == step == model.train_state.step
    vector, state, _ = before[step]
    assert torch.equal(problem.vector(model), vector) and vector.isfinite().all()
    assert all(map(torch.equal, problem.state(model), state))
    assert len(problem.state(model)) == len(state)
    assert "losses_train" not in vars(model.data)
    assert len(adaptive.history) == (step - 1) // 3


@pytest.mark.parametrize("step", [1, 2, 3, 5])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_a_gradient_that_is_not_finite_restores_the_step_before(problem, optimizer, step):
    adaptive = AdaptiveWeights(period=3, verbose=0)
    model, before = broken(problem, step, adaptive, optimizer, gradient_only=True)
    reason = "a gradient is not finite although the losses are"
    assert adaptive.stopped == f"{reason} at step {step}" and len(before) == step
    vector, state, _ = before[step]
    assert torch.equal(problem.vector(model), vector) and vector.isfinite().all()
    assert all(map(torch.equal, problem.state(model), state))
    assert len(problem.state(model)) == len(state)


def test_backward_reaches_no_parameter_under_a_bad_loss(problem):
    gradients = []
    pde = Breaks(evaluations_before_training(problem) + 3)
    model = problem.poisson(pde=pde)
    step = model.opt.step

    def spy(closure):
        result = step(closure)
        gradients.append([p.grad for p in model.net.parameters() if p.grad is not None])
        return result

    model.opt.step = spy
    with pytest.warns(RuntimeWarning, match="loss term pde_1"):
        problem.train(model, AdaptiveWeights(verbose=0))
    assert len(gradients) == 3 and gradients[0] and not gradients[-1]


def test_what_moves_without_a_gradient_is_undone_too(problem):
    net = problem.net(regularizer=("l1", 1e-2))
    pde = Breaks(evaluations_before_training(problem) + 3)
    model = problem.poisson(pde=pde, net=net, decay=("step", 1, 0.5))
    before = []
    watch = problem.At(
        "on_batch_begin",
        lambda _: before.append((problem.vector(model), model.opt.param_groups[0]["lr"])),
    )
    with pytest.warns(RuntimeWarning, match="at step 3"):
        problem.train(model, watch, AdaptiveWeights(verbose=0))
    assert torch.equal(problem.vector(model), before[-1][0])
    assert model.opt.param_groups[0]["lr"] == before[-1][1] == 1e-2 / 4
    assert model.lr_scheduler.last_epoch == 2


def test_training_can_go_on_after_a_stop(problem):
    adaptive = AdaptiveWeights(period=3, verbose=0)
    model, _ = broken(problem, 4, adaptive)
    model.data.pde = lambda x, y: -dde.grad.hessian(y, x) - torch.sin(x)
    problem.train(model, adaptive, iterations=6)
    assert adaptive.stopped is None and problem.vector(model).isfinite().all()


class Twice(torch.optim.SGD):
    """Gradient descent along the gradient at the end of a step of its own, as SAM does."""

    def step(self, closure):
        with torch.enable_grad():
            closure()
        moved = [p for p in self.param_groups[0]["params"] if p.grad is not None]
        before = [p.detach().clone() for p in moved]
        with torch.no_grad():
            for p in moved:
                p.add_(p.grad, alpha=1e-3)
        with torch.enable_grad():
            loss = closure()
        with torch.no_grad():
            for p, old in zip(moved, before, strict=True):
                p.copy_(old)
        super().step()
        return loss


@pytest.mark.parametrize("evaluation", [5, 6])
@pytest.mark.parametrize("gradient_only", [False, True])
def test_each_evaluation_of_a_step_is_looked_at(problem, evaluation, gradient_only):
    net = problem.net()
    pde = Breaks(evaluations_before_training(problem) + evaluation, gradient_only=gradient_only)
    model = problem.poisson(Twice(net.parameters(), lr=1e-2), lr=None, pde=pde, net=net)
    before = []
    watch = problem.At("on_batch_begin", lambda _: before.append(problem.vector(model)))
    adaptive = AdaptiveWeights(period=10, verbose=0)
    with pytest.warns(RuntimeWarning, match="at step 3: training stopped"):
        problem.train(model, watch, adaptive, iterations=6)
    assert len(before) == 3 and torch.equal(problem.vector(model), before[-1])


class Looks(dde.callbacks.Callback):
    """A user's callback that computes losses and gradients after each step, as loggers do."""

    def on_batch_end(self):
        state = self.model.train_state
        _, losses = self.model.outputs_losses_train(state.X_train, state.y_train, None)
        self.gradients = torch.autograd.grad(
            losses.sum(), list(self.model.net.parameters()), allow_unused=True
        )


@pytest.mark.parametrize("gradient_only", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_it_stops_at_that_step_beside_resampling_and_users_callbacks(problem, order, gradient_only):
    pde = Breaks(10**9, gradient_only=gradient_only)
    model, before = problem.poisson(pde=pde), []

    def look(step):
        before.append(problem.vector(model))
        pde.at = 0 if step == 5 else 10**9

    adaptive = AdaptiveWeights(period=3, verbose=0)
    callbacks = [Looks(), adaptive, dde.callbacks.PDEPointResampler(period=1)][::order]
    with pytest.warns(RuntimeWarning, match="at step 5: training stopped"):
        problem.train(model, problem.At("on_batch_begin", look), *callbacks, iterations=9)
    assert len(before) == 5 and torch.equal(problem.vector(model), before[-1])
    assert adaptive.stopped.endswith("at step 5") and before[-1].isfinite().all()


def test_what_the_quick_look_misses_the_next_loss_or_the_end_shows(problem, monkeypatch):
    monkeypatch.setattr(Snapshot, "looks_finite", lambda self: True)
    adaptive = AdaptiveWeights(verbose=0)
    model, before = broken(problem, 3, adaptive, gradient_only=True)
    assert adaptive.stopped.endswith("at step 3")
    assert torch.equal(problem.vector(model), before[3][0])

    pde = Breaks(evaluations_before_training(problem) + 5, gradient_only=True)
    model = problem.poisson(pde=pde)
    with pytest.warns(RuntimeWarning, match="gradient is not finite .* at step 5"):
        problem.train(model, adaptive, iterations=5)
    assert problem.vector(model).isfinite().all()


def test_external_variables_are_guarded(problem):
    rate = dde.Variable(0.0)

    def pde(x, y):
        return -dde.grad.hessian(y, x) - torch.sqrt(rate * rate) * torch.sin(x)

    model = problem.poisson(pde=pde, external_trainable_variables=[rate])
    adaptive = AdaptiveWeights(verbose=0)
    with pytest.warns(RuntimeWarning, match="a gradient is not finite .* at step 1"):
        problem.train(model, adaptive)
    assert rate.item() == 0.0


@pytest.mark.parametrize(
    ("optimizer", "gradient_only"),
    [  # NNCG itself leaves out a direction that is no number
        ("L-BFGS", False), ("L-BFGS", True), ("object", False), ("object", True), ("NNCG", False)
    ],
)  # fmt: skip
def test_second_order_optimisers_are_guarded(problem, optimizer, gradient_only):
    dde.optimizers.config.LBFGS_options.update(maxiter=30, iter_per_step=3, fun_per_step=4)
    dde.optimizers.set_NNCG_options(rank=2, cgmaxiter=3)
    pde = Breaks(10**9, gradient_only=gradient_only)
    net = problem.net()
    choice = torch.optim.LBFGS(net.parameters(), max_iter=3) if optimizer == "object" else optimizer
    model = problem.poisson(choice, lr=None, pde=pde, net=net)
    before = []

    def look(step):
        before.append((problem.vector(model), problem.state(model)))
        if step == 3:
            pde.at = 0

    watch = problem.At("on_batch_begin", look)
    adaptive = AdaptiveWeights(period=1, verbose=0)
    with pytest.warns(RuntimeWarning, match="training stopped"):
        problem.train(model, watch, adaptive, iterations=6)
    assert adaptive.stopped is not None and len(before) == 3
    assert torch.equal(problem.vector(model), before[-1][0])
    assert all(map(torch.equal, problem.state(model), before[-1][1]))


def test_a_sum_that_overflows_is_no_bad_loss(problem):
    dde.config.set_default_float("float64")
    line = dde.geometry.Interval(0, 1)
    data = dde.data.PDE(line, lambda x, y: [y * 0 + 1.5e308] * 2, [], 4, 2)
    model = dde.Model(data, problem.net())
    largest = {"loss": lambda true, predicted: (true - predicted).abs().max()}
    model.compile("sgd", lr=1e-3, verbose=0, loss_weights=[1e-4, 1e-4], **largest)
    adaptive = AdaptiveWeights("fixed", verbose=0)
    problem.train(model, adaptive, iterations=2)
    assert adaptive.stopped is None and adaptive._last == [1.5e308] * 2


class Custom(torch.optim.Optimizer):
    """Gradient descent that keeps a number, a list and a fresh tensor in its state."""

    def __init__(self, params):
        super().__init__(params, {"lr": 1e-3})
        self.calls = 0

    def step(self, closure):
        loss = closure()
        self.calls += 1
        for group in self.param_groups:
            for p in group["params"]:
                entry = self.state[p]
                entry["count"] = entry.get("count", 0) + 1
                entry.setdefault("log", []).append(float(self.calls))
                entry["mean"] = entry.get("mean", 0) * 0.9 + (
                    torch.zeros_like(p) if p.grad is None else p.grad
                )
                p.data = p.data - group["lr"] * entry["mean"]
        return loss


@pytest.mark.parametrize("gradient_only", [False, True])
def test_optimisers_of_the_users_own_are_undone(problem, gradient_only):
    net = problem.net()
    pde = Breaks(evaluations_before_training(problem) + 3, gradient_only=gradient_only)
    model = problem.poisson(Custom(net.parameters()), lr=None, pde=pde, net=net)
    before = []
    watch = problem.At("on_batch_begin", lambda _: before.append(problem.vector(model)))
    with pytest.warns(RuntimeWarning, match="at step 3"):
        problem.train(model, watch, AdaptiveWeights(verbose=0))
    assert torch.equal(problem.vector(model), before[-1])
    assert model.opt.calls == 2
    for entry in model.opt.state.values():
        assert entry["count"] == 2 and entry["log"] == [1.0, 2.0]
        assert entry["mean"].isfinite().all()


def test_snapshot_finds_tensors_that_were_replaced(problem):
    model = problem.poisson()
    problem.train(model, iterations=2)
    snapshot = Snapshot(model, list(model.net.parameters()))
    snapshot.take()
    for parameter in model.net.parameters():
        parameter.data = parameter.data + 1.0
    snapshot.look_around()
    model.opt.load_state_dict(model.opt.state_dict())
    snapshot.take()
    vector, state = problem.vector(model), problem.state(model)
    problem.train(model, iterations=2)
    assert not torch.equal(problem.vector(model), vector)
    snapshot.restore()
    assert torch.equal(problem.vector(model), vector)
    assert all(map(torch.equal, problem.state(model), state))
