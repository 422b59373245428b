"""Problems of a family as DeepXDE data: batches follow from their step, and from the network."""

import pytest
import torch

from pinn_ext.datasets.families import FamilyBatches
from pinn_ext.dde.data.family_data import FamilyData
from pinn_ext.dde.model.optimizers import clip_gradients
from pinn_ext.losses.step_loss import StepLoss
from tests.datasets.families.small import family, graphs

pytestmark = pytest.mark.usefixtures("double")


class Euler(torch.nn.Module):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, batch, tau):
        return batch.x + self.factor * tau[:, None] * batch.rates


def data(network=None, rollout=0, horizon=0.02, **changes):
    own = family(horizon=horizon)
    loss = StepLoss(own, 0.01)
    problems = [FamilyBatches(graphs(own, s, 6), 0.01) for s in ("train", "validation")]
    settings = {"batch_size": 3, "rollout": rollout, "seed": 2, **changes}
    return FamilyData(loss, *problems, network or Euler(), **settings)


def test_a_batch_follows_from_the_number_of_its_step():
    one, other = data(), data()
    for step in (3, 0, 7):
        first, second = one.training_batch(step), other.training_batch(step)
        assert torch.equal(first.inputs, second.inputs) and torch.equal(first.x, second.x)
        assert first.numbers.tolist() == one.batch_indices(step)
    assert not torch.equal(one.training_batch(0).inputs, one.training_batch(1).inputs)


def test_times_are_spread_over_the_horizon():
    own = data()
    times = [own.training_batch(s).inputs.unique() for s in range(30)]
    for row in times:
        parts = (row.sort().values / own.time_span()[1] * 3).floor()
        assert parts.tolist() == [0.0, 1.0, 2.0]
    assert torch.cat(times).max() <= 0.02


def test_later_epochs_start_from_roll_outs():
    own, plain = data(rollout=3), data()
    starts = []
    for step in range(40):  # 2 batches an epoch, one more step each two epochs
        batch, before = own.training_batch(step), plain.training_batch(step)
        assert torch.equal(batch.inputs, before.inputs)
        state, steps = before.x, 0
        while not torch.allclose(state, batch.x, rtol=0, atol=1e-12):
            state, steps = state + 0.02 * before.equation(0.0, state), steps + 1
            assert steps <= 3
        starts.append(steps)
        assert steps <= step // 4
        torch.testing.assert_close(batch.rates, batch.equation(0.0, batch.x))
    assert set(starts) == {0, 1, 2, 3}


def test_a_roll_out_that_goes_astray_starts_again():
    wild, plain = data(Euler(1e4), rollout=3), data()
    for step in range(16, 24):
        assert torch.equal(wild.training_batch(step).x, plain.training_batch(step).x)


def test_rows_are_told_apart_by_node_or_by_time():
    by_node, by_time = data(), data(by_time=True)
    for own, columns in ((by_node, 2), (by_time, 1)):
        inputs, _, _ = own.train_next_batch()
        points = own.row_points(0, inputs)
        assert points.shape == (3 * 36, columns)
    assert len(by_node.row_points(0, None).unique(dim=0)) == 3 * 36
    assert len(by_time.row_points(0, None).unique(dim=0)) == 3


@pytest.mark.parametrize("largest", [0.1, 1e6])
def test_long_gradients_are_shortened(largest):
    point = torch.nn.Parameter(torch.tensor([3.0, -4.0]))
    optimizer = torch.optim.SGD([point], lr=1.0)
    clip_gradients(optimizer, largest)

    def closure():
        optimizer.zero_grad()
        loss = 0.5 * point.square().sum()
        loss.backward()
        return loss

    assert float(optimizer.step(closure)) == 12.5
    length = min(5.0, largest)
    wanted = torch.tensor([3.0, -4.0]) * (1.0 - length / 5.0)
    torch.testing.assert_close(point.detach(), wanted, rtol=1e-5, atol=1e-6)
