"""Aggregators in loops of others: PhysicsNeMo Sym's, and those of `torch.compile`."""

import pytest
import torch
from torch._dynamo.utils import counters

from pinn_ext import LossAggregator
from tests.plain_torch.three_terms import NAMES, losses_of, network, train, weights_of


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
