"""The aggregator beside averages of a module's parameters and buffers, and in several trainings."""

import itertools

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pinn_ext import LossAggregator


class Module(nn.Module):
    """What a framework trains: a network, and the aggregator as an attribute."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(1, 1)
        self.aggregator = LossAggregator("ema", ["heat", "wall"], period=2)

    def loss(self, step):
        y = self.net(torch.ones(4, 1))
        losses = {"heat": y.square().mean(), "wall": 40 * (y - 1).square().mean()}
        return self.aggregator(losses, step)


def tensors(module):
    return itertools.chain(module.parameters(), module.buffers())


def train(module, steps, averaged=None, first=0):
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    for step in range(first, first + steps):
        optimizer.zero_grad()
        module.loss(step).backward()
        optimizer.step()
        if averaged is not None:
            averaged.update_parameters(module)


def agree(aggregator):
    held = list(aggregator.manager.get_weights().values())
    return aggregator.weights.tolist() == pytest.approx(held, rel=1e-6)


def averaged_copy(module, use_buffers):
    return AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=use_buffers)


def test_averages_put_in_place_of_the_buffers_are_not_trained_with():
    module, alone = Module(), Module()
    averaged = averaged_copy(module, use_buffers=True)
    train(module, 8, averaged)
    train(alone, 8)
    assert not agree(averaged.module.aggregator)
    with torch.no_grad():
        for current, average in zip(tensors(module), tensors(averaged.module), strict=True):
            current.copy_(average)
    assert not agree(module.aggregator)  # what the averaging has left behind
    module.train()
    assert agree(module.aggregator)
    assert torch.equal(module.aggregator.weights, alone.aggregator.weights)


@pytest.mark.parametrize("use_buffers", [True, False])
def test_averaging_changes_nothing_of_the_training(use_buffers):
    module, alone = Module(), Module()
    averaged = averaged_copy(module, use_buffers)
    for first in (0, 4):  # with a validation of the averages between two parts
        train(alone, 4, first=first)
        train(module, 4, averaged, first)
        for exchanged in range(2):
            with torch.no_grad():
                for one, other in zip(tensors(module), tensors(averaged.module), strict=True):
                    kept = one.clone()
                    one.copy_(other)
                    other.copy_(kept)
            module.train(exchanged == 1)
    assert all(map(torch.equal, tensors(module), tensors(alone)))
    assert module.aggregator.manager.state_dict() == alone.aggregator.manager.state_dict()


def test_buffers_that_are_not_averaged_follow():
    module = Module()
    averaged = averaged_copy(module, use_buffers=False)
    train(module, 6, averaged)
    assert torch.equal(averaged.module.aggregator.weights, module.aggregator.weights)


def test_a_second_training_goes_on_counting():
    class Trainer:
        """Counts its own steps from 0, as each of Lightning's does."""

        def fit(self, module, steps, resumed_at=0):
            before = module.aggregator.next_step - resumed_at
            for self.global_step in range(resumed_at, resumed_at + steps):
                module.loss(before + self.global_step).backward()

    module, alone, resumed = Module(), Module(), Module()
    with pytest.raises(ValueError, match="`step` must not fall"):
        train(alone, 4)
        train(alone, 4)
    Trainer().fit(module, 4)
    state = module.state_dict()
    Trainer().fit(module, 4)
    assert module.aggregator.next_step == 8 and module.aggregator.manager.updates == 4
    resumed.load_state_dict(state)
    Trainer().fit(resumed, 4, resumed_at=4)
    assert resumed.aggregator.next_step == 8
