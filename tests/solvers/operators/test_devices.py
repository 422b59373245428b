"""Where graphs lie, and sums that have one order."""

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from solvers.operators import (
    GraphOperators,
    cloud_graph,
    finite_element_graph,
    grid_graph,
    neighbour_tables,
    reorder,
    subgraph,
    triangulation_graph,
)

POINTS = np.random.default_rng(0).random((80, 2))
MESH = Delaunay(POINTS)
GRAPHS = {
    "grid": lambda: grid_graph([7, 6], [0.0, 0.0], [1.0, 1.0], boundary="neumann", order=4),
    "cloud": lambda: cloud_graph(POINTS, normals=np.where(POINTS < 0.1, -1.0, 0.0)),
    "triangulation": lambda: triangulation_graph(POINTS, MESH.simplices, boundary="neumann"),
    "elements": lambda: finite_element_graph(POINTS, MESH.simplices, boundary="neumann"),
    "reordered": lambda: reorder(cloud_graph(POINTS)),
    "cut": lambda: subgraph(cloud_graph(POINTS), torch.arange(60, device="cpu")),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_lie_in_main_memory_whatever_the_default_device(name):
    """What is made on the default device here has no numbers at all."""
    wanted = GRAPHS[name]()
    with torch.device("meta"):
        graph = GRAPHS[name]()
        operators = GraphOperators.from_graph(graph)
        field = graph.pos[:, 0] ** 2
        found = operators.laplacian(field), *operators.gradient(field)
    for key, value in wanted.items():
        if isinstance(value, torch.Tensor):
            assert graph[key].device.type == "cpu" and torch.equal(graph[key], value)
    own = GraphOperators.from_graph(wanted)
    for one, other in zip(found, (own.laplacian(field), *own.gradient(field)), strict=True):
        assert torch.equal(one, other)


def test_large_graphs_under_another_default_device():
    """From 4096 nodes on the tables are split."""
    with torch.device("meta"):
        operators = GraphOperators.from_graph(grid_graph([4100], [0.0], [1.0], boundary="neumann"))
        assert operators.adjoint.laplacian_weights.main.device.type == "cpu"


@pytest.mark.parametrize("name", ["grid", "cloud", "triangulation", "elements"])
def test_slopes_are_added_in_rounds_in_the_order_of_the_graph(name):
    """No node stands twice in a round, so that the order of additions is the same anywhere."""
    graph = GRAPHS[name]()
    fluxes = GraphOperators.from_graph(graph).fluxes
    assert sum(fluxes.rounds) == len(fluxes.target) == graph.flux_index.shape[1]
    for target in fluxes.target.split(list(fluxes.rounds)):
        assert len(target.unique()) == len(target)
    field = torch.rand(graph.num_nodes, dtype=torch.float64)
    slope = torch.rand(graph.num_nodes, dtype=torch.float64)
    wanted = field.tolist()
    at, target = graph.flux_index.tolist()
    for i, (node, to) in enumerate(zip(at, target, strict=True)):
        wanted[to] += graph.flux_laplacian[i].item() * slope[node].item()
    assert fluxes.to_laplacian(field, slope[fluxes.nodes]).tolist() == wanted


def test_a_corner_takes_more_than_one_round():
    assert len(GraphOperators.from_graph(GRAPHS["grid"]()).fluxes.rounds) > 1


def test_nothing_raises_where_torch_is_to_be_deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        operators = GraphOperators.from_graph(GRAPHS["grid"]())
        field = operators.pos[:, 0].clone().requires_grad_()
        slopes = torch.ones(len(operators.fluxes.nodes), dtype=torch.float64)
        total = operators.fluxes.to_laplacian(operators.laplacian(field), slopes).square().sum()
        assert torch.autograd.grad(total, field)[0].isfinite().all()
        assert operators.adjoint.laplacian(field).isfinite().all()
    finally:
        torch.use_deterministic_algorithms(False)


def test_tables_are_laid_out_for_where_they_lie():
    many = torch.zeros(12, neighbour_tables.SMALL // 12 + 1)
    assert not neighbour_tables.arrange(many).is_contiguous()
    elsewhere = torch.empty(many.shape, device="meta").t().contiguous().t()
    assert neighbour_tables.arrange(elsewhere).is_contiguous()
    assert neighbour_tables.node_major(elsewhere) is elsewhere
