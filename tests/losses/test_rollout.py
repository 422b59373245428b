"""Roll-outs: a network starts again from its own state, and errors are measured on the way."""

import pytest
import torch

from pinn_ext.datasets.families import FamilyBatches
from pinn_ext.losses.rollout import RolloutErrors, relative, roll_out
from tests.datasets.families.small import family, graphs

pytestmark = pytest.mark.usefixtures("double")


def euler(batch, tau):
    return batch.x + tau[:, None] * batch.rates


def frozen(batch, tau):
    return batch.x


def measure(split="test", **changes):
    own = family(**changes)
    return RolloutErrors(graphs(own, split, count=2), 0.01, "cpu", torch.float64)


def test_each_step_starts_where_the_last_one_ended():
    own = family()
    batch = FamilyBatches(graphs(own), 0.01).batch([0, 2], torch.zeros(2))
    states = roll_out(euler, batch, 0.1, 3)
    assert states.shape == (4, 72, 2) and torch.equal(states[0], batch.x)
    by_hand = batch.x
    for state in states[1:]:
        by_hand = by_hand + 0.1 * batch.equation(0.0, by_hand)
        assert torch.equal(state, by_hand)
    assert not states.requires_grad


def test_the_reference_has_no_error_and_the_frozen_state_that_of_no_network():
    errors = measure()
    assert errors.errors(frozen) == pytest.approx(errors.trivial("hard"), rel=1e-14)
    rollout = errors.rollout(frozen)
    torch.testing.assert_close(rollout.errors(), rollout.frozen())
    wanted = (rollout.reference[0] - rollout.reference[-1]).norm(dim=0)
    wanted = wanted / rollout.reference[-1].norm(dim=0)
    assert list(errors.errors(frozen).values()) == pytest.approx(wanted.tolist())
    assert relative(rollout.reference, rollout.reference).abs().max() == 0.0


def test_errors_problem_by_problem():
    rollout = measure().rollout(euler)
    each = rollout.each()
    nodes = rollout.sizes[0]
    first = relative(rollout.states[-1, :nodes], rollout.reference[-1, :nodes])
    assert torch.equal(each[0], first) and each.shape == (2, 2)
    low, high = each.amin(dim=0), each.amax(dim=0)
    assert bool((low <= rollout.errors()[-1]).all() and (rollout.errors()[-1] <= high).all())


def test_diffusion_alone_keeps_the_means():
    """Drift of mass: the means of u and v stay where nothing but diffusion acts."""
    constants = {"feed": 0.0, "decay": 0.0, "diffusion": 0.05}
    rollout = measure(constants=constants, positive=False, mean=(0.0, 0.0)).rollout(_heat)
    own, known = rollout.means()
    torch.testing.assert_close(own, own[:1].expand_as(own), rtol=0, atol=1e-12)
    assert known.shape == own.shape


def _heat(batch, tau):
    """One step of diffusion, whose rates are the equation's without its reaction."""
    d = batch.equation.operators
    u, v = batch.x.unbind(dim=1)
    return batch.x + 0.05 * tau[:, None] * torch.stack((d.laplacian(u), d.laplacian(v)), dim=1)


def test_times_and_lengths():
    errors = measure(steps=3, horizon=0.1)
    rollout = errors.rollout(euler, 2)
    assert rollout.times.tolist() == pytest.approx([0.0, 0.1, 0.2]) and rollout.seconds > 0
    assert "after 3 steps of 0.1" in errors.label
    with pytest.raises(ValueError, match=r"`steps` must lie in \[1, 3\], the length of the refer"):
        errors.rollout(euler, 4)
    with pytest.raises(ValueError, match="must have reference trajectories, got those of train"):
        measure("train")
    single = errors.at("cpu", torch.float32)
    assert single.errors(euler) == pytest.approx(errors.errors(euler), rel=1e-5)
