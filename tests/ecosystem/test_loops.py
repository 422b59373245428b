"""`LossAggregator` beside PhysicsNeMo and TorchJD, in the loops of docs/ecosystem.md."""

import pytest
import torch


def error_of(net):
    t = torch.linspace(0, 1, 51)[:, None]
    with torch.no_grad():
        return ((net(t) - torch.exp(-5 * t)).norm() / torch.exp(-5 * t).norm()).item()


@pytest.mark.parametrize(("package", "updates"), [("physicsnemo", 100), ("torchjd", 30)])
def test_the_loop_trains(page, package, updates):
    pytest.importorskip(package, exc_type=ImportError)
    shown = page(package)
    assert error_of(shown.net) < 0.2
    aggregator = shown.aggregator if package == "physicsnemo" else shown.weigh
    assert aggregator.manager.updates == updates
    assert len(set(aggregator.manager.get_weights().values())) == 2


def test_residuals_of_a_physics_informer_are_those_of_autograd(page):
    pytest.importorskip("physicsnemo", exc_type=ImportError)
    shown, points = page("physicsnemo"), torch.rand(16, 1)
    found = shown.losses_at(points)["ode"]
    u = shown.net(points)
    (slope,) = torch.autograd.grad(u.sum(), points)
    assert found.item() == pytest.approx((slope + 5 * u).square().mean().item(), rel=1e-5)
