"""Graphs, batches and constants of a training on an accelerator, and how often the host waits."""

import deepxde as dde
import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from pinn_ext import random_state, systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.datasets.collocation import collocation_points
from pinn_ext.datasets.resident_graphs import ResidentGraphs
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork
from pinn_ext.networks.hard_conditions import HardConditions
from pinn_ext.program.build import build, check
from pinn_ext.program.composition import compose
from pinn_ext.program.phases import graph_model, phases_of
from tests.device import pretend

CPU = torch.device("cpu")
SMALL = (
    *("device=pretend", "dataset.num_graphs=40", "dataset.batch_size=2", "network.hidden=[8]"),
    *("dataset.nodes_per_side=7", "dataset.num_validation=2", "training.epochs=30"),
)
FIRST, STEPS = 6, 10


def graphs_of(conditions="hard"):
    system = systems.create("brusselator")
    return system, SnapshotGraphs(system, 4, nodes_per_side=6, conditions=conditions)


def same(one, other):
    for key in ("inputs", "grid"):
        assert torch.equal(getattr(one, key).cpu(), getattr(other, key))
    field = other.inputs[:, 0]
    assert torch.equal(
        one.operators.laplacian(field.to(one.inputs.device)).cpu(), other.operators.laplacian(field)
    )
    for key in ("value", "slope", "hessian"):
        there, here = (getattr(batch.precomputed, key) for batch in (one, other))
        assert torch.equal(there.cpu(), here)


@pytest.mark.parametrize("default", ["cpu", "pretend:0"])
@pytest.mark.parametrize("place", ["cpu", "pretend:1"])
def test_graphs_from_anywhere_make_the_same_batch(default, place):
    torch.set_default_device(default)
    _, graphs = graphs_of()
    assert all(graph.pos.is_cpu and graph.time.is_cpu for graph in graphs)
    wanted = SnapshotBatch.from_graphs([graphs[i] for i in range(4)])
    assert wanted.inputs.is_cpu
    own = [graphs[i].clone().to(place) for i in range(4)]
    for given in (own, Batch.from_data_list(own), next(iter(DataLoader(own, batch_size=4)))):
        batch = SnapshotBatch.from_graphs(given, "pretend:1")
        assert batch.inputs.device == torch.device("pretend:1")
        same(batch, wanted)


def test_data_sets_do_not_depend_on_the_default_device():
    systems_and_graphs = []
    for default in ("cpu", "pretend"):
        torch.set_default_device(default)
        system, graphs = graphs_of()
        points = collocation_points(system, 20, "soft", dtype=torch.float64)
        assert points.inputs.is_cpu
        systems_and_graphs.append((graphs[3], points, system.field_scales()))
    (one, points, scales), (other, others, other_scales) = systems_and_graphs
    assert all(torch.equal(one[key], other[key]) for key in ("pos", "y", "time", "data_hessian"))
    assert torch.equal(points.inputs, others.inputs) and scales == other_scales


def test_a_network_lies_on_the_default_device(default_device):
    network = FieldNetwork(systems.create("brusselator"), (4,))
    assert {tensor.device for tensor in network.state_dict().values()} == {default_device}


@pytest.mark.parametrize("home", ["pretend", "cpu"])
def test_picked_batches(home, device, monkeypatch):
    if home == "cpu":
        monkeypatch.setattr("pinn_ext.datasets.resident_graphs._PART", 0.0)
    system, graphs = graphs_of()
    torch.set_default_device(device)
    hard = HardConditions(system)
    resident = ResidentGraphs(graphs, device, step=0.01, hard=hard)
    assert resident.home.type == home
    batch = resident.batch(resident.numbers([2, 0]))
    with CPU:
        same(batch, SnapshotBatch.from_graphs([graphs[2], graphs[0]]))
    tensors = [batch.inputs, batch.later.inputs, *batch.later.values, batch.operators.pos]
    tensors += [batch.precomputed.bubble.first, batch.precomputed.hessian]
    assert {tensor.device for tensor in tensors} == {device}


