"""`train_physics` with an aggregator: weights of nodes, or of terms, that move by themselves."""

import copy

import pytest
import torch
from torch_geometric.data import Batch

from pinn_ext import AdaptiveWeights, LossAggregator, systems, train_physics
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs, epoch_order
from pinn_ext.dde.data.graph_data import GraphData
from pinn_ext.dde.phases import GraphModel, configure
from pinn_ext.losses.from_config import initial_weights, physics_loss
from pinn_ext.losses.row_points import row_points
from pinn_ext.networks import FieldNetwork
from tests.losses.snapshot_losses import PI, RK4, SOFT, config, parts, step
from tests.program.test_phases import Session, small_config

pytestmark = pytest.mark.usefixtures("double")
RBA = {"eta": 0.3, "gamma": 0.9}


def test_nodes_are_weighed_by_the_formula():
    cfg = config(conditions="soft")
    batch, network, optimizer = parts(cfg)
    loss, names = physics_loss(cfg), PI + RK4 + SOFT
    aggregator = LossAggregator("rba", names, conditions=SOFT, options=RBA)
    graphs = SnapshotBatch.from_graphs(batch)
    hand = {name: 0.0 for name in PI + RK4}
    for number in range(3):
        graphs = graphs.detached()
        graphs.inputs.requires_grad_()
        rows = loss.residuals(network, graphs, loss.outputs(network, graphs))
        rows = dict(zip(names, [own.detach() for own in rows], strict=True))
        wanted = 0.0
        for name, r in rows.items():
            if name in hand:
                hand[name] = 0.9 * hand[name] + 0.3 * r.abs() / r.abs().max()
            wanted += (hand.get(name, 1.0) * r).square().mean().item()
        total, raw = step(cfg, (batch, network, optimizer), adaptive_weights=aggregator)
        assert total == pytest.approx(wanted, rel=1e-12)
        assert raw == pytest.approx({name: r.square().mean().item() for name, r in rows.items()})
        assert aggregator.next_step == number + 1
    for name, factors in aggregator.points.last_factors().items():
        torch.testing.assert_close(factors, hand[name], rtol=1e-12, atol=0)
    assert len(hand["RK4_loss1"]) < len(hand["PI_loss1"])  # no boundary nodes


@pytest.mark.parametrize("conditions", ["hard", "soft"])
@pytest.mark.parametrize(
    ("strategy", "options"), [("rba", RBA), ("brdr", {"decay": 0.9, "kept": 0.5})], ids=str
)
def test_mini_batches_are_weighed_as_by_the_program(strategy, options, conditions):
    """Epochs of shuffled batches through DeepXDE, and by hand: nodes keep their factors."""
    cfg = small_config(conditions=conditions)
    configure("float64", 0)
    system, loss = systems.create(cfg.problem.name), physics_loss(cfg)
    graphs, validation = (
        SnapshotGraphs(system, count, nodes_per_side=6, conditions=conditions, seed=count)
        for count in (7, 2)
    )
    start = initial_weights(cfg, loss.names)
    data = GraphData(loss, graphs, validation, batch_size=3, seed=5)
    network = FieldNetwork(system, [8], conditions=conditions)
    own = copy.deepcopy(network)
    weights = AdaptiveWeights(strategy, names=loss.names, options=options, period=3, verbose=0)
    session = Session(GraphModel(data, network, weights, start), graphs)
    phase = session.epochs(1e-2)
    phase.compile()
    session.train(phase, 3)

    aggregator = LossAggregator(
        strategy,
        loss.names,
        initial_weights=start,
        conditions=[name for name in loss.names if name in SOFT],
        options=options,
        period=3,
    )
    optimizer = torch.optim.Adam(own.parameters(), lr=1e-2)
    for epoch in range(3):
        for rows in epoch_order(7, 3, epoch, 5):
            batch = Batch.from_data_list([graphs[i] for i in rows])
            train_physics(batch, own, optimizer, "cpu", cfg, adaptive_weights=aggregator)
    for mine, theirs in zip(own.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)
    last = weights.history[-1]["point_weights"]
    weighed = PI + RK4 if strategy == "rba" else loss.names
    assert set(last) == set(weighed)
    for name, statistics in aggregator.points.statistics().items():
        assert statistics == pytest.approx(last[name], rel=1e-9)
    counts = [table["count"] for table in aggregator.points.state_dict()["tables"]]
    assert counts[0] == sum(len(graph.pos) for graph in graphs) and len(counts) == len(weighed)


def test_an_aggregator_of_terms_moves_their_weights():
    cfg = config()
    batch, network, optimizer = parts(cfg)
    aggregator = LossAggregator("ema", PI + RK4)
    total, raw = step(cfg, (batch, network, optimizer), adaptive_weights=aggregator)
    assert total == pytest.approx(sum(raw.values()), rel=1e-12)
    weights = aggregator.manager.get_weights()
    assert aggregator.manager.updates == 1 and len(set(weights.values())) == 4
    total, raw = step(cfg, (batch, network, optimizer), adaptive_weights=aggregator)
    assert total == pytest.approx(sum(weights[name] * raw[name] for name in raw), rel=1e-6)
    kernel = LossAggregator("ntk", PI + RK4, parameters=network)
    step(cfg, (batch, network, optimizer), adaptive_weights=kernel)  # is given the residuals
    assert kernel.manager.updates == 1


def test_causal_gets_the_times_of_the_nodes():
    cfg = config()
    batch, network, optimizer = parts(cfg)
    end = systems.create(cfg.problem.name).final_time
    aggregator = LossAggregator(
        "causal", PI + RK4, options={"epsilons": [1.0], "chunks": 4}, time_span=(0.0, end)
    )
    step(cfg, (batch, network, optimizer), adaptive_weights=aggregator)
    at = row_points(physics_loss(cfg), SnapshotBatch.from_graphs(batch), 0)
    factors = aggregator.points.last_factors()["PI_loss1"]
    first = at[:, -1] < end / 4
    assert first.any() and torch.equal(factors[first], torch.ones_like(factors[first]))
    assert factors[~first].max() < 1.0


def test_an_aggregator_of_other_terms_is_refused_before_the_step():
    made = parts(config())
    before = copy.deepcopy(made[1].state_dict())
    for names in (PI, PI + RK4 + SOFT):
        aggregator = LossAggregator("rba", names)
        with pytest.raises(ValueError, match=r"`adaptive_weights` must name exactly .*RK4_loss1"):
            step(config(), made, adaptive_weights=aggregator)
    assert all(torch.equal(before[key], value) for key, value in made[1].state_dict().items())
