"""`LossAggregator`: the weights of `AdaptiveLossWeights` in loops without DeepXDE."""

import copy
import math
import warnings

import deepxde as dde
import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from pinn_ext import AdaptiveLossWeights, AdaptiveWeights, LossAggregator, strategies
from pinn_ext.measurements.gradients import measure_gradients
from pinn_ext.measurements.tangent_kernel import trace_of_kernel
from pinn_ext.strategies import Strategy
from tests.strategies.made_up import MADE_UP

NAMES = ["pde", "bc", "ic"]
OF_TERMS = [name for name in strategies.names() if isinstance(strategies.create(name), Strategy)]
SEEN_BY_LOSSES = [name for name in OF_TERMS if strategies.create(name).needs <= {"losses"}]
SEEN_BY_GRADIENTS = [
    name
    for name in OF_TERMS
    if strategies.create(name).needs <= {"losses", "gradients", "gradient_vectors"}
]


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """Let strategies of the tests' own be known beside the real ones."""
    monkeypatch.setattr(strategies, "_REGISTRY", {**strategies._REGISTRY, **MADE_UP})


def network(seed=0, outputs=1):
    torch.manual_seed(seed)
    layers = torch.nn.Linear(1, 6), torch.nn.Tanh(), torch.nn.Linear(6, outputs)
    return torch.nn.Sequential(*layers)


def residuals_of(net):
    x = torch.linspace(0, 1, 7)[:, None]
    return {"ic": net(0 * x[:1]) - 1, "pde": 30 * (net(x) - x.sin()), "bc": 0.1 * net(1 + 0 * x)}


def losses_of(net):
    """Return three losses by name, in another order than the names."""
    return {name: r.square().mean() for name, r in residuals_of(net).items()}


def constants(*values):
    return {
        name: torch.tensor(v, dtype=torch.float64) for name, v in zip(NAMES, values, strict=True)
    }


def weights_of(aggregator):
    return list(aggregator.manager.get_weights().values())


def train(net, aggregator, steps, lr=1e-2, optimizer=None):
    optimizer = optimizer or torch.optim.Adam(net.parameters(), lr=lr)
    for step in steps:
        optimizer.zero_grad()
        aggregator(losses_of(net), step).backward()
        optimizer.step()
    return optimizer


# ---- the same weights as by other ways -----------------------------------------------------------


@pytest.mark.parametrize("strategy", SEEN_BY_LOSSES)
@pytest.mark.parametrize("period", [1, 3])
def test_weights_are_those_of_a_manager_fed_by_hand(strategy, period):
    settings = {"groups": {"walls": ["bc", "ic"]}, "prior": True, "warm_up": 1, "max_change": 3.0}
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


# ---- the call ------------------------------------------------------------------------------------


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
    monkeypatch.setattr("pinn_ext.plain_torch.loss_aggregator._MOST_PENDING", 4)
    aggregator = LossAggregator("ema", NAMES, period=11)
    for step in range(11):
        aggregator(constants(1.0 + step, 2.0, 3.0), step)
        assert len(aggregator._pending) <= 4
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


# ---- saving --------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [*SEEN_BY_GRADIENTS, "by_norm"])
@pytest.mark.parametrize("stop", [4, 5])
def test_a_saved_aggregator_continues_bit_for_bit(strategy, stop, tmp_path):
    def parts():
        net = network()
        return net, LossAggregator(strategy, NAMES, parameters=net, period=3, total_steps=12)

    net, aggregator = parts()
    train(net, aggregator, range(11))
    half, first = parts()
    optimizer = train(half, first, range(stop))
    saved = {"net": half, "aggregator": first, "optimizer": optimizer}
    torch.save({key: part.state_dict() for key, part in saved.items()}, tmp_path / "run.pt")
    train(half, first, range(stop, 11), optimizer=optimizer)

    state = torch.load(tmp_path / "run.pt", weights_only=True)
    again, second = parts()
    optimizer = torch.optim.Adam(again.parameters(), lr=1e-2)
    for key, part in {"net": again, "aggregator": second, "optimizer": optimizer}.items():
        part.load_state_dict(state[key])
    train(again, second, range(stop, 11), optimizer=optimizer)
    for own in (first, second):
        assert own.get_extra_state() == aggregator.get_extra_state()
        assert torch.equal(own.weights, aggregator.weights)
    for a, b in zip(again.parameters(), net.parameters(), strict=True):
        assert torch.equal(a, b)


