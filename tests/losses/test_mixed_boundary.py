"""A box of which one side has given slopes, one given values, and one axis is periodic."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.datasets.collocation import collocation_points
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.row_points import row_points
from pinn_ext.networks import FieldNetwork
from tests.losses.snapshot_losses import PI, RK4, SOFT, exact_network, terms

HEAT = Path(__file__).resolve().parents[1] / "systems" / "problem_files" / "heat.py"
pytestmark = pytest.mark.usefixtures("double")


@pytest.fixture
def system():
    return systems.from_file(HEAT)


def graphs_of(system, nodes=12, kind="grid", **options):
    data = SnapshotGraphs(
        system, 3, name=kind, nodes_per_side=nodes, conditions="soft", step=1e-2, **options
    )
    batch = SnapshotBatch.from_graphs(list(data))
    batch.inputs.requires_grad_()
    return batch


def off(system, x_slope=0.0, x=0.0, y=0.0):
    """Return the exact solution and something that breaks one kind of condition alone."""

    def network(inputs):
        own = exact_network(system)(inputs)
        at, along = inputs[:, :1], inputs[:, 1:2]
        # (1 - x) x has a slope at x = 0 alone of both, x^2 a value at x = 1; y is not periodic.
        return own + x_slope * at * (1 - at) + x * at**2 + y * along * at**2 * (1 - at)

    return network


def test_every_term_vanishes_for_the_exact_solution(system):
    loss = PhysicsLoss(system, conditions="soft")
    assert loss.names == PI + RK4 + SOFT
    for batch in (graphs_of(system), collocation_points(system, 200, "soft", dtype=torch.float64)):
        own = loss if isinstance(batch, SnapshotBatch) else PhysicsLoss(
            system, conditions="soft", use_rk4=False
        )  # fmt: skip
        batch.inputs.requires_grad_()
        right = terms(own, batch, exact_network(system))
        assert all(right[name] < 1e-20 for name in PI + SOFT)


@pytest.mark.parametrize("kind", ["graphs", "points"])
def test_each_kind_of_condition_has_its_rows(system, kind):
    loss = PhysicsLoss(system, conditions="soft", use_rk4=False)
    batch = graphs_of(system) if kind == "graphs" else collocation_points(
        system, 240, "soft", dtype=torch.float64
    )  # fmt: skip
    batch.inputs.requires_grad_()
    at, normals = batch.with_slopes()
    sides = len(batch.lower_sides()[1])
    assert (at[:, 0] == 0).all() and (normals == normals.new_tensor([-1.0, 0.0])).all()

    def rows(network):
        return loss.residuals(network, batch, network(batch.inputs))[-2]

    slopes = rows(off(system, x_slope=3.0))
    values = len(slopes) - len(at) - 2 * sides
    # The outward slope of 3 (1 - x) x at x = 0 is -3; times half the shortest side.
    torch.testing.assert_close(slopes[values : values + len(at)], torch.full((len(at),), -1.5))
    assert slopes[:values].abs().max() < 1e-12 and slopes[values + len(at) :].abs().max() < 1e-12
    given = rows(off(system, x=2.0))
    torch.testing.assert_close(given[:values], torch.full((values,), 2.0))
    assert given[values:].abs().max() < 1e-12
    jumps = rows(off(system, y=1.0))
    assert jumps[: values + len(at)].abs().max() < 1e-12
    assert jumps[values + len(at) : values + len(at) + sides].abs().max() > 0.1


def test_rows_say_which_point_they_belong_to(system):
    loss, batch = PhysicsLoss(system, conditions="soft"), graphs_of(system)
    network = FieldNetwork(system, (8,), conditions="soft")
    for i, rows in enumerate(loss.residuals(network, batch, loss.outputs(network, batch))):
        assert row_points(loss, batch, i).shape == (len(rows), 3), loss.names[i]


def test_rows_by_taylor_mode_and_by_reverse_passes_agree(system):
    loss, batch = PhysicsLoss(system, conditions="soft", use_rk4=False), graphs_of(system)
    network = FieldNetwork(system, (8, 8), conditions="soft")
    by_jets = loss.residuals(network, batch, loss.outputs(network, batch))
    plain = lambda inputs: network(inputs)  # noqa: E731  (no network that can carry jets)
    reverse = loss.residuals(plain, batch, plain(batch.inputs))
    for a, b in zip(by_jets, reverse, strict=True):
        torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-9)


@pytest.mark.slow
def test_the_step_on_the_graph_has_order_two(system):
    loss = PhysicsLoss(system, conditions="soft")
    sizes, floors = (12, 17, 24, 34), []
    for nodes in sizes:
        floors.append(loss.floor(graphs_of(system, nodes)).sqrt().tolist())
    for field in (0, 1):
        order = -np.polyfit(np.log(sizes), np.log([f[field] for f in floors]), 1)[0]
        assert order > 1.7, floors


def test_without_slopes_to_give_a_side_is_free_of_flux(system, tmp_path):
    text = HEAT.read_text()
    path = tmp_path / "closed.py"
    path.write_text(
        text[: text.index("def exact")]
        + "def initial(x):\n    return torch.cos(torch.pi * x) + 1\n\nBOUNDARY = neumann()\n"
    )
    closed = systems.from_file(path)
    assert closed.boundary == "mixed" and not closed.has_slopes and not closed.has_solution
    batch = graphs_of(closed)
    assert len(batch.operators.boundary_nodes) == 0
    loss = PhysicsLoss(closed, conditions="soft")
    assert loss.floor(batch) is None
    flat = terms(loss, batch, lambda inputs: 0 * inputs[:, :2] + inputs[:, :1].pow(0))
    assert all(flat[name] < 1e-20 for name in (*PI, *RK4, "BC_loss1", "BC_loss2"))


@pytest.mark.parametrize("kind", ["cloud", "triangulation"])
def test_scattered_nodes_take_slopes_too(system, tmp_path, kind):
    text = HEAT.read_text()
    path = tmp_path / "strip.py"
    path.write_text(
        text[: text.index("BOUNDARY =")]
        + 'BOUNDARY = {"x-": neumann(slopes), "x+": dirichlet(exact), "y": dirichlet(exact)}\n'
    )
    strip = systems.from_file(path)
    loss, batch = PhysicsLoss(strip, conditions="soft"), graphs_of(strip, 10, kind)
    right = terms(loss, batch, exact_network(strip))
    assert all(right[name] < 1e-20 for name in PI + SOFT)
    assert [right[name] for name in RK4] == pytest.approx(loss.floor(batch).tolist(), rel=1e-9)
    assert all(0 < floor < 1e-3 for floor in loss.floor(batch).tolist())
    at, normals = batch.with_slopes()
    assert len(at) > 3 and (at[:, 0] == 0).all()
    torch.testing.assert_close(normals[:, 0], -torch.ones(len(at)), atol=1e-12, rtol=0)
