"""The aggregator on a device: nothing waits for it between updates, and it trains as on the CPU."""

import contextlib
import math

import pytest
import torch

from pinn_ext import LossAggregator
from tests.device import pretend

OF_POINTS = ("rba", "sa_pinn", "brdr", "causal")


def trained(strategy, device, *, steps=12, breaks_at=None, count_from=None, period=10):
    """Fit y = x with y(0) = 0; return the network, the aggregator and the waits of late steps."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    x = torch.linspace(0, 1, 32).reshape(-1, 1).to(device)
    net.to(device)
    span = {"time_span": (0.0, 1.0)} if strategy == "causal" else {}
    aggregator = LossAggregator(
        strategy, ["fit", "start"], parameters=net, period=period, conditions=["start"], **span
    )
    aggregator.to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    waits = []
    for step in range(steps):
        counting = step == count_from
        with pretend.count_waits() if counting else contextlib.nullcontext() as counted:
            y = net(x)
            rows = {"fit": (y - x)[:, 0], "start": y[:1, 0]}
            if step == breaks_at:
                rows["fit"] = rows["fit"] * math.nan
            losses = (
                rows if strategy in OF_POINTS else {k: r.square().mean() for k, r in rows.items()}
            )
            more = {"times": {"fit": x[:, 0], "start": x[:1, 0]}} if strategy == "causal" else {}
            total = aggregator(losses, step, residuals=rows, **more)
            if step != breaks_at:
                optimizer.zero_grad()
                total.backward()
                optimizer.step()
        if counting:
            waits.append(counted)
    return net, aggregator, waits


@pytest.mark.parametrize("strategy", ["ema", "gradient_balance", "ntk", "uncertainty", *OF_POINTS])
def test_it_trains_as_on_the_cpu(device, strategy):
    net, aggregator, _ = trained(strategy, device, period=4)
    expected, on_cpu, _ = trained(strategy, "cpu", period=4)
    assert aggregator.weights.device == device
    torch.testing.assert_close(aggregator.weights.cpu(), on_cpu.weights, rtol=1e-3, atol=1e-6)
    for own, wanted in zip(net.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(own.cpu(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strategy", ["ema", "gradient_balance", "ntk", "rba", "sa_pinn", "brdr"])
def test_between_updates_nothing_waits(device, strategy):
    *_, (waits,) = trained(strategy, device, count_from=5)
    assert waits.total() == 0


@pytest.mark.parametrize("strategy", ["rba", "sa_pinn", "brdr"])
def test_factors_do_not_follow_residuals_that_are_not_finite(device, strategy):
    _, aggregator, _ = trained(strategy, device, breaks_at=6, steps=7)
    _, before, _ = trained(strategy, device, steps=6)
    own, wanted = (a.points.state_dict()["tables"][0]["state"] for a in (aggregator, before))
    for key, value in wanted.items():
        assert torch.equal(own[key].cpu(), value.cpu())


@pytest.mark.parametrize("strategy", ["ema", "rba"])
def test_a_state_saved_on_the_device_goes_on_on_the_cpu(device, strategy):
    _, aggregator, _ = trained(strategy, device)
    _, again, _ = trained(strategy, "cpu", steps=1)
    again.load_state_dict(aggregator.state_dict())
    assert again.manager.get_weights() == aggregator.manager.get_weights()
    assert again.next_step == aggregator.next_step
