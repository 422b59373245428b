"""`LossAggregator`: the weights of `AdaptiveLossWeights` in loops without DeepXDE."""

import copy
import math

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveLossWeights, AdaptiveWeights, LossAggregator, strategies
from pinn_ext.measurements.gradients import measure_gradients
from pinn_ext.measurements.tangent_kernel import trace_of_kernel
from tests.plain_torch.three_terms import (
    NAMES,
    OF_TERMS,
    SEEN_BY_GRADIENTS,
    constants,
    losses_of,
    network,
    residuals_of,
    train,
    weights_of,
)

SEEN_BY_LOSSES = [name for name in OF_TERMS if strategies.create(name).needs <= {"losses"}]


@pytest.mark.parametrize("strategy", SEEN_BY_LOSSES)
@pytest.mark.parametrize("period", [1, 3])
def test_weights_are_those_of_a_manager_fed_by_hand(strategy, period):
    settings = {"groups": {"walls": ["bc", "ic"]}, "prior": True, "warm_up": 1, "max_change": 3.0}
    settings["conditions"] = ["bc", "ic"]
    start = {"pde": 1.0, "bc": 10.0, "ic": 5.0}
    aggregator = LossAggregator(
        strategy, NAMES, period=period, initial_weights=start, total_steps=6 * period, **settings
    )
    manager = AdaptiveLossWeights(
        NAMES, start, strategy, normalization="total", max_ratio=100.0, **settings
    )
    rng = np.random.default_rng(0)
    for epoch in range(1, 7):
        rows = np.exp(rng.standard_normal((period, 3)) + [0.0, 3.0, -4.0])
        before = weights_of(aggregator)
        for i, row in enumerate(rows):
            assert weights_of(aggregator) == before
            total = aggregator(constants(*row), step=10 * (epoch * period + i))
            assert total.item() == pytest.approx(float(row @ before), rel=1e-6)
        means = dict(zip(NAMES, rows.mean(0).tolist(), strict=True))
        manager.update(epoch, means, progress=epoch / 6)
        assert weights_of(aggregator) == pytest.approx(list(manager.get_weights().values()))
        wanted = torch.tensor(weights_of(aggregator), dtype=torch.float32)
        assert torch.equal(aggregator.weights, wanted)
    assert strategy != "ema" or weights_of(aggregator) != list(start.values())


