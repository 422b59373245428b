"""Loss terms on snapshot graphs: equation, conditions, scales, batches, the configuration."""

import math

import numpy as np
import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.losses.from_config import physics_loss
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork
from pinn_ext.systems import domains
from tests.losses.snapshot_losses import (
    PI,
    RK4,
    SOFT,
    config,
    every,
    exact_network,
    snapshots,
    terms,
)

pytestmark = pytest.mark.usefixtures("double")


@every
def test_equation_and_conditions_vanish_for_the_exact_solution(name, boundary):
    system, batch = snapshots(name, boundary)
    loss = PhysicsLoss(system, conditions="soft", scales=system.field_scales())
    assert loss.names == PI + RK4 + SOFT
    right = terms(loss, batch, exact_network(system))
    wrong = terms(
        loss, batch, lambda inputs: exact_network(system)(inputs) + 0.1 * inputs.sum(1)[:, None]
    )
    for name_of_term in PI + SOFT:
        assert right[name_of_term] < 1e-20
        assert wrong[name_of_term] > 1e-6


def test_conditions_by_hand():
    """An answer of 0 scores the mean square of the data, in units of the scales squared."""
    system, batch = snapshots("brusselator", nodes=5, graphs=2)
    loss = PhysicsLoss(system, conditions="soft", scales=(2.0, 5.0))
    values = terms(loss, batch, lambda inputs: 0.0 * inputs[:, :2])
    nodes = torch.cartesian_prod(torch.linspace(0, 2, 5), torch.linspace(0, 2, 5))
    start = system.exact(nodes, torch.zeros(25)).square().mean(dim=0)
    assert values["IC_loss1"] == pytest.approx(start[0].item() / 4, rel=1e-12)
    assert values["IC_loss2"] == pytest.approx(start[1].item() / 25, rel=1e-12)
    edge = ((nodes == 0) | (nodes == 2)).any(dim=1)
    times = batch.inputs[::25, -1].detach()
    faces = torch.cat([system.exact(nodes[edge], time.expand(16)) for time in times])
    assert values["BC_loss1"] == pytest.approx(faces[:, 0].square().mean().item() / 4, rel=1e-12)
    assert values["BC_loss2"] == pytest.approx(faces[:, 1].square().mean().item() / 25, rel=1e-12)


def test_periodicity_by_hand():
    """u = x jumps by 2 pi; u = x^2 has slopes -2 pi and 2 pi, times half the box, pi."""
    system, batch = snapshots("coupled_burgers", "periodic")
    loss = PhysicsLoss(system, conditions="soft")

    def network(inputs):
        return torch.stack((inputs[:, 0], inputs[:, 0] ** 2), dim=1)

    values = terms(loss, batch, network)
    # Two comparisons a time, of values and of slopes, one of them zero.
    assert values["BC_loss1"] == pytest.approx((2 * math.pi) ** 2 / 2, rel=1e-12)
    assert values["BC_loss2"] == pytest.approx((4 * math.pi**2) ** 2 / 2, rel=1e-12)


def test_scales_divide_every_term():
    system, batch = snapshots("brusselator")
    network = FieldNetwork(system, (8,), conditions="soft", seed=1)
    plain = terms(PhysicsLoss(system, conditions="soft"), batch, network)
    scaled = terms(PhysicsLoss(system, conditions="soft", scales=(0.5, 20.0)), batch, network)
    for name, value in plain.items():
        assert scaled[name] == pytest.approx(value / (0.25 if name[-1] == "1" else 400.0))


def test_physics_loss_reads_the_configuration():
    cfg = config("coupled_burgers", conditions="soft", use_rk4=False, rk4_detach=True)
    cfg.problem.boundary, cfg.problem.parameters = "dirichlet", {"amplitude": 0.8}
    cfg.problem.scales, cfg.dataset.step = [2.0, 3.0], 5e-3
    loss = physics_loss(cfg)
    assert (loss.system.boundary, loss.system.amplitude) == ("dirichlet", 0.8)
    assert (loss.scales, loss.step, loss.step_mismatch.detach) == ((2.0, 3.0), 5e-3, True)
    assert loss.names == PI + SOFT
    cfg.problem.scaling = "none"
    assert physics_loss(cfg).scales == (1.0, 1.0)


SHAPES = [(kind, shape) for kind in ("cloud", "triangulation") for shape in sorted(domains.names())]


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_conditions_on_every_domain(kind, shape):
    """The exact solution meets them; another answer is measured on the domain and its boundary."""
    system, batch = snapshots("brusselator", kind=kind, geometry=shape, nodes=9, graphs=2)
    loss = PhysicsLoss(system, conditions="soft")
    right = terms(loss, batch, exact_network(system))
    assert all(right[name] < 1e-20 for name in PI + SOFT)
    assert [right[name] for name in RK4] == pytest.approx(loss.floor(batch).tolist(), rel=1e-9)
    off = terms(
        loss,
        batch,
        lambda inputs: (
            exact_network(system)(inputs) + system.geometry.depth(inputs[:, :-1])[:, None]
        ),
    )
    x = batch.grid
    inside = system.geometry.depth(x).square().mean().item()
    assert off["IC_loss1"] == pytest.approx(inside, rel=1e-9) and off["BC_loss1"] < 1e-20


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_a_batch_of_any_domain_scores_the_mean_of_its_graphs(kind, shape):
    system = systems.create("brusselator", geometry=shape)
    graphs = list(
        SnapshotGraphs(system, 3, name=kind, order=4, nodes_per_side=9, conditions="soft")
    )
    network = FieldNetwork(system, (8,), conditions="soft", seed=1)
    loss = PhysicsLoss(system, conditions="soft", scales=system.field_scales())
    together = loss.values(network, SnapshotBatch.from_graphs(graphs))
    alone = [loss.values(network, SnapshotBatch.from_graphs([graph])) for graph in graphs]
    assert together == pytest.approx(np.mean(alone, axis=0).tolist(), rel=1e-10)


def test_operators_of_an_earlier_batch_serve_again():
    system = systems.create("brusselator", geometry="disk")
    graphs = SnapshotGraphs(system, 4, name="cloud", nodes_per_side=9, conditions="soft")
    first = SnapshotBatch.from_graphs([graphs[0], graphs[1]])
    built = SnapshotBatch.from_graphs([graphs[3], graphs[2]])
    reused = SnapshotBatch.from_graphs([graphs[3], graphs[2]], operators=first.operators)
    network = FieldNetwork(system, (8,), conditions="soft", seed=1)
    loss = PhysicsLoss(system, conditions="soft")
    assert loss.values(network, reused) == loss.values(network, built)
