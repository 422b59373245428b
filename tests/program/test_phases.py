"""Training through DeepXDE: which batches are trained on, and one step against `train_physics`.

The phases, `pinn_ext.dde.phases`, and their data, `pinn_ext.dde.data`, are tested here and in
`test_gauss_newton.py`.
"""

import copy
import itertools

import deepxde as dde
import pytest
import torch
from torch_geometric.data import Batch

from pinn_ext import systems
from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.datasets import SnapshotGraphs, epoch_order
from pinn_ext.dde.callback import AdaptiveWeights
from pinn_ext.dde.data.graph_data import GraphData
from pinn_ext.dde.phases import LBFGS, Epochs, GraphModel, configure
from pinn_ext.losses.from_config import initial_weights, physics_loss
from pinn_ext.networks import FieldNetwork
from pinn_ext.plain_torch.physics_step import train_physics
from pinn_ext.schema import Config
from tests.pairs import pairwise


def small_config(name="coupled_burgers", conditions="hard"):
    cfg = Config()
    cfg.problem.name, cfg.problem.conditions = name, conditions
    cfg.dataset.num_graphs, cfg.dataset.batch_size, cfg.dataset.nodes_per_side = 7, 3, 6
    cfg.training.loss.w2_PI, cfg.training.loss.w1_rk4 = 0.3, 7.0
    return cfg


class Session:
    """A network on small graphs, and a watcher that keeps the numbers it is told."""

    def __init__(self, shared, graphs):
        self.shared, self.graphs = shared, graphs
        self.data, self.model = shared.data, shared.model
        self.network, self.weights = shared.network, shared.weights
        self.told = []

    def after_epoch(self, number):
        self.told.append(number)

    def stop_wanted(self):
        return False

    def epochs(self, learning_rate):
        return Epochs(self.shared, 0, "adam", learning_rate)

    def train(self, phase, length):
        phase.length = length
        phase.train(self)


def build(cfg, dtype="float32"):
    """Return a session that is ready to train."""
    configure(dtype, 0)
    system = systems.create(cfg.problem.name)
    loss = physics_loss(cfg)
    options = {"nodes_per_side": cfg.dataset.nodes_per_side, "conditions": cfg.problem.conditions}
    graphs = SnapshotGraphs(system, cfg.dataset.num_graphs, **options)
    validation = SnapshotGraphs(system, 2, seed=9, **options)
    data = GraphData(loss, graphs, validation, batch_size=cfg.dataset.batch_size, seed=5)
    network = FieldNetwork(system, [8], conditions=cfg.problem.conditions)
    weights = AdaptiveWeights("fixed", names=loss.names, period=data.batches_per_epoch, verbose=0)
    shared = GraphModel(data, network, weights, initial_weights(cfg, loss.names))
    return Session(shared, graphs)