@pytest.mark.parametrize("strategy", [*SEEN_BY_GRADIENTS, "by_norm", "by_progress"])
def test_weights_and_training_are_those_of_the_callback(strategy):
    x = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
    walls = dde.icbc.PointSetBC(x[:1], x[:1] + 1)

    def equation(x, y):
        return 20 * (dde.grad.jacobian(y, x) - y)

    data = dde.data.PDE(dde.geometry.Interval(0, 1), equation, [walls], 0, 0, anchors=x)
    dde.config.set_random_seed(1)
    net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
    model = dde.Model(data, net)
    own = copy.deepcopy(net)
    model.compile("adam", lr=1e-2, verbose=0)
    adaptive = AdaptiveWeights(strategy, names=["ode", "start"], period=4, verbose=0)
    model.train(iterations=12, callbacks=[adaptive], verbose=0, display_every=10**6)

    aggregator = LossAggregator(
        strategy,
        ["ode", "start"],
        parameters=own,
        period=4,
        total_steps=12,
        conditions=["start"],  # which the callback reads from the data
    )
    optimizer = torch.optim.Adam(own.parameters(), lr=1e-2)
    rows = []
    for step in range(12):
        points = torch.tensor(data.train_x[1:], requires_grad=True)  # the condition's come first
        y = own(torch.cat([torch.tensor(x[:1]), points]))
        (slope,) = torch.autograd.grad(y.sum(), points, create_graph=True)
        losses = {
            "ode": (20 * (slope - y[1:])).square().mean(),
            "start": (y[:1] - 1).square().mean(),
        }
        optimizer.zero_grad()
        aggregator(losses, step).backward()
        optimizer.step()
        if step % 4 == 3:
            rows.append(weights_of(aggregator))
    for row, theirs in zip(rows, adaptive.history, strict=True):
        assert row == pytest.approx(theirs["weights"], rel=1e-4)
    for mine, theirs in zip(own.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("given", ["module", "list", "generator"])
def test_gradients_are_taken_from_the_graph_that_the_step_differentiates(given):
    net = network()
    parameters = {
        "module": net,
        "list": list(net.parameters()),
        "generator": net.parameters(),
    }[given]
    aggregator = LossAggregator("by_norm", NAMES, parameters=parameters)
    losses = losses_of(net)
    ordered = [losses[name] for name in NAMES]
    manager = AdaptiveLossWeights(
        NAMES, dict.fromkeys(NAMES, 1.0), "by_norm", normalization="total", max_ratio=100.0
    )
    manager.update(
        1,
        {name: losses[name].item() for name in NAMES},
        gradients=measure_gradients(ordered, NAMES, list(net.parameters())),
    )
    aggregator(losses, 1).backward()
    assert weights_of(aggregator) == pytest.approx(list(manager.get_weights().values()))
    assert all(parameter.grad is not None for parameter in net.parameters())
    assert not list(aggregator.parameters()) and set(aggregator.state_dict()) == {
        "weights",
        "_extra_state",
    }


def test_gradients_may_be_those_of_the_last_layer_and_are_taken_once_a_period(monkeypatch):
    net, seen = network(), []

    def spy(losses, names, parameters, **options):
        seen.append([list(parameter.shape) for parameter in parameters])
        return measure_gradients(losses, names, parameters, **options)

    monkeypatch.setattr("pinn_ext.measurements.meter.measure_gradients", spy)
    aggregator = LossAggregator(
        "by_norm", NAMES, parameters=net, period=3, gradients_of="last_layer", warm_up=1
    )
    train(net, aggregator, range(9))
    assert seen == [[[1, 6], [1]]] * 2


def test_residuals_give_the_tangent_kernel():
    net = network()
    aggregator = LossAggregator("by_kernel", NAMES, parameters=net, options={"probes": 3})
    residuals = residuals_of(net)
    traces = trace_of_kernel(
        [residuals[name] for name in NAMES],
        NAMES,
        list(net.parameters()),
        probes=3,
        generator=torch.Generator().manual_seed(0),
    )
    manager = AdaptiveLossWeights(
        NAMES, dict.fromkeys(NAMES, 1.0), "by_kernel", normalization="total", max_ratio=100.0
    )
    losses = {name: r.square().mean() for name, r in residuals.items()}
    manager.update(1, {name: losses[name].item() for name in NAMES}, ntk=traces)
    aggregator(losses, 1, residuals).backward()
    assert weights_of(aggregator) == pytest.approx(list(manager.get_weights().values()))
    with pytest.raises(ValueError, match="`residuals` must be given for strategy 'by_kernel'"):
        aggregator(losses_of(net), 2)


def test_sizes_of_fields_and_the_length_of_the_training_reach_strategies():
    aggregator = LossAggregator(
        "field_scale",
        NAMES,
        field_scales={"pde": 2.0, "bc": 2.0, "ic": 1.0},
        conditions=["bc", "ic"],
        normalization="none",
        max_ratio=None,
    )
    aggregator(constants(1.0, 1.0, 1.0), 0)
    assert weights_of(aggregator) == pytest.approx([0.25, 2.5, 10.0])

    planned = LossAggregator(
        "by_progress", NAMES, period=2, total_steps=8, normalization="none", weight_beta=0.0
    )
    first = []
    for step in range(12):
        planned(constants(1.0, 1.0, 1.0), step)
        first.append(weights_of(planned)[0])
    assert first == [1.0, 1.25, 1.25, 1.5, 1.5, 1.75, 1.75, 2.0, 2.0, 2.0, 2.0, 2.0]


def test_a_stage_ends_when_the_user_counts_a_new_optimiser():
    stages = [{"strategy": "fixed", "until_switch": True}, {"strategy": "equal_init"}]
    aggregator = LossAggregator("multi_stage", NAMES, options={"stages": stages})
    aggregator(constants(1.0, 2.0, 4.0), 0)
    aggregator(constants(1.0, 2.0, 4.0), 1)
    assert weights_of(aggregator) == [1.0, 1.0, 1.0]
    aggregator.switches += 1
    again = LossAggregator("multi_stage", NAMES, options={"stages": stages})
    again.load_state_dict(aggregator.state_dict())
    again(constants(1.0, 2.0, 4.0), 2)
    assert weights_of(again) == pytest.approx([7 / 3, 7 / 6, 7 / 12])


def test_the_total_is_the_weighted_sum_and_weights_have_no_gradient():
    start = {"pde": 1.0, "bc": 2.0, "ic": 0.0}
    aggregator = LossAggregator("ema", NAMES, initial_weights=start, normalization="none")
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    total = aggregator(dict(zip(NAMES, x, strict=True)), 0)
    assert total.shape == () and total.item() == 5.0 and not aggregator.weights.requires_grad
    later = aggregator(dict(zip(NAMES, x, strict=True)), 1)  # with other weights, before backward
    assert later.item() != 5.0
    total.backward()
    assert x.grad.tolist() == [1.0, 2.0, 0.0]


def test_evaluation_no_grad_and_further_calls_of_a_step_leave_weights_and_state():
    aggregator = LossAggregator("ema", NAMES)
    aggregator(constants(1.0, 2.0, 3.0), 5)
    before = copy.deepcopy(aggregator.get_extra_state())
    other = constants(9.0, 1.0, 7.0)
    total = aggregator(other, 5)  # a line search, or another part of the batch
    assert total.item() == pytest.approx(np.dot([9.0, 1.0, 7.0], weights_of(aggregator)), rel=1e-6)
    with torch.no_grad():
        assert aggregator(other, 6) == total
    aggregator.eval()
    assert aggregator(other, 0) == aggregator(other, 7) == total
    assert aggregator.get_extra_state() == before
    aggregator.train()
    aggregator(other, 6)
    assert aggregator.get_extra_state() != before


def test_a_step_that_stands_still_is_told_once():
    aggregator = LossAggregator("ema", NAMES)
    losses = constants(1.0, 2.0, 3.0)
    with pytest.warns(RuntimeWarning, match="`step` has been 0 in 1000 calls") as told:
        for _ in range(2100):
            aggregator(losses, 0)
    assert len(told) == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf, -100.0])
