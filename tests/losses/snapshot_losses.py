"""Batches of snapshots, and the loss terms of a network on them."""

import pytest
import torch
from torch_geometric.data import Batch

from pinn_ext import systems, train_physics
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.networks import FieldNetwork
from pinn_ext.schema import Config

F64 = torch.float64
CASES = [
    (name, boundary) for name in systems.names() for boundary in systems.create(name).boundaries
]
every = pytest.mark.parametrize(("name", "boundary"), CASES)


def config(name="brusselator", *, nodes=7, graphs=4, conditions="hard", **loss):
    cfg = Config()
    cfg.problem.name, cfg.problem.conditions = name, conditions
    cfg.dataset.nodes_per_side, cfg.dataset.num_graphs = nodes, graphs
    for key, value in loss.items():
        assert hasattr(cfg.training.loss, key)
        setattr(cfg.training.loss, key, value)
    return cfg


def parts(cfg, seed=0):
    """Return a batch of all graphs, a network and a fresh optimiser of a configuration."""
    problem, dataset = cfg.problem, cfg.dataset
    system = systems.create(problem.name, boundary=problem.boundary, **problem.parameters)
    graphs = SnapshotGraphs(
        system, dataset.num_graphs, step=dataset.step, nodes_per_side=dataset.nodes_per_side
    )
    network = FieldNetwork(
        system, (8, 8), conditions=problem.conditions, scaling=problem.scaling, seed=seed
    )
    batch = Batch.from_data_list(list(graphs))
    return batch, network, torch.optim.Adam(network.parameters(), lr=1e-2)


def step(cfg, made=None, **options):
    batch, network, optimizer = made or parts(cfg)
    return train_physics(batch, network, optimizer, "cpu", cfg, **options)


def snapshots(
    name, boundary=None, *, nodes=9, graphs=3, step=1e-2, kind="grid", order=2, **parameters
):
    system = systems.create(name, boundary=boundary, **parameters)
    data = SnapshotGraphs(
        system,
        graphs,
        name=kind,
        order=order,
        step=step,
        nodes_per_side=nodes,
        conditions="hard" if system.on_box else "soft",
    )
    batch = SnapshotBatch.from_graphs(list(data))
    batch.inputs.requires_grad_()
    return system, batch


def terms(loss, batch, network):
    with torch.enable_grad():
        values = loss(network, batch, network(batch.inputs))
    return dict(zip(loss.names, [value.item() for value in values], strict=True))


def exact_network(system):
    return lambda inputs: system.exact(inputs[:, :-1], inputs[:, -1])


PI = ["PI_loss1", "PI_loss2"]
RK4 = ["RK4_loss1", "RK4_loss2"]
SOFT = ["IC_loss1", "IC_loss2", "BC_loss1", "BC_loss2"]
