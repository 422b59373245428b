"""A data part that is known beforehand: the same derivatives, the same training."""

import pytest
import torch
from torch_geometric.data import Batch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.derivatives.autograd import AutogradDerivatives
from pinn_ext.derivatives.precomputed import differentiate
from pinn_ext.networks import FieldNetwork
from pinn_ext.networks.hard_conditions import HardConditions
from pinn_ext.plain_torch.physics_step import train_physics
from pinn_ext.schema import Config


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)


@pytest.mark.parametrize("name", systems.names())
def test_derivatives_are_those_of_the_function(name):
    system = systems.create(name)
    hard = HardConditions(system)
    low, high = torch.tensor([*system.lower, 0.0]), torch.tensor([*system.upper, 1.0])
    inputs = (low + torch.rand(50, system.dimension + 1) * (high - low)).double().requires_grad_()
    known = differentiate(hard.data_part, inputs)
    d = AutogradDerivatives(inputs)
    for mine, true in zip(known(inputs).unbind(1), hard.data_part(inputs).unbind(1), strict=True):
        torch.testing.assert_close(mine, true, rtol=0, atol=0)
        torch.testing.assert_close(d.time(mine), d.time(true))
        torch.testing.assert_close(d.laplacian(mine), d.laplacian(true))
        # ... and through a product, as equations have them
        squares = [d.laplacian(field * field) for field in (mine, true)]
        torch.testing.assert_close(*squares)


@pytest.mark.parametrize("name", systems.names())
def test_training_is_the_same(name, float64):
    """With it and without it (graphs made for soft conditions do not carry it)."""
    system, ends = systems.create(name), []
    cfg = Config()
    cfg.problem.name = name
    for conditions in ("hard", "soft"):
        graphs = SnapshotGraphs(system, 3, nodes_per_side=6, conditions=conditions)
        batch = Batch.from_data_list([graphs[i] for i in range(3)])
        assert (SnapshotBatch.from_graphs(batch).precomputed is not None) == (conditions == "hard")
        network = FieldNetwork(system, [8])
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
        losses = [train_physics(batch, network, optimizer, "cpu", cfg)[0] for _ in range(5)]
        ends.append(torch.tensor(losses))
    torch.testing.assert_close(*ends, rtol=1e-11, atol=0)


def test_a_network_of_another_kind_gets_inputs_only():
    system = systems.create("coupled_burgers")
    batch = SnapshotBatch.from_graphs([SnapshotGraphs(system, 1, nodes_per_side=5)[0]])
    assert batch.outputs(torch.nn.Linear(2, 2)).shape == (5, 2)
