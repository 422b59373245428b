"""A step that breaks is found one step later on a device, and undone as if it were at once."""

import contextlib
import math

import deepxde as dde
import pytest
import torch

import pinn_ext
from tests.device import pretend

BREAKS_AT = 7

PILOTS = {"score_points": 20, "diagnosis": False, "budget_part": 0.3}


class Recall(dde.callbacks.Callback):
    """Keeps the parameters before each step, and breaks one of the steps."""

    def __init__(self, breaks):
        super().__init__()
        self.breaks, self.before, self.poisons = breaks, [], False

    def on_batch_begin(self):
        self.before.append(flat(self.model))
        present = len(self.before) == BREAKS_AT
        self.poisons = present and self.breaks == "loss"
        if present and self.breaks == "gradient":
            first = next(self.model.net.parameters())
            handle = first.register_hook(lambda grad: (handle.remove(), grad * math.nan)[1])


def flat(model):
    return torch.cat([p.detach().cpu().reshape(-1) for p in model.net.parameters()])


def line_model(device, recall=None):
    """y' = 1 with y(0) = 0 on a line, on a device."""
    line = dde.geometry.Interval(0, 1)
    start = dde.icbc.DirichletBC(line, lambda x: 0, lambda x, on: on and x[0] < 0.5)

    def slope(x, y):
        residual = dde.grad.jacobian(y, x) - 1.0
        return residual * math.nan if recall is not None and recall.poisons else residual

    data = dde.data.PDE(line, slope, start, 20, 2, train_distribution="uniform")
    with torch.device("cpu"):
        torch.manual_seed(0)
        net = dde.nn.FNN([1, 8, 1], "tanh", "Glorot normal").to(device)
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-2)
    return model


def trained(device, breaks, strategy="ema", period=5, iterations=20, **options):
    torch.set_default_device(device)
    recall = Recall(breaks)
    model = line_model(device, recall)
    callback = pinn_ext.AdaptiveWeights(strategy, period=period, verbose=0, **options)
    train = {"iterations": iterations, "callbacks": [callback, recall], "verbose": 0}
    if breaks is None:
        model.train(**train)
    else:
        with pytest.warns(RuntimeWarning, match=f"at step {BREAKS_AT}: training stopped"):
            model.train(**train)
    torch.set_default_device(None)
    return model, callback, recall


@pytest.mark.parametrize("period", [1, 5, BREAKS_AT - 1, BREAKS_AT, 100])
@pytest.mark.parametrize("breaks", ["loss", "gradient"])
def test_it_ends_with_the_parameters_before_the_step_that_broke(device, breaks, period):
    model, callback, recall = trained(device, breaks, period=period)
    why = "loss term pde_1 is not finite" if breaks == "loss" else "a gradient is not finite"
    assert callback.stopped.startswith(why)
    assert callback.stopped.endswith(f"at step {BREAKS_AT}")
    assert torch.equal(flat(model), recall.before[BREAKS_AT - 1])
    assert model.train_state.step == model.train_state.iteration == BREAKS_AT


@pytest.mark.parametrize("breaks", ["loss", "gradient"])
def test_the_last_step_of_a_training_is_looked_at_too(device, breaks):
    model, callback, recall = trained(device, breaks, iterations=BREAKS_AT, period=100)
    assert callback.stopped.endswith(f"at step {BREAKS_AT}")
    assert torch.equal(flat(model), recall.before[BREAKS_AT - 1])
    assert model.train_state.step == BREAKS_AT


@pytest.mark.parametrize("breaks", [None, "loss", "gradient"])
@pytest.mark.parametrize("strategy", ["ema", "rba", "sa_pinn", "brdr", "gradient_balance"])
def test_a_training_is_the_same_as_on_the_cpu(device, breaks, strategy):
    model, callback, _ = trained(device, breaks, strategy)
    expected, on_cpu, _ = trained("cpu", breaks, strategy)
    assert callback.stopped == on_cpu.stopped
    assert [row["step"] for row in callback.history] == [row["step"] for row in on_cpu.history]
    torch.testing.assert_close(flat(model), flat(expected), rtol=1e-5, atol=1e-6)
    for row, wanted in zip(callback.history, on_cpu.history, strict=True):
        assert row["losses"] == pytest.approx(wanted["losses"], rel=1e-4)
        assert row["weights"] == pytest.approx(wanted["weights"], rel=1e-3)


def test_an_unfinished_period_is_saved_whole(device):
    _, callback, _ = trained(device, None, iterations=13, period=5)
    _, on_cpu, _ = trained("cpu", None, iterations=13, period=5)
    saved, wanted = callback.state_dict()["period"], on_cpu.state_dict()["period"]
    assert saved["count"] == wanted["count"] == 3
    assert saved["sums"] == pytest.approx(wanted["sums"], rel=1e-4)


def test_a_period_is_saved_in_the_midst_of_a_training(device):
    counts = []

    class Saver(dde.callbacks.Callback):
        def on_epoch_end(self):
            period = callback.state_dict()["period"]
            counts.append((period["count"], len(period["sums"] or [])))

    torch.set_default_device(device)
    callback = pinn_ext.AdaptiveWeights("ema", period=4, verbose=0)
    line_model(device).train(iterations=5, callbacks=[callback, Saver()], verbose=0)
    assert counts == [(1, 2), (2, 2), (3, 2), (0, 0), (1, 2)]


def test_a_candidate_that_breaks_is_dropped_and_the_others_go_on(device):
    def race(device):
        torch.set_default_device(device)
        recall = Recall("loss")
        model = line_model(device, recall)
        field = ["fixed", "ema"]
        callback = pinn_ext.AdaptiveWeights(
            "auto", period=5, verbose=0, options=PILOTS | {"candidates": field}
        )
        model.train(iterations=100, callbacks=[callback, recall], verbose=0)
        torch.set_default_device(None)
        return model, callback

    (model, callback), (expected, on_cpu) = race(device), race("cpu")
    assert callback.stopped is None
    assert callback.choice == on_cpu.choice
    assert any("not finite" in row["why"] for row in callback.pilots)
    kept = [(row["candidate"], row["kept"], row["iterations"]) for row in callback.pilots]
    assert kept == [(row["candidate"], row["kept"], row["iterations"]) for row in on_cpu.pilots]
    assert model.train_state.step == expected.train_state.step == 100
    torch.testing.assert_close(flat(model), flat(expected), rtol=1e-4, atol=1e-5)


class WaitsOfSteps(dde.callbacks.Callback):
    """Counts the waits from the beginning of each step to that of the next."""

    def __init__(self):
        super().__init__()
        self.counts, self._present = [], contextlib.ExitStack()

    def on_epoch_begin(self):
        self._present.close()
        self.counts.append(self._present.enter_context(pretend.count_waits()))

    def on_train_end(self):
        self._present.close()


def waits_of_steps(device, callbacks):
    torch.set_default_device(device)
    own = WaitsOfSteps()
    model = line_model(device)
    model.train(iterations=12, callbacks=[*callbacks, own], verbose=0, display_every=100)
    return [
        waits.total() for waits in own.counts[2:9]
    ]  # the first steps make the optimiser's state


@pytest.mark.parametrize(
    "strategy", [None, "ema", "gradient_balance", "ntk", "rba", "sa_pinn", "brdr"]
)
def test_between_updates_nothing_waits_but_deepxde(device, strategy):
    weighted = [pinn_ext.AdaptiveWeights(strategy, period=10, verbose=0)] if strategy else []
    assert waits_of_steps(device, weighted) == [1] * 7