def test_picking_waits_for_nothing(device):
    system, graphs = graphs_of()
    resident = ResidentGraphs(graphs, device, step=0.01, hard=HardConditions(system))
    resident.batch(resident.numbers([0, 1]))  # makes the operators of two graphs
    with pretend.count_waits() as waits:
        numbers = resident.numbers([3, 2, 1, 0])
        batches = [resident.batch(numbers[:2]), resident.batch(numbers[2:])]
    assert waits.total() == 0
    times = torch.cat([batch.inputs[:, -1].unique() for batch in batches])
    assert set(times.tolist()) == {float(t) for t in torch.cat([g.time for g in graphs]).float()}


@pytest.mark.parametrize(
    ("name", "boundary", "conditions"),
    [
        ("brusselator", None, "hard"),
        ("brusselator", None, "soft"),
        ("coupled_burgers", "periodic", "hard"),
        ("coupled_burgers", "periodic", "soft"),
        ("linear_reaction_diffusion", None, "hard"),
    ],
)
def test_losses_wait_for_nothing(device, name, boundary, conditions):
    system = systems.create(name, boundary=boundary)
    graphs = SnapshotGraphs(system, 4, nodes_per_side=6, conditions=conditions)
    torch.set_default_device(device)
    hard = HardConditions(system) if conditions == "hard" else None
    resident = ResidentGraphs(graphs, device, step=0.01, hard=hard)
    network = FieldNetwork(system, (6,), conditions=conditions)
    loss = PhysicsLoss(system, conditions=conditions)

    def step(numbers):
        batch = resident.batch(numbers)
        batch.inputs.requires_grad_()
        terms = loss(network, batch, loss.outputs(network, batch))
        torch.stack(terms).sum().backward()

    numbers = resident.numbers([0, 1, 2, 3])
    step(numbers[:2])  # places of nodes are found once
    with pretend.count_waits(places=True) as waits:
        step(numbers[2:])
    assert waits.total() == 0, str(waits)


@pytest.mark.parametrize(
    "arguments",
    [
        ["problem=brusselator", "training=adaptive_ema"],
        ["problem=brusselator", "problem.conditions=soft"],
        ["problem=coupled_burgers", "problem.conditions=soft", "training.schedule=cosine"],
    ],
)
def test_a_step_of_the_program_waits_twice_at_most(arguments, tmp_path):
    cfg, _ = compose([*SMALL, *arguments])
    built = build(check(cfg), tmp_path)
    model = graph_model(cfg, built)
    epochs = phases_of(cfg, built, model).epochs
    epochs.compile()
    steps, counted = [0], []

    class Count(dde.callbacks.Callback):
        def on_batch_begin(self):
            steps[0] += 1
            if steps[0] == FIRST:
                self.waits = pretend.count_waits(places=True)
                counted.append(self.waits.__enter__())
            if steps[0] == FIRST + STEPS:
                self.waits.__exit__(None, None, None)

    model.data.peek()
    model.model.train(
        iterations=FIRST + STEPS,
        callbacks=[model.weights, epochs, Count()],
        verbose=0,
        display_every=10**6,
    )
    assert counted[0].total() <= 2 * STEPS, str(counted[0])
    own = ("resident_graphs.py", "graph_data.py", "snapshots.py", "physics_loss.py", "networks/")
    assert not any(name in str(counted[0]) for name in own)


def test_random_numbers_of_a_device_go_on(device):
    torch.set_default_device(device)
    state = random_state.get_state()
    drawn = torch.rand(3), torch.rand(3, device="cpu"), torch.rand(3, device="pretend:1")
    random_state.check_state(state)
    random_state.set_state(state)
    again = torch.rand(3), torch.rand(3, device="cpu"), torch.rand(3, device="pretend:1")
    assert torch.equal(drawn[0], again[0]) and torch.equal(drawn[1], again[1])
    assert not torch.equal(drawn[2], again[2])  # no run draws there
    state = {**state, "torch": state["torch"].to(device)}  # loaded onto the device as a whole
    state["accelerator"] = {"kind": "pretend", "state": state["accelerator"]["state"].to(device)}
    random_state.check_state(state)
    random_state.set_state(state)
    assert torch.equal(torch.rand(3), drawn[0])
    torch.set_default_device(None)
    random_state.set_state(state)  # without the device: its own part is left
    assert torch.equal(torch.rand(3), drawn[1].cpu())
    assert "accelerator" not in random_state.get_state()
