"""Graphs that are changed after their weights were made, and graphs that are not."""

import copy
import io
import warnings

import numpy as np
import pytest
import torch
import torch_geometric.transforms as transforms
from torch_geometric.data import Batch, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.utils import sort_edge_index

from solvers.operators import (
    GraphOperators,
    GraphWarning,
    cloud_graph,
    grid_graph,
    reorder,
    seal,
    subgraph,
)


def cloud(seed=0, count=50):
    return cloud_graph(np.random.default_rng(seed).random((count, 2)) * 3.0 - 1.0)


def plate():
    sides = ["periodic", ("dirichlet", "neumann")]
    return grid_graph([5, 6], [0.0, -1.0], [2.0, 1.0], boundary=sides, order=4)


def shifted(graph):
    graph.pos[3] += 0.25
    return graph


def weights_in_another_order(graph):
    graph.edge_laplacian = graph.edge_laplacian.flip(0)
    return graph


def fewer_edges(graph):
    return graph.edge_subgraph(torch.arange(graph.num_edges - 4))


def other_numbers(graph):
    return graph.subgraph(torch.randperm(50, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (transforms.RandomFlip(1, 1.0), "positions"),
        (transforms.RandomScale((3.0, 3.0)), "positions"),
        (shifted, "positions"),
        (weights_in_another_order, "weights"),
        (fewer_edges, "edges and weights"),
        (other_numbers, "positions and edges and weights"),
        (lambda graph: graph.subgraph(torch.arange(40)), "positions and edges and weights"),
    ],
)
def test_a_change_is_warned_of_alone_and_in_a_batch(change, what):
    changed = change(cloud())
    message = f"The graph's {what} changed after its weights were made"
    batches = [Batch.from_data_list([cloud(1), changed]), Batch.from_data_list([changed, plate()])]
    for graph in (changed, *batches):
        with pytest.warns(GraphWarning, match="changed after its weights were made"):
            GraphOperators.from_graph(graph)
    with pytest.warns(GraphWarning, match=message):
        GraphOperators.from_graph(changed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GraphOperators.from_graph(changed, check=False)
        GraphOperators.from_graph(seal(changed))


def saved_and_loaded(graph):
    file = io.BytesIO()
    torch.save(graph, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def in_a_dataset(graph):
    dataset = InMemoryDataset()
    dataset.data, dataset.slices = dataset.collate([plate(), graph])
    return dataset[1]


def without_one(graph):
    del graph["operator_fingerprint"]
    graph.pos = graph.pos * 2.0
    return graph


def edges_by_source(graph):
    weights = [graph.edge_laplacian[:, None], graph.edge_gradient]
    graph.edge_index, every = sort_edge_index(graph.edge_index, torch.cat(weights, 1))
    graph.edge_laplacian, graph.edge_gradient = every[:, 0], every[:, 1:]
    return graph


@pytest.mark.parametrize(
    "change",
    [
        lambda graph: graph,
        lambda graph: graph.to("cpu").clone(),
        lambda graph: graph.apply(lambda x: x.float() if x.is_floating_point() else x),
        lambda graph: graph.apply(
            lambda x: x.float().double() if x.is_floating_point() else x.clone()
        ),
        copy.deepcopy,
        saved_and_loaded,
        in_a_dataset,
        reorder,
        lambda graph: reorder(reorder(graph)),
        lambda graph: subgraph(graph, torch.arange(45)),
        edges_by_source,
        without_one,
        lambda graph: Batch.from_data_list([plate(), graph]).to_data_list()[1],
        lambda graph: Batch.from_data_list([plate(), graph, graph]),
        lambda graph: Batch.from_data_list([Batch.from_data_list([plate(), graph])] * 2),
        lambda graph: next(iter(DataLoader([graph, plate(), graph], batch_size=3))),
    ],
)
def test_there_is_no_false_alarm(change):
    graph = change(cloud())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GraphOperators.from_graph(graph)


def test_renumbering_does_not_hide_a_change():
    changed = shifted(cloud())
    for graph in (reorder(changed), subgraph(changed, torch.arange(40))):
        with pytest.warns(GraphWarning, match="changed after"):
            GraphOperators.from_graph(graph)


def test_node_order_holds_in_a_batch():
    old = [cloud(2), plate(), cloud(3, 40)]
    batch = Batch.from_data_list([reorder(graph) for graph in old])
    assert torch.equal(torch.cat([graph.pos for graph in old])[batch.node_order], batch.pos)
    for graph, again in zip(old, batch.to_data_list(), strict=True):
        assert torch.equal(graph.pos[again.node_order], again.pos)


STRIP = grid_graph([9, 5], [0.0, 0.0], [2.0, 1.0], boundary="neumann")


@pytest.mark.parametrize("graph", [cloud(), STRIP, reorder(cloud(4))])
def test_a_subgraph_has_the_derivatives_of_the_whole_where_it_can(graph):
    kept = (graph.pos[:, 0] < 1.2).nonzero().flatten().flip(0)
    part = subgraph(graph, kept)
    whole, cut = GraphOperators.from_graph(graph), GraphOperators.from_graph(part, check=False)
    field = torch.sin(3.0 * whole.pos[:, 0]) * whole.pos[:, 1]
    source, target = graph.edge_index
    outer = torch.ones(graph.num_nodes, dtype=torch.bool).index_fill(0, kept, False)
    lost = torch.zeros_like(outer).index_fill(0, target[outer[source]], True)
    expected = graph.boundary_mask | lost
    inside = ~cut.boundary_mask
    assert torch.equal(cut.boundary_mask, expected[kept]) and 0 < int(inside.sum()) < len(kept)
    laplacian = cut.laplacian(field[kept])
    assert torch.equal(laplacian[inside], whole.laplacian(field)[kept][inside])
    assert not laplacian[~inside].any()
    for own, other in zip(cut.gradient(field[kept]), whole.gradient(field), strict=True):
        assert torch.equal(own[inside], other[kept][inside]) and not own[~inside].any()
    assert torch.equal(part.pos, graph.pos[kept]) and "node_order" not in part


def test_a_subgraph_keeps_the_slopes_of_its_own_nodes():
    graph = plate()
    part = subgraph(graph, graph.pos[:, 1] > -0.7)
    cut = GraphOperators.from_graph(part)
    whole = GraphOperators.from_graph(graph)
    assert cut.fluxes is not None and len(cut.fluxes.nodes) == len(whole.fluxes.nodes) == 5
    assert torch.equal(cut.pos[cut.fluxes.nodes], whole.pos[whole.fluxes.nodes])
    assert not cut.boundary_mask[cut.fluxes.target].any()


@pytest.mark.parametrize(
    "nodes",
    [
        torch.tensor([0, 50]),
        torch.tensor([-1, 3]),
        torch.tensor([2, 2]),
        torch.tensor([], dtype=torch.int64),
        torch.tensor([1.0, 2.0]),
        torch.ones(49, dtype=torch.bool),
        torch.zeros(50, dtype=torch.bool),
    ],
)
def test_nodes_that_are_none_are_refused(nodes):
    with pytest.raises(ValueError, match="`nodes` must be bool of shape \\[50\\] or node numbers"):
        subgraph(cloud(), nodes)


@pytest.mark.parametrize("change", [reorder, seal, lambda batch: subgraph(batch, torch.arange(3))])
def test_batches_are_refused(change):
    with pytest.raises(ValueError, match="one graph, got a batch"):
        change(Batch.from_data_list([plate(), plate()]))
