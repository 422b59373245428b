"""Batches of problems: as their graphs alone, built once, and graphs of one's own."""

import math

import pytest
import torch
from torch_geometric.data import Batch, Data

from pinn_ext.datasets.families import FamilyBatch, FamilyBatches, check_graph
from solvers.operators import grid_graph
from tests.datasets.families.small import family, graphs

TIMES = torch.tensor([0.1, 0.2], dtype=torch.float64)
KEYS = (
    *("x", "pos", "edge_index", "edge_attr", "boundary_mask", "batch"),
    *("parameters", "rates", "inputs", "numbers"),
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "own", [family(), family("neumann", "cloud", per_side=7, own=True)], ids=["shared", "own"]
)
def test_a_batch_picked_is_a_batch_gathered(own, dtype):
    data = graphs(own)
    picked = FamilyBatches(data, 0.01, dtype=dtype).batch([2, 0], TIMES)
    gathered = FamilyBatch.from_graphs([data[2], data[0]], own, TIMES, 0.01, dtype=dtype)
    for key in KEYS:
        assert torch.equal(getattr(picked, key), getattr(gathered, key)), key
    assert picked.x.dtype == dtype and picked.numbers.tolist() == [2, 0]


def test_a_batch_is_its_graphs_side_by_side():
    data = graphs()
    together = FamilyBatches(data, 0.01, dtype=torch.float64).batch([0, 1], TIMES)
    for i in range(2):
        alone = FamilyBatch.from_graphs(data[i], data.family, TIMES[i], 0.01, dtype=torch.float64)
        here = together.batch == i
        assert torch.equal(together.rates[here], alone.rates)
        assert torch.equal(together.inputs[here], alone.inputs)


def test_other_states_and_times():
    batch = FamilyBatches(graphs(), 0.01).batch([0, 1], TIMES)
    later = batch.from_state(batch.x + 0.1)
    torch.testing.assert_close(later.rates, batch.equation(0.0, batch.x + 0.1))
    moved = batch.at(torch.tensor([0.0, 0.25]))
    assert moved.inputs[:, 0].unique().tolist() == [0.0, 0.25]
    assert torch.equal(moved.x, batch.x)


def test_rows_are_known_by_problem_node_and_time():
    own = family("dirichlet", "cloud", per_side=7, constants={})
    batch = FamilyBatches(graphs(own), 0.01, dtype=torch.float64).batch([2, 0], TIMES)
    rows = batch.row_points()
    assert len(rows) == int((~batch.boundary_mask).sum())
    nodes = len(batch.x) // 2
    assert rows[:, 0].unique(return_counts=True)[0].tolist() == [0.0, 2.0]
    assert rows[:, 1].max() < nodes and len(rows[:, :2].unique(dim=0)) == len(rows)
    assert rows[:, 2].unique().tolist() == pytest.approx([0.1, 0.2])


def test_graphs_of_ones_own():
    """What a graph lacks is made: relative positions across the sides of the box."""
    own = family(constants={})
    graph = grid_graph([6, 6], [0.0, 0.0], [2.0, 2.0])
    graph.x = torch.ones(36, 2, dtype=torch.float64)
    batch = FamilyBatch.from_graphs(graph, own, TIMES[:1], 0.01)
    assert batch.edge_attr[:, 2].tolist() == pytest.approx([1.0] * 144)
    assert batch.numbers.tolist() == [0] and batch.parameters.shape == (1, 0)


def _graph(**changes):
    graph = grid_graph([4, 4], [0.0, 0.0], [1.0, 1.0])
    graph.x = torch.ones(16, 2, dtype=torch.float64)
    for key, value in changes.items():
        graph[key] = value
    return graph


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Data(edge_index=torch.zeros(2, 1).long(), x=torch.ones(2, 2)), "got one without pos"),
        (Data(pos=torch.ones(2, 2), x=torch.ones(2, 2)), "got one without edge_index"),
        (Data(pos=torch.ones(2, 2), edge_index=torch.zeros(2, 1).long()), "got one without x"),
        (
            Data(pos=torch.ones(0, 2), edge_index=torch.zeros(2, 0).long(), x=torch.ones(0, 2)),
            "must have nodes, got one of 0 nodes",
        ),
        (
            Data(pos=torch.ones(2, 2), edge_index=torch.zeros(2, 0).long(), x=torch.ones(2, 2)),
            "must have edges, got one of 0 edges",
        ),
        (
            Data(pos=torch.ones(2, 2), edge_index=torch.zeros(2, 1).long(), x=torch.ones(2, 2)),
            "must have the weights of operators, as grid_graph",
        ),
        (_graph(x=torch.ones(16, 3)), r"of shape \[16, 2\], u and v at each node, got \[16, 3\]"),
        (_graph(x=torch.full((16, 2), math.nan)), "must be finite in x, got 32 numbers"),
        (_graph(pos=torch.full((16, 2), math.inf)), "must be finite in pos, got 32 numbers"),
    ],
)
def test_graphs_that_cannot_be_stepped(graph, message):
    with pytest.raises(ValueError, match=message):
        check_graph(graph)


def test_parameters_are_those_of_the_family():
    with pytest.raises(ValueError, match=r"must have parameters \[1, 1\], of the constants that"):
        FamilyBatch.from_graphs(_graph(), family(), TIMES[:1], 0.01)
    with pytest.raises(ValueError, match=r"must have edge_attr \[64, 3\], .*, got \[2, 2\]"):
        own = _graph(edge_attr=torch.ones(2, 2))
        FamilyBatch.from_graphs(own, family(constants={}), TIMES[:1], 0.01)
    assert Batch.from_data_list([_graph()]).x.shape == (16, 2)
