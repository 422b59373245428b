"""Loops without DeepXDE on a device: the aggregator, `train_physics`, and where they wait."""

import copy
import io

import pytest
import torch

from pinn_ext import AdaptiveLossWeights, LossAggregator, strategies
from tests.losses.snapshot_losses import PI, RK4, config, parts
from tests.plain_torch.three_terms import NAMES, SEEN_BY_GRADIENTS, losses_of, network, train

from pinn_ext import train_physics  # isort: skip

pytestmark = pytest.mark.usefixtures("double")


@pytest.mark.parametrize("strategy", SEEN_BY_GRADIENTS)
@pytest.mark.parametrize("default", [False, True])
def test_the_aggregator_has_the_weights_of_the_cpu(device, strategy, default):
    results = []
    for place in (device, torch.device("cpu")):
        torch.set_default_device(place if default and place == device else None)
        net = network().to(place)
        reads = strategies.create(strategy).needs & {"gradients", "gradient_vectors"}
        more = {"parameters": net} if reads else {}
        more |= {"conditions": ["bc", "ic"], "period": 3, "total_steps": 12}
        aggregator = LossAggregator(strategy, NAMES, **more).to(place)
        with place:
            train(net, aggregator, range(10))
        assert aggregator.weights.device == place
        vector = torch.nn.utils.parameters_to_vector(net.parameters())
        results.append((vector.detach().cpu(), aggregator.weights.detach().cpu()))
    (here, weights), (there, wanted) = results
    torch.testing.assert_close(here, there, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(weights, wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize("places", [("pretend:0", "cpu"), ("cpu", "pretend:0")])
def test_an_aggregator_goes_on_on_another_device(places):
    def fresh(place):
        return network().to(place), LossAggregator("ema", NAMES, period=4).to(place)

    def go(net, aggregator, steps, place, optimizer=None):
        with torch.device(place):
            return train(net, aggregator, steps, optimizer=optimizer)

    first, second = places
    net, aggregator = fresh(second)
    go(net, aggregator, range(10), second)
    wanted = aggregator.weights.cpu()

    net, aggregator = fresh(first)
    optimizer = go(net, aggregator, range(6), first)
    file = io.BytesIO()
    torch.save([net.state_dict(), optimizer.state_dict(), aggregator.state_dict()], file)
    file.seek(0)
    saved = torch.load(file, map_location=second)
    net, aggregator = fresh(second)
    net.load_state_dict(saved[0])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    optimizer.load_state_dict(saved[1])
    aggregator.load_state_dict(saved[2])
    go(net, aggregator, range(6, 10), second, optimizer)
    assert aggregator.weights.device.type == torch.device(second).type
    torch.testing.assert_close(aggregator.weights.cpu(), wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize("conditions", ["hard", "soft"])
@pytest.mark.parametrize("default", [False, True])
def test_train_physics(device, conditions, default):
    """The batch comes from a loader of graphs on the CPU, the network lies on the device."""
    cfg = config(conditions=conditions)
    batch, model, _ = parts(cfg)
    results = []
    for place in (device, "cpu"):
        torch.set_default_device(device if default and place == device else None)
        own = copy.deepcopy(model).to(place)
        optimizer = torch.optim.Adam(own.parameters(), lr=1e-2)
        steps = [train_physics(batch, own, optimizer, place, cfg) for _ in range(3)]
        results.append([total for total, _ in steps])
    assert results[0] == pytest.approx(results[1], rel=1e-9)


def test_train_physics_with_weights_that_move(device):
    cfg = config()
    batch, model, _ = parts(cfg)
    results = []
    for place in (device, "cpu"):
        own = copy.deepcopy(model).to(place)
        optimizer = torch.optim.Adam(own.parameters(), lr=1e-2)
        aggregator = LossAggregator("sa_pinn", [*PI, *RK4], period=2)
        manager = AdaptiveLossWeights([*PI, *RK4], dict.fromkeys([*PI, *RK4], 1.0), "ema")
        totals = []
        for epoch in range(1, 5):
            weights = manager if epoch % 2 else aggregator
            total, raw = train_physics(batch, own, optimizer, place, cfg, adaptive_weights=weights)
            manager.update(epoch, raw)
            totals.append(total)
        results.append(totals)
    assert results[0] == pytest.approx(results[1], rel=1e-8)


def test_losses_on_another_device_than_the_weights(device):
    """They are moved to each other, or it is said in one sentence; never torch's own error."""
    aggregator = LossAggregator("ema", NAMES, period=2)
    net = network().to(device)
    with device:
        total = aggregator(losses_of(net), 0)
    assert total.device == device
