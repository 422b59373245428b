"""Batches picked from all graphs are those that are gathered from single ones, to the last bit."""

import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.datasets.resident_graphs import ResidentGraphs
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork
from pinn_ext.networks.hard_conditions import HardConditions
from tests.losses.snapshot_losses import CASES

STEP = 0.02
PICKED = [3, 0, 4]


def graphs_of(name, boundary, conditions, kind="grid"):
    system = systems.create(name, boundary=boundary)
    graphs = SnapshotGraphs(
        system, 5, name=kind, step=STEP, nodes_per_side=7, conditions=conditions, seed=2
    )
    return system, graphs


def both(system, graphs, conditions, dtype=None, step=STEP):
    """Return the same batch, picked and gathered."""
    hard = HardConditions(system) if conditions == "hard" else None
    resident = ResidentGraphs(graphs, dtype=dtype, step=step, hard=hard)
    picked = resident.batch(resident.numbers(PICKED))
    return picked, SnapshotBatch.from_graphs([graphs[i] for i in PICKED], dtype=dtype)


def losses_and_gradients(loss, network, batch):
    batch = batch.detached()
    batch.inputs.requires_grad_()
    terms = loss(network, batch, loss.outputs(network, batch))
    gradients = torch.autograd.grad(sum(terms), list(network.parameters()))
    return [*terms, *gradients]


@pytest.mark.parametrize(("name", "boundary"), CASES)
@pytest.mark.parametrize("conditions", ["hard", "soft"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_picked_as_gathered(name, boundary, conditions, dtype):
    torch.set_default_dtype(dtype)
    system, graphs = graphs_of(name, boundary, conditions)
    picked, gathered = both(system, graphs, conditions)
    assert torch.equal(picked.inputs, gathered.inputs) and picked.inputs.dtype == dtype
    assert torch.equal(picked.grid, gathered.grid)
    assert picked.stable_step == gathered.stable_step
    network = FieldNetwork(system, (6, 6), conditions=conditions)
    assert torch.equal(picked.outputs(network), gathered.outputs(network))
    at = picked.later_outputs(network, STEP), gathered.later_outputs(network, STEP)
    # The data at t + h is known of all graphs at once, and the rounding of an element of a vector
    # may depend on the vector's length.
    near = {"rtol": 0.0, "atol": 1e-6 if dtype == torch.float32 else 1e-14}
    torch.testing.assert_close(*at, **near)
    assert not torch.equal(at[0], picked.outputs(network))
    loss = PhysicsLoss(system, conditions=conditions, scales=(0.7, 1.3), step=STEP)
    one, other = (losses_and_gradients(loss, network, batch) for batch in (picked, gathered))
    part = 1e-3 if dtype == torch.float32 else 1e-10  # over h, and differentiated
    assert all((a - b).norm() <= part * b.norm() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("shape", ["cloud", "triangulation"])
def test_scattered_nodes(shape):
    system, graphs = graphs_of("brusselator", None, "hard", shape)
    picked, gathered = both(system, graphs, "hard")
    network = FieldNetwork(system, (6,))
    loss = PhysicsLoss(system, step=STEP)
    one, other = (losses_and_gradients(loss, network, batch) for batch in (picked, gathered))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_networks_without_taylor_mode():
    """They differentiate by the inputs, through the data part's own derivatives."""
    system, graphs = graphs_of("brusselator", None, "hard")
    picked, gathered = both(system, graphs, "hard")
    network = FieldNetwork(system, (6,))
    network.layers.append(torch.nn.Sigmoid())
    assert not network.has_jet
    loss = PhysicsLoss(system, step=STEP)
    one, other = (losses_and_gradients(loss, network, batch) for batch in (picked, gathered))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_another_step_than_the_prepared_one():
    system, graphs = graphs_of("brusselator", None, "hard")
    picked, gathered = both(system, graphs, "hard")
    network = FieldNetwork(system, (6,))
    later = picked.later_outputs(network, 2 * STEP)
    assert torch.equal(later, gathered.later_outputs(network, 2 * STEP))
    assert not torch.equal(later, picked.later_outputs(network, STEP))


def test_nothing_is_prepared_for_a_step_that_nobody_takes():
    system, graphs = graphs_of("coupled_burgers", None, "hard")
    picked, _ = both(system, graphs, "hard", step=None)
    assert picked.later is None


def test_batches_of_a_size_share_their_operators():
    system, graphs = graphs_of("brusselator", None, "soft")
    resident = ResidentGraphs(graphs, step=STEP)
    first, second, shorter = (
        resident.batch(resident.numbers(picked)) for picked in ([0, 1], [4, 2], [3])
    )
    assert first.operators is second.operators and first.kept is second.kept
    assert len(shorter.inputs) == len(shorter.operators.pos) == len(first.inputs) // 2
    loss = PhysicsLoss(system, conditions="soft", step=STEP)
    network = FieldNetwork(system, (6,), conditions="soft")
    alone = [losses_and_gradients(loss, network, batch) for batch in (first, second, first)]
    assert all(torch.equal(a, b) for a, b in zip(alone[0], alone[2], strict=True))
    assert not torch.equal(alone[0][0], alone[1][0])
    assert first.kept and not shorter.kept


def test_a_part_of_a_data_set():
    system, graphs = graphs_of("brusselator", None, "hard")
    hard = HardConditions(system)
    resident = ResidentGraphs([graphs[4], graphs[1]], step=STEP, hard=hard)
    picked = resident.batch(resident.numbers([1, 0]))
    gathered = SnapshotBatch.from_graphs([graphs[1], graphs[4]])
    assert torch.equal(picked.inputs, gathered.inputs)


def test_the_size_is_that_of_the_tensors():
    _, graphs = graphs_of("coupled_burgers", None, "soft")
    resident = ResidentGraphs(graphs, dtype=torch.float64)
    assert resident.needed == 5 * 7 * 2 * 8 and resident.home == resident.device