def test_random_signs_are_saved():
    def kernels(aggregator, net, steps):
        for step in steps:
            residuals = residuals_of(net)
            losses = {name: r.square().mean() for name, r in residuals.items()}
            aggregator(losses, step, residuals)
        return weights_of(aggregator)

    net = network()
    make = lambda: LossAggregator("by_kernel", NAMES, parameters=net)  # noqa: E731
    first = make()
    kernels(first, net, range(3))
    second = make()
    second.load_state_dict(first.state_dict())
    assert kernels(first, net, range(3, 6)) == kernels(second, net, range(3, 6))


def test_saving_leaves_the_run_as_it_was_and_copies_stand_alone():
    one, other = (LossAggregator("ema", NAMES, period=4) for _ in range(2))
    for step in range(10):
        losses = constants(1.0 + step, 2.0, 3.0 / (1 + step))
        one(losses, step)
        other(losses, step)
        one.state_dict()
        clone = copy.deepcopy(one)
        clone(constants(100.0, 1.0, 1.0), step + 1)
    assert one.get_extra_state() == other.get_extra_state()
    in_double = LossAggregator("ema", NAMES, period=4).double()
    in_double.load_state_dict(one.state_dict())
    assert in_double.weights.tolist() == weights_of(one)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (lambda: LossAggregator("equal_init", NAMES), "must have strategy 'equal_init', got 'ema'"),
        (lambda: LossAggregator("ema", ["a", "b", "c"]), "must have loss_names .*got"),
        (lambda: LossAggregator("ema", ["pde", "bc"]), "must have loss_names .*got"),
    ],
)
def test_a_state_of_another_aggregator_is_refused(other, sentence):
    state = LossAggregator("ema", NAMES).state_dict()
    with pytest.raises(ValueError, match=sentence):
        other().load_state_dict(state)


def test_a_broken_state_is_refused():
    aggregator = LossAggregator("ema", NAMES)
    with pytest.raises(ValueError, match="The saved state must be of a LossAggregator, got None"):
        aggregator.set_extra_state(None)
    with pytest.raises(ValueError, match=r"The saved state must name exactly .*missing"):
        aggregator.set_extra_state({"manager": {}})


# ---- loops of others -----------------------------------------------------------------------------


def test_it_stands_in_for_an_aggregator_of_physicsnemo_sym(tmp_path):
    """That trainer's moves: built from (params, num_losses), step from 0, parts, L-BFGS, resume."""

    class Adaptive(LossAggregator):
        def __init__(self, params, num_losses, weights=None):
            super().__init__("ema", NAMES, parameters=params, initial_weights=weights)
            assert num_losses == len(NAMES)

    net = network()
    aggregator = Adaptive(net.parameters(), 3)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    optimizer.add_param_group({"params": list(aggregator.parameters())})  # none
    for step in range(4):
        optimizer.zero_grad()
        for _ in range(2):  # gradients of two parts of a batch are added up
            parts = {name: loss / 2 for name, loss in losses_of(net).items()}
            aggregator(parts, step).backward()
        optimizer.step()
    assert aggregator.manager.updates == 4

    torch.save({"step": 3, "aggregator": aggregator.state_dict()}, tmp_path / "optim.pth")
    saved = torch.load(tmp_path / "optim.pth", weights_only=False)
    again = Adaptive(net.parameters(), 3)
    again.load_state_dict(saved["aggregator"])
    second = torch.optim.LBFGS(net.parameters(), max_iter=5)
    values = []

    def closure():
        second.zero_grad()
        loss = again(losses_of(net), saved["step"])
        loss.backward()
        values.append(loss.item())
        return loss

    second.step(closure)
    assert len(values) > 2 and values[-1] < values[0]
    assert weights_of(again) == weights_of(aggregator)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_compiles_once_and_gives_the_same(backend):
    torch._dynamo.reset()
    counters.clear()
    net, plain = network(), LossAggregator("ema", NAMES, period=2)
    train(net, plain, range(12))
    other, aggregator = network(), LossAggregator("ema", NAMES, period=2)
    compiled = torch.compile(aggregator, backend=backend)
    optimizer = train(other, compiled, range(3))
    graphs, frames = counters["stats"]["unique_graphs"], counters["frames"]["total"]
    assert graphs > 0
    train(other, compiled, range(3, 12), optimizer=optimizer)
    assert counters["stats"]["unique_graphs"] == graphs
    assert counters["frames"]["total"] == frames
    assert weights_of(aggregator) == pytest.approx(weights_of(plain), rel=1e-6)
    for a, b in zip(other.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_whole_step_compiles_and_evaluation_is_one_graph():
    torch._dynamo.reset()
    counters.clear()
    net, aggregator = network(), LossAggregator("ema", NAMES, period=2)

    @torch.compile(backend="aot_eager")
    def step(number):
        return aggregator(losses_of(net), number)

    for number in range(4):
        step(number).backward()
    graphs = counters["stats"]["unique_graphs"]
    assert graphs > 0
    for number in range(4, 10):
        step(number).backward()
    assert counters["stats"]["unique_graphs"] == graphs
    assert aggregator.manager.updates == 5
    aggregator.eval()
    whole = torch.compile(aggregator, backend="aot_eager", fullgraph=True)
    losses = losses_of(net)
    torch.testing.assert_close(whole(losses, 0), aggregator(losses, 0))


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("emma", NAMES), "`strategy` must be one of .*did you mean 'ema'"),
        (
            ("auto", NAMES),
            "`strategy` must be one that weighs loss terms, got 'auto', which lets several",
        ),
        (("rba", NAMES), "`strategy` must be one that weighs loss terms, got 'rba'"),
        (("causal", NAMES), "`strategy` must be one that weighs loss terms, got 'causal'"),
        (("ema", []), "`loss_names` must hold at least one name"),
        (("ema", 3), "`loss_names` must be a list of names, got 3"),
        (("ema", ["a", "a"]), "`loss_names` must be distinct"),
    ],
)
def test_bad_strategies_and_names_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        LossAggregator(*arguments)


