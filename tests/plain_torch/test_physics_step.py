"""One training step on snapshot graphs: what it returns, its weights, what it refuses."""

import copy

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from pinn_ext import AdaptiveLossWeights, systems, train_physics
from pinn_ext.checks import ArgumentError
from pinn_ext.datasets import SnapshotGraphs
from pinn_ext.losses.from_config import WEIGHT_KEYS
from pinn_ext.networks import FieldNetwork
from pinn_ext.plain_torch.physics_step import weighted_total
from pinn_ext.program.commands.new import template
from tests.losses.snapshot_losses import PI, RK4, SOFT, config, parts, step

pytestmark = pytest.mark.usefixtures("double")


@pytest.mark.parametrize(
    ("loss", "rk4", "conditions", "names"),
    [
        ({}, True, "hard", PI + RK4),
        ({}, False, "hard", PI),
        ({"use_rk4": False}, True, "hard", PI),
        ({}, True, "soft", PI + RK4 + SOFT),
        ({"use_rk4": False}, False, "soft", PI + SOFT),
    ],
)
def test_total_and_raw_losses(loss, rk4, conditions, names):
    cfg = config(conditions=conditions, w1_PI=2.0, w2_PI=0.5, w1_rk4=10.0, w2_BC=7.0, **loss)
    total, raw = step(cfg, rk4=rk4)
    assert isinstance(total, float) and list(raw) == names
    assert all(type(value) is float and value > 0 for value in raw.values())
    weights = {name: getattr(cfg.training.loss, WEIGHT_KEYS[name]) for name in names}
    assert total == pytest.approx(sum(weights[name] * raw[name] for name in names), rel=1e-12)


def test_weights_come_from_the_manager_which_is_only_read():
    class Watched(AdaptiveLossWeights):
        def update(self, epoch, loss_values):
            raise AssertionError("train_physics must not update the weights")

    start = dict(zip(PI + RK4, (1.0, 20.0, 0.5, 3.0), strict=True))
    manager = Watched(PI + RK4, start, "equal_init")
    before = manager.state_dict()
    total, raw = step(config(w1_PI=100.0), adaptive_weights=manager)
    assert total == pytest.approx(sum(start[name] * raw[name] for name in raw), rel=1e-12)
    assert manager.state_dict() == before
    total, raw = step(config(), rk4=False, adaptive_weights=manager)
    assert total == pytest.approx(raw["PI_loss1"] + 20.0 * raw["PI_loss2"], rel=1e-12)


def test_a_term_without_weight_is_refused_before_the_step():
    made = parts(config())
    before = copy.deepcopy(made[1].state_dict())
    manager = AdaptiveLossWeights(PI, dict.fromkeys(PI, 1.0))
    with pytest.raises(
        ValueError, match=r"`adaptive_weights` must name exactly .* missing \['RK4_loss1'"
    ):
        step(config(), made, adaptive_weights=manager)
    assert all(torch.equal(before[key], value) for key, value in made[1].state_dict().items())


def test_what_is_returned_belongs_to_the_parameters_before_the_step():
    cfg = config()
    batch, network, optimizer = parts(cfg)
    untouched = copy.deepcopy(network)
    total, raw = step(cfg, (batch, network, optimizer))
    assert any(
        not torch.equal(new, old)
        for new, old in zip(network.parameters(), untouched.parameters(), strict=True)
    )
    again, same = step(cfg, (batch, untouched, torch.optim.SGD(untouched.parameters(), lr=0.0)))
    assert (again, same) == (total, raw)


def test_training_lowers_the_loss():
    cfg = config()
    made = parts(cfg)
    first, _ = step(cfg, made)
    for _ in range(40):
        last, _ = step(cfg, made)
    assert last < 0.3 * first


def test_float32_and_leftover_gradients():
    cfg = config()
    batch, network, _ = parts(cfg)
    network.float()
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 1e6)
    total, _ = step(cfg, (batch, network, torch.optim.SGD(network.parameters(), lr=0.0)))
    assert {p.grad.dtype for p in network.parameters()} == {torch.float32}
    assert max(p.grad.abs().max().item() for p in network.parameters()) < 1e5
    exact, _ = step(cfg)
    assert total == pytest.approx(exact, rel=1e-2)


def test_one_graph_a_list_and_a_loader_are_batches_too():
    cfg = config(graphs=1)
    batch, network, _ = parts(cfg)
    graph = batch.to_data_list()[0]
    forms = [batch, graph, [graph], next(iter(DataLoader([graph], batch_size=1)))]
    results = []
    for form in forms:
        frozen = torch.optim.SGD(network.parameters(), lr=0.0)
        results.append(step(cfg, (form, network, frozen)))
    assert all(result == results[0] for result in results)


def test_a_batch_scores_the_mean_of_its_graphs():
    cfg = config(graphs=3, conditions="soft")
    batch, network, _ = parts(cfg)

    def raw(graphs):
        return step(cfg, (graphs, network, torch.optim.SGD(network.parameters(), lr=0.0)))[1]

    together, alone = raw(batch), [raw(graph) for graph in batch.to_data_list()]
    for name, value in together.items():
        assert value == pytest.approx(np.mean([one[name] for one in alone]), rel=1e-10)


@pytest.mark.parametrize(
    "graphs",
    [Data(pos=torch.zeros(3, 2)), Batch.from_data_list([Data(pos=torch.zeros(3, 2))]), [Data()]],
)
def test_graphs_that_are_no_snapshots_are_refused(graphs):
    _, network, optimizer = parts(config())
    with pytest.raises(ValueError, match=r"`batch` must hold snapshot graphs, got .*'time'"):
        train_physics(graphs, network, optimizer, "cpu", config())


def test_weighted_total_leaves_the_losses_alone():
    losses = [torch.tensor(2.0), torch.tensor(3.0)]
    assert weighted_total(losses, torch.tensor([10.0, 0.5])).item() == 21.5
    assert [loss.item() for loss in losses] == [2.0, 3.0]


def test_a_problem_file_that_was_changed_is_read_again(tmp_path):
    file, cfg = tmp_path / "mine.py", config("from_file", conditions="soft")
    cfg.problem.file, cfg.problem.scaling = str(file), "none"
    file.write_text(template(None))
    system = systems.from_file(file)
    graphs = SnapshotGraphs(system, 1, nodes_per_side=8, conditions="soft")
    network = FieldNetwork(system, (4,), conditions="soft", scaling="none")
    made = Batch.from_data_list(list(graphs)), network, torch.optim.SGD(network.parameters(), lr=0)
    before = step(cfg, made)
    assert step(cfg, made) == before
    file.write_text(template(None).replace('"rate": 2.0', '"rate": 20.0'))
    assert step(cfg, made)[1]["PI_loss1"] > before[1]["PI_loss1"]


def test_a_parameter_that_is_no_number_is_refused():
    cfg = config()
    cfg.problem.parameters = {"side": [1.0, 2.0]}
    made = parts(config())
    with pytest.raises(ArgumentError, match=r"`side.* must be a finite number"):
        step(cfg, made)
