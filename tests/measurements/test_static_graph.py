"""A `DistributedDataParallel` with a static graph must have made a backward pass of its own."""

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from pinn_ext import LossAggregator
from pinn_ext.measurements import processes
from pinn_ext.measurements.static_graph import first_pass_of_static_graph


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """One process of `torch.distributed` that takes itself for several."""
    meeting = (tmp_path / "meeting").as_uri()
    distributed.init_process_group("gloo", init_method=meeting, rank=0, world_size=1)
    monkeypatch.setattr(processes, "is_running", lambda: True)
    yield
    distributed.destroy_process_group()


def network(static_graph):
    torch.manual_seed(0)
    return DistributedDataParallel(
        nn.Sequential(nn.Linear(1, 3), nn.Tanh(), nn.Linear(3, 2)), static_graph=static_graph
    )


def losses_of(net):
    y = net(torch.linspace(0.0, 1.0, 4)[:, None])
    return {"heat": y[:, 0].square().mean(), "wall": (y[:, 1] - 1).square().mean()}


@pytest.mark.parametrize("strategy", ["gradient_balance", "lr_annealing", "ntk"])
def test_a_first_pass_that_is_not_the_networks_own_is_refused(alone, strategy):
    net = network(static_graph=True)
    aggregator = LossAggregator(strategy, ["heat", "wall"], parameters=net)
    losses = losses_of(net)
    with pytest.raises(ValueError, match=r"must have made a backward pass .* give warm_up=1"):
        aggregator(losses, 0, losses)


def test_the_second_step_may_read_gradients(alone):
    net = network(static_graph=True)
    aggregator = LossAggregator("db_mtl", ["heat", "wall"], parameters=net, warm_up=1)
    for step in range(3):
        aggregator(losses_of(net), step).backward()
    assert aggregator.manager.updates == 2


@pytest.mark.parametrize("strategy", ["ema", "db_mtl"])
def test_others_are_left_alone(alone, strategy):
    net = network(static_graph=strategy == "ema")  # which reads no gradients
    aggregator = LossAggregator(strategy, ["heat", "wall"], parameters=net)
    aggregator(losses_of(net), 0).backward()
    assert aggregator.manager.updates == 1


def test_one_process_has_nobody_to_part_from(alone, monkeypatch):
    net = network(static_graph=True)
    losses = losses_of(net).values()
    assert first_pass_of_static_graph(losses) is not None
    monkeypatch.setattr(processes, "is_running", lambda: False)
    assert first_pass_of_static_graph(losses) is None