@pytest.mark.parametrize(
    ("strategy", "options", "sentence"),
    [
        ("ema", {"period": 0}, "`period` must be a whole number >= 1, got 0"),
        ("ema", {"total_steps": 0.5}, "`total_steps` must be a whole number >= 1, got 0.5"),
        ("ema", {"initial_weights": {"pde": 1.0}}, "`initial_weights` must name exactly"),
        ("ema", {"options": {"beta": 1}}, "`options` of ema must be empty"),
        ("ema", {"gradients_of": "first"}, "`gradients_of` must be one of all, last_layer"),
        ("ema", {"parameters": [1.0]}, "`parameters` must be a module or tensors, got a float"),
        (
            "multi_stage",
            {"field_scales": dict.fromkeys(NAMES, 1.0)},
            "`total_steps` must be given for strategy 'multi_stage' with stages",
        ),
        ("by_norm", {}, "`parameters` must be the network .*'by_norm', which reads gradients"),
        ("by_kernel", {}, "`parameters` must be the network .*'by_kernel', which reads gradients"),
        (
            "ntk",
            {"options": {"estimator": "exact"}, "parameters": [torch.ones(1, requires_grad=True)]},
            "`options` must not ask 'ntk' for an exact tangent kernel outside the callback",
        ),
        ("field_scale", {}, "`field_scales` must be given for strategy 'field_scale'"),
    ],
)
def test_bad_options_are_refused(strategy, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        LossAggregator(strategy, NAMES, **options)


def test_frozen_parameters_are_refused():
    frozen = network().requires_grad_(False)
    with pytest.raises(ValueError, match="must have parameters to train, got only frozen ones"):
        LossAggregator("by_norm", NAMES, parameters=frozen)


@pytest.mark.parametrize(
    ("losses", "step", "sentence"),
    [
        ({"pde": torch.tensor(1.0)}, 4, r"`losses` must name exactly .*missing \['bc', 'ic'\]"),
        ({**constants(1.0, 1.0, 1.0), "x": torch.tensor(1.0)}, 4, r"unknown \['x'\]"),
        ([torch.tensor(1.0)], 4, "`losses` must map each name to a tensor, got a list"),
        ({**constants(1.0, 1.0, 1.0), "ic": 0.5}, 4, r"`losses\['ic'\]` must be a tensor .*float"),
        (
            {**constants(1.0, 1.0, 1.0), "bc": torch.ones(1)},
            4,
            r"`losses\['bc'\]` must be a tensor of one number \(shape \[\]\), got \[1\]",
        ),
        (constants(1.0, 1.0, 1.0), 2, "`step` must not fall from call to call, got 2 after 3"),
        (constants(1.0, 1.0, 1.0), 4.0, "`step` must be a whole number, got 4.0"),
    ],
)
def test_bad_calls_are_refused_and_change_nothing(losses, step, sentence):
    aggregator = LossAggregator("ema", NAMES)
    aggregator(constants(1.0, 2.0, 3.0), 3)
    before = copy.deepcopy(aggregator.get_extra_state())
    with pytest.raises(ValueError, match=sentence):
        aggregator(losses, step)
    assert aggregator.get_extra_state() == before


def test_a_loss_without_a_graph_is_refused_where_gradients_are_read():
    net = network()
    aggregator = LossAggregator("by_norm", NAMES, parameters=net)
    losses = losses_of(net)
    losses["bc"] = losses["bc"].detach()
    with pytest.raises(ValueError, match=r"must depend on the network .*got 'bc' without"):
        aggregator(losses, 0)


def test_warnings_come_only_where_they_should():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = network()
        train(net, LossAggregator("by_norm", NAMES, parameters=net, period=2), range(4))
