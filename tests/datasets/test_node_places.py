"""Numbers of nodes select what the masks select."""

import pytest
import torch

from pinn_ext.datasets.node_places import node_places
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.row_points import row_points
from pinn_ext.networks import FieldNetwork
from tests.losses.snapshot_losses import CASES, snapshots


@pytest.mark.parametrize(("name", "boundary"), CASES)
def test_as_the_masks(name, boundary):
    system, batch = snapshots(name, boundary)
    mask, at = batch.operators.boundary_mask, batch.inputs.detach()
    places = node_places(batch.operators)
    assert places is node_places(batch.operators)
    assert torch.equal(at[places.boundary], at[mask])
    assert (places.inner is None) == system.periodic
    if places.inner is not None:
        assert torch.equal(at[places.inner], at[~mask])
    lowest = [at[column == column.min()] for column in at.unbind(dim=1)[:-1]]
    assert all(torch.equal(a, b) for a, b in zip(batch.lower_sides(), lowest, strict=True))
    there, outputs = batch.on_boundary(None, 2 * batch.inputs)
    assert torch.equal(there, at[mask]) and torch.equal(outputs.detach(), 2 * at[mask])
    loss = PhysicsLoss(system, conditions="soft")
    inner = row_points(loss, batch, loss.names.index("RK4_loss1"))
    assert torch.equal(inner, at[~mask])


@pytest.mark.parametrize("name", ["brusselator", "coupled_burgers"])
def test_a_look_without_gradients_does_not_spoil_a_training(name):
    """What is kept of a batch may be asked for first in inference mode."""
    system, batch = snapshots(name)
    network = FieldNetwork(system, (4,), conditions="soft")
    loss = PhysicsLoss(system, conditions="soft")
    with torch.inference_mode():
        loss.step_mismatch(batch, batch.outputs(network), batch.later_outputs(network, loss.step))
    terms = loss(network, batch, loss.outputs(network, batch))
    sum(terms).backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in network.parameters())
