"""Data sets of snapshots: their times, their order in an epoch, what they refuse."""

import itertools
import math

import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotGraphs, epoch_order, stratified_times
from tests.losses.snapshot_losses import F64, every

pytestmark = pytest.mark.usefixtures("double")


@pytest.mark.parametrize(("graphs", "size"), [(1, 1), (10, 3), (7, 7), (5, 20), (100, 10)])
def test_an_epoch_sees_every_graph_once(graphs, size):
    order = epoch_order(graphs, size, epoch=3, seed=1)
    assert sorted(itertools.chain(*order)) == list(range(graphs))
    assert [len(batch) for batch in order[:-1]] == [size] * (len(order) - 1)
    assert 1 <= len(order[-1]) <= size


def test_the_order_depends_on_epoch_and_seed_and_nothing_else():
    torch.manual_seed(0)
    first = epoch_order(50, 10, 4, 2)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert epoch_order(50, 10, 4, 2) == first
    assert torch.equal(torch.get_rng_state(), before)
    others = [epoch_order(50, 10, epoch, seed) for epoch, seed in ((5, 2), (4, 3), (2, 4))]
    assert all(other != first for other in others)


@pytest.mark.parametrize("count", [1, 2, 17, 100])
def test_times_are_stratified(count):
    times = stratified_times(count, 0.9, seed=5)
    assert times.dtype == F64 and times.shape == (count,)
    assert torch.equal((times / 0.9 * count).floor(), torch.arange(count, dtype=F64))
    assert torch.equal(times, stratified_times(count, 0.9, seed=5))
    assert not torch.equal(times, stratified_times(count, 0.9, seed=6))


@every
def test_snapshots_leave_room_for_the_step(name, boundary):
    system = systems.create(name, boundary=boundary)
    graphs = SnapshotGraphs(system, 6, step=0.4, nodes_per_side=5, seed=3)
    assert len(graphs) == 6
    times = torch.cat([graph.time for graph in graphs])
    last = system.final_time - 0.4
    assert torch.equal((times / last * 6).floor(), torch.arange(6, dtype=F64))
    for graph in graphs:
        assert len(graph.pos) == 5**system.dimension
        wanted = system.exact(graph.pos, graph.time.expand(len(graph.pos)))
        torch.testing.assert_close(graph.y, wanted)
        assert 0 < float(graph.stable_step) < math.inf
        assert bool(graph.boundary_mask.any()) != system.periodic


def test_default_nodes():
    system = systems.create("brusselator")
    assert len(SnapshotGraphs(system, 1)[0].pos) == system.default_nodes**2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_graphs": 0}, "`num_graphs` must be a whole number >= 1"),
        ({"step": 0.0}, r"`step` must be a finite number in \(0, 1\), got 0"),
        ({"step": 1.0}, r"`step` must be a finite number in \(0, 1\), got 1"),
        ({"nodes_per_side": 2}, "`nodes_per_side` must be a whole number >= 3, got 2"),
    ],
)
def test_bad_data_sets(options, message):
    with pytest.raises(ValueError, match=message):
        SnapshotGraphs(systems.create("brusselator"), **options)
