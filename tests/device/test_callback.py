"""The callback in plain DeepXDE on a device: the CPU's numbers, sudden ends, states that move.

Each training is run with the device as the default one, as DeepXDE makes a GPU, and on the CPU.
"""

import io
import math

import deepxde as dde
import pytest
import torch

from pinn_ext import AdaptiveWeights, strategies
from tests.dde.weighting.test_nonfinite_guard import Breaks, evaluations_before_training

OPTIONS = {
    "rba": {"conditions": True},
    "causal": {"epsilons": [0.5, 1e9]},
}


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


def callback(strategy, **settings):
    options = OPTIONS.get(strategy, {})
    return AdaptiveWeights(strategy, verbose=0, **{"period": 2, "options": options} | settings)


def same(here, there):
    """Compare results of the device and of the CPU, each a tree of tensors and plain values."""
    assert here.device.type == "pretend" and there.device.type == "cpu"
    torch.testing.assert_close(here.cpu(), there, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("strategy", [name for name in strategies.names() if name != "auto"])
def test_each_strategy_trains_as_on_the_cpu(problem, on_both, strategy):
    def train():
        adaptive = callback(strategy)
        model = problem.train(problem.heat(), adaptive, iterations=7)
        assert [row["step"] for row in adaptive.history] == [2, 4, 6]
        return problem.vector(model), model.loss_weights, adaptive.manager.get_weights()

    (here, weights, table), (there, wanted, other) = on_both(train)
    same(here, there)
    same(weights, wanted)
    assert table == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw"])
def test_other_optimisers(problem, on_both, optimizer):
    more = {"decay": None} if optimizer != "adamw" else {}

    def train():
        if optimizer == "adamw":
            net = problem.net(2, regularizer=("l2", 1e-3))
            model = dde.Model(problem.heat_data(), net)
            model.compile(optimizer, lr=1e-2, verbose=0)
        else:
            model = problem.heat(optimizer, **more)
        return problem.vector(problem.train(model, callback("ema"), iterations=5))

    same(*on_both(train))


def test_lbfgs_after_adam(problem, on_both):
    dde.optimizers.config.LBFGS_options.update(maxiter=15, iter_per_step=5, fun_per_step=99)

    def train():
        adaptive, model = callback("ema"), problem.heat()
        problem.train(model, adaptive, iterations=4)
        model.compile("L-BFGS", verbose=0)
        problem.train(model, adaptive, iterations=15)
        return problem.vector(model)

    same(*on_both(train))


def test_pilots_of_auto(problem, on_both):
    def train():
        adaptive = callback("auto", options={})
        model = problem.train(problem.heat(), adaptive, iterations=60)
        return problem.vector(model), adaptive.choice

    (here, choice), (there, other) = on_both(train)
    same(here, there)
    assert choice == other


def test_external_variables_metrics_and_diagnostics(problem, on_both):
    def train():
        rate = dde.Variable(2.0)
        model = problem.poisson(
            pde=lambda x, y: -dde.grad.hessian(y, x) - rate * torch.sin(x),
            external_trainable_variables=[rate],
        )
        adaptive = callback("gradient_balance", diagnostics=True, gradients_of="last_layer")
        problem.train(model, adaptive, iterations=6, display_every=2)
        return problem.vector(model)

    same(*on_both(train))


@pytest.mark.parametrize("gradient_only", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3, 6])
def test_a_step_that_breaks_is_the_last_and_leaves_nothing(
    problem, default_device, step, gradient_only
):
    """Parameters, optimiser and counters are those after the steps before it."""
    value = math.nan
    pde = Breaks(evaluations_before_training(problem) + step, value, gradient_only)
    results = []
    for own, iterations in ((pde, 20), (Breaks(10**9), step - 1)):
        dde.config.set_random_seed(2)
        model, adaptive = problem.poisson(pde=own), callback("ema", period=3)
        if own is pde:
            with pytest.warns(RuntimeWarning, match=f"at step {step}"):
                problem.train(model, adaptive, iterations=iterations)
        elif iterations:
            problem.train(model, adaptive, iterations=iterations)
        results.append((model, adaptive))
    (model, adaptive), (sound, _) = results
    reason = "a gradient is not finite although the losses are" if gradient_only else "loss term"
    assert adaptive.stopped.startswith(reason) and adaptive.stopped.endswith(f"at step {step}")
    assert model.train_state.step == step
    assert torch.equal(problem.vector(model), problem.vector(sound))
    assert all(map(torch.equal, problem.state(model), problem.state(sound)))
    assert len(adaptive.history) == (step - 1) // 3
    assert "losses_train" not in vars(model.data)


def test_a_bad_step_on_lbfgs_stops_it(problem, default_device):
    dde.optimizers.config.LBFGS_options.update(maxiter=30, iter_per_step=5, fun_per_step=99)
    pde = Breaks(evaluations_before_training(problem) + 12)
    model, adaptive = problem.poisson("L-BFGS", lr=None, pde=pde), callback("ema")
    with pytest.warns(RuntimeWarning, match="training stopped, parameters are those before"):
        problem.train(model, adaptive, iterations=30)
    assert adaptive.stopped and problem.vector(model).isfinite().all()


def everything(model, adaptive):
    """Return a training's state as a file with tensors where they lie."""
    file = io.BytesIO()
    state = {
        "net": model.net.state_dict(),
        "optimizer": model.opt.state_dict(),
        "weights": adaptive.state_dict(),
    }
    torch.save(state, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("strategy", ["ema", "ntk", "gradnorm", "sa_pinn", "rba", "brdr"])
@pytest.mark.parametrize(("first", "second"), [("pretend", "cpu"), ("cpu", "pretend:0")])
def test_a_callbacks_state_goes_over_to_another_device(
    problem, default_device, strategy, first, second
):
    def fresh(place):
        torch.set_default_device(place)
        dde.config.set_random_seed(1)
        return problem.heat(), callback(strategy, period=3)

    whole, adaptive = fresh(second)
    problem.train(whole, adaptive, iterations=4)
    problem.train(whole, adaptive, iterations=5)

    model, adaptive = fresh(first)
    problem.train(model, adaptive, iterations=4)
    file = everything(model, adaptive)

    model, adaptive = fresh(second)
    saved = torch.load(file, map_location=second)
    model.net.load_state_dict(saved["net"])
    model.opt.load_state_dict(saved["optimizer"])
    adaptive.load_state_dict(saved["weights"], model)
    problem.train(model, adaptive, iterations=5)
    torch.testing.assert_close(problem.vector(model), problem.vector(whole), rtol=1e-9, atol=1e-12)