def test_a_bad_loss_changes_nothing(bad):
    aggregator = LossAggregator("ema", NAMES, period=2)
    for step in (0, 1, 2):
        aggregator(constants(1.0, 2.0, 30.0), step)
    before = aggregator.manager.state_dict()
    with pytest.warns(RuntimeWarning, match="a loss is not a finite number >= 0 .bc ="):
        aggregator(constants(1.0, bad, 3.0), 3)
    after = aggregator.manager.state_dict()
    assert {**after, "epoch": 1} == before
    assert aggregator.manager.events[-1].what == "unusable"
    for step in (4, 5):
        aggregator(constants(1.0, 2.0, 3.0), step)
    assert aggregator.manager.state_dict()["updates"] == 2


def test_a_bad_gradient_changes_nothing():
    net = network()
    aggregator = LossAggregator("by_norm", NAMES, parameters=net)
    losses = losses_of(net)
    broken = losses["pde"] - losses["pde"].detach()
    losses["pde"] = broken.abs().sqrt()  # 0, and its derivative infinite times 0
    with pytest.warns(RuntimeWarning, match="a gradient is not finite"):
        aggregator(losses, 0)
    assert weights_of(aggregator) == [1.0, 1.0, 1.0]


def test_losses_wait_on_their_device_for_a_period(monkeypatch):
    monkeypatch.setattr("pinn_ext.plain_torch.device_period._MOST_PENDING", 4)
    aggregator = LossAggregator("ema", NAMES, period=11)
    for step in range(11):
        aggregator(constants(1.0 + step, 2.0, 3.0), step)
        assert len(aggregator._period._pending) <= 4
    assert aggregator.manager.state_dict()["state"]["average"] == pytest.approx([6.0, 2.0, 3.0])


def test_float_types_follow_the_losses_and_the_module():
    for dtype in (torch.float32, torch.float64):
        aggregator = LossAggregator("ema", NAMES)
        losses = {name: torch.ones((), dtype=dtype, requires_grad=True) for name in NAMES}
        assert aggregator(losses, 0).dtype == dtype
    aggregator = LossAggregator("ema", NAMES).double()
    aggregator(constants(1.0, 2.0, 3.0), 0)
    assert aggregator.weights.tolist() == weights_of(aggregator)
    assert "'ema', ['pde', 'bc', 'ic'], period=1" in repr(aggregator)
    moved = LossAggregator("ema", NAMES).to("meta")
    assert moved.weights.device.type == "meta"