def test_every_batch_of_every_epoch_is_trained_on_once():
    session = build(small_config())
    phase = session.epochs(1e-3)
    phase.compile()
    trained = []
    step = session.model.train_step
    times = session.graphs.time.to(torch.float32)

    def watched(inputs, targets, auxiliary):
        seen = inputs[:, -1].unique().detach()
        trained.append(sorted(int((times == t).nonzero()[0, 0]) for t in seen))
        step(inputs, targets, auxiliary)

    session.model.train_step = watched
    session.train(phase, 4)
    wanted = [sorted(b) for epoch in range(4) for b in epoch_order(7, 3, epoch, 5)]
    assert trained == wanted and session.told == [1, 2, 3, 4]
    assert session.model.train_state.step == len(wanted)
    session.train(phase, 6)
    wanted += [sorted(b) for epoch in (4, 5) for b in epoch_order(7, 3, epoch, 5)]
    assert trained == wanted and session.told == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("name", "conditions", "dtype"),
    pairwise(itertools.product(systems.names(), ["hard", "soft"], ["float32", "float64"])),
)
def test_one_deepxde_step_is_one_call_of_train_physics(name, conditions, dtype):
    """From the same state, with the same weights, parameters agree to rounding.

    Not to the last bit: the program knows the data one step later for all graphs at once, and the
    last numbers of a vector may be rounded otherwise than the rest.
    """
    cfg = small_config(name, conditions)
    cfg.dataset.num_graphs = 3
    session = build(cfg, dtype)
    graphs, phase = session.graphs, session.epochs(1e-2)
    phase.compile()
    network = copy.deepcopy(session.network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for epoch in range(3):
        session.train(phase, epoch + 1)
        (order,) = epoch_order(3, 3, epoch, 5)
        batch = Batch.from_data_list([graphs[i] for i in order])
        _, raw = train_physics(batch, network, optimizer, "cpu", cfg)
        near = {"rtol": 0.0, "atol": 1e-5 if dtype == "float32" else 1e-12}
        for mine, theirs in zip(network.parameters(), session.network.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, **near)
        losses = session.weights.history[-1]["losses"]
        assert losses == pytest.approx(list(raw.values()), rel=1e-3 if dtype == "float32" else 1e-9)


def test_train_physics_takes_the_weights_of_a_manager():
    cfg = small_config()
    session = build(cfg)
    graphs = session.graphs
    names = session.data.loss.names
    manager = AdaptiveLossWeights(names, dict.fromkeys(names, 2.0), "ema")
    batch = Batch.from_data_list([graphs[0], graphs[1]])
    optimizer = torch.optim.SGD(session.network.parameters(), lr=0.0)
    total, raw = train_physics(
        batch, session.network, optimizer, "cpu", cfg, adaptive_weights=manager
    )
    assert total == pytest.approx(2.0 * sum(raw.values()), rel=1e-6)
    assert manager.updates == 0


def test_deepxdes_own_test_loss_is_the_validation_loss():
    session = build(small_config())
    phase = session.epochs(1e-3)
    phase.compile()
    session.train(phase, 1)
    record = session.model.losshistory.loss_test[-1]
    batch = session.data.validation.detached()
    batch.inputs.requires_grad_()
    losses = session.data.loss(session.network, batch, batch.outputs(session.network))
    weighted = torch.stack(losses) * session.model.loss_weights
    assert record == pytest.approx(weighted.tolist(), rel=1e-5)


def test_lbfgs_counts_its_last_block(monkeypatch):
    """One that DeepXDE leaves uncounted because it made a single iteration."""
    session = build(small_config(), "float64")
    first, second = session.epochs(1e-3), LBFGS(session.shared, 1)
    first.compile()
    session.train(first, 1)
    second.compile()
    before = session.model.train_state.step
    second.train(session)
    assert session.told == [1, 1] and second.done == 1
    assert session.model.train_state.step == before + 1
    assert dde.optimizers.config.LBFGS_options["iter_per_step"] == 1000


@pytest.mark.parametrize("conditions", ["hard", "soft"])
@pytest.mark.parametrize("name", systems.names())
def test_the_loss_function_is_honoured(name, conditions):
    """DeepXDE's own gives the terms to the last bit, a difference gives the residual vectors."""
    session = build(small_config(name, conditions), "float64")
    session.epochs(1e-3).compile()
    model, data = session.model, session.data
    inputs, targets, _ = data.train_next_batch()
    outputs = model.net(inputs.requires_grad_())

    def losses(loss_fn):
        return data.losses_train(targets, outputs, loss_fn, inputs, model)

    terms = data.loss(session.network, data.present_batch, outputs)
    rows = data.loss.residuals(session.network, data.present_batch, outputs)
    mean_square = dde.losses.get("MSE")
    assert all(map(torch.equal, losses(mean_square), terms))
    vectors = losses(lambda target, value: value - target)
    assert all(map(torch.equal, vectors, rows))
    first, *rest = losses([dde.losses.get("MAE")] + [mean_square] * (len(terms) - 1))
    assert torch.equal(first, rows[0].abs().mean()) and all(map(torch.equal, rest, terms[1:]))
    at = data.validation.inputs.requires_grad_()
    tests = data.losses_test(None, model.net(at), mean_square, at, model)
    assert [t.item() for t in tests] == data.loss.values(session.network, data.validation)
    with pytest.raises(ValueError, match="`loss` must be one function or one for each of the"):
        losses([mean_square])
