"""The boundary of a step under soft conditions, which is kept from batch to batch."""

import weakref

import pytest
import torch

from pinn_ext import systems
from pinn_ext.losses.rk4_mismatch import BoundaryPath, StepMismatch
from tests.losses.snapshot_losses import exact_network, snapshots

pytestmark = pytest.mark.usefixtures("double")


def made(step=1e-2, **options):
    system, batch = snapshots("brusselator")
    mismatch = StepMismatch(system, "soft", step, per_unit_time=False, detach=False, **options)
    return system, batch, mismatch


def test_it_runs_from_the_network_at_one_end_to_the_network_at_the_other():
    system, batch, _ = made()
    mask, step = batch.operators.boundary_mask, 0.1
    state = torch.randn(len(batch.inputs), 2, generator=torch.Generator().manual_seed(1))
    path = BoundaryPath(system, step)
    path.set_out(batch, state, -state)
    x, t = batch.inputs.detach()[mask].split((2, 1), dim=1)
    torch.testing.assert_close(path(x, t[:, 0]), state[mask])
    torch.testing.assert_close(path(x, t[:, 0] + step), -state[mask])
    half = system.data(x, t[:, 0] + step / 2)
    half = half + 0.5 * (state[mask] - system.data(x, t[:, 0]))
    half = half + 0.5 * (-state[mask] - system.data(x, t[:, 0] + step))
    torch.testing.assert_close(path(x, t[:, 0] + step / 2), half)


def test_nothing_of_a_step_stays():
    system, batch, mismatch = made()
    network = exact_network(system)
    state = network(batch.inputs)
    rows = mismatch(batch, state, batch.later_outputs(network, mismatch.step))
    held = weakref.ref(state)
    del state, rows
    assert held() is None
    with pytest.raises(RuntimeError, match="`set_out` must come before the values of a step"):
        BoundaryPath(system, 0.1)(batch.grid, batch.grid[:, 0])


def test_two_losses_on_one_batch():
    """Each keeps its own equation, whichever was asked last."""
    system, batch, short = made()
    long = StepMismatch(system, "soft", 3e-2, per_unit_time=False, detach=False)
    network = exact_network(systems.create("brusselator"))

    def rows(mismatch):
        later = batch.later_outputs(network, mismatch.step)
        return mismatch(batch, network(batch.inputs) * 1.1, later)

    alone = [rows(short), rows(long)]
    again = [rows(short), rows(long)]
    assert all(torch.equal(a, b) for a, b in zip(alone, again, strict=True))
