"""The RK4 terms: detached, per unit of time, cut up, and their floor on the exact solution."""

import math

import numpy as np
import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.losses import rk4_mismatch
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork
from pinn_ext.systems import domains
from tests.lengths import quick_are
from tests.losses.snapshot_losses import (
    CASES,
    RK4,
    config,
    every,
    exact_network,
    parts,
    snapshots,
    step,
    terms,
)

pytestmark = pytest.mark.usefixtures("double")


def gradient(cfg):
    batch, network, optimizer = parts(cfg)
    _, raw = step(cfg, (batch, network, optimizer))
    return raw, torch.cat([p.grad.flatten() for p in network.parameters()])


def test_detaching_changes_the_gradient_but_not_the_value():
    (raw, attached), (same, detached) = (gradient(config(rk4_detach=d)) for d in (False, True))
    assert raw == same
    assert not torch.allclose(attached, detached, rtol=1e-2)


def test_per_unit_time_divides_by_the_square_of_the_step():
    rate, bare = (step(config(rk4_per_unit_time=rate))[1] for rate in (True, False))
    for name in RK4:
        assert bare[name] == pytest.approx(rate[name] * 1e-2**2, rel=1e-12)
    assert rate["PI_loss1"] == bare["PI_loss1"]


def test_the_mismatch_tends_to_the_equation_s_residual():
    """Per unit time and for h -> 0, both measure u_t - rhs, but for the graph's derivatives."""
    system, batch = snapshots("linear_reaction_diffusion", nodes=200)
    network = FieldNetwork(system, (8,), seed=2)
    loss = PhysicsLoss(system, step=1e-5)
    values = terms(loss, batch, network)
    assert values["RK4_loss1"] == pytest.approx(values["PI_loss1"], rel=1e-2)
    assert values["RK4_loss2"] == pytest.approx(values["PI_loss2"], rel=1e-2)


def test_a_step_beyond_stability_is_cut_up(monkeypatch):
    system, batch = snapshots("brusselator", nodes=25, step=0.1)
    assert batch.stable_step < 0.02
    calls = []
    rk4_step = rk4_mismatch.rk4_step

    def counted(rhs, state, time, h, **options):
        calls.append((h, float(time.min())))
        return rk4_step(rhs, state, time, h, **options)

    monkeypatch.setattr(rk4_mismatch, "rk4_step", counted)
    loss = PhysicsLoss(system, step=0.1)
    floor = loss.floor(batch)
    count = math.ceil(0.1 / batch.stable_step)
    assert len(calls) == count > 5
    assert all(h == pytest.approx(0.1 / count) for h, _ in calls)
    starts = [time - calls[0][1] for _, time in calls]
    assert starts == pytest.approx([i * 0.1 / count for i in range(count)])
    assert bool(torch.isfinite(floor).all()) and bool((floor < 0.1).all())


@every
def test_no_cut_where_the_step_is_stable(name, boundary, monkeypatch):
    system, batch = snapshots(name, boundary, step=1e-3)
    calls = []
    rk4_step = rk4_mismatch.rk4_step
    monkeypatch.setattr(
        rk4_mismatch, "rk4_step", lambda *args, **kw: calls.append(1) or rk4_step(*args, **kw)
    )
    PhysicsLoss(system, step=1e-3).floor(batch)
    assert len(calls) == 1


SOME = [("brusselator", "dirichlet"), ("coupled_burgers", "periodic"), ("lambda_omega", "periodic")]


@pytest.mark.parametrize(("name", "boundary"), quick_are(SOME, CASES))
def test_the_floor_is_small_and_falls_with_the_grid(name, boundary):
    """The operators have order two, their squared error has four."""
    nodes = (9, 13, 19) if systems.create(name).dimension == 2 else (24, 36, 54)
    if (name, boundary) == ("coupled_burgers", "dirichlet"):
        nodes = (60, 90, 135)  # the front must be resolved
    floors, spacings = [], []
    for n in nodes:
        system, batch = snapshots(name, boundary, nodes=n, step=1e-3)
        loss = PhysicsLoss(system, step=1e-3, scales=system.field_scales())
        floors.append(loss.floor(batch).tolist())
        spacings.append(1.0 / (n if system.periodic else n - 1))
    for field in (0, 1):
        column = [row[field] for row in floors]
        assert np.polyfit(np.log(spacings), np.log(column), 1)[0] == pytest.approx(4.0, abs=0.4)
        assert column[-1] < 1e-3


@every
def test_the_floor_is_what_the_exact_solution_scores(name, boundary):
    system, batch = snapshots(name, boundary)
    loss = PhysicsLoss(system, scales=system.field_scales())
    values = terms(loss, batch, exact_network(system))
    assert [values[key] for key in RK4] == pytest.approx(loss.floor(batch).tolist(), rel=1e-9)


FLOORS = [("grid", 2), ("grid", 4), ("grid", 6), ("cloud", 2), ("cloud", 4)]


@pytest.mark.parametrize(("kind", "order"), quick_are([("grid", 4), ("cloud", 2)], FLOORS))
def test_the_floor_falls_with_the_order(kind, order):
    """The mismatch is a square, so the floor has twice the order of the operators."""
    floors, nodes = [], (13, 19, 28) if order < 6 else (9, 13, 19)
    for n in nodes:
        system, batch = snapshots("brusselator", kind=kind, order=order, nodes=n, step=1e-4)
        loss = PhysicsLoss(system, step=1e-4, scales=system.field_scales())
        floors.append(loss.floor(batch).log().tolist())
    slopes = -np.polyfit(np.log([n - 1 for n in nodes]), floors, 1)[0]
    assert slopes == pytest.approx([2 * order] * 2, abs=0.15 * 2 * order)


LOWER = [("grid", "square", 1e4), *(("cloud", shape, 1e3) for shape in domains.names())]


@pytest.mark.parametrize(("kind", "shape", "factor"), quick_are(LOWER[:2], LOWER))
def test_order_four_lowers_the_floor(kind, shape, factor):
    """At the default spacing of 1/8."""
    floors = []
    for order in (2, 4):
        system, batch = snapshots("brusselator", kind=kind, order=order, nodes=17, geometry=shape)
        floors.append(PhysicsLoss(system, scales=system.field_scales()).floor(batch))
    assert bool((floors[1] * factor < floors[0]).all()), floors


def test_a_deviation_at_the_boundary_does_not_fake_a_mismatch():
    """Under soft conditions boundary nodes keep the network's deviation from the data.

    Imposed data would jump by `off` next to the boundary, which the Laplacian multiplies by
    diffusion / spacing^2 = 64; kept, only the reaction (of order 1) sees it.
    """
    system, off = systems.create("brusselator"), 1e-3
    batch = SnapshotBatch.from_graphs(
        [SnapshotGraphs(system, 1, nodes_per_side=33, conditions="soft")[0]], dtype=torch.float64
    )
    x, t = batch.inputs[:, :-1], batch.inputs[:, -1]
    now, later = system.exact(x, t) + off, system.exact(x, t + 1e-2) + off
    kept, imposed = (
        PhysicsLoss(system, conditions=kind).step_mismatch(batch, now, later)
        for kind in ("soft", "hard")
    )
    kept, imposed = (rows[:, 1].square().mean().sqrt().item() for rows in (kept, imposed))
    assert kept < 5 * off and imposed > 10 * off
