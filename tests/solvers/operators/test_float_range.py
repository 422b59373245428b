"""Numbers that are none, and domains too large or too small for a float type."""

import warnings

import numpy as np
import pytest
import torch

from solvers.operators import GraphOperators, cloud_graph, finite_element_graph, grid_graph
from tests.solvers.node_sets import mesh

POINTS = np.random.default_rng(3).random((80, 2))
SINGLE = torch.float32
PAIR = [[0.25, 0.25], [0.25 + 1e-10, 0.25]]


def heated():
    return grid_graph([5, 4], [0.0, 0.0], [1.0, 1.0], boundary="neumann")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "key",
    ["pos", "edge_laplacian", "edge_gradient", "flux_normal", "flux_laplacian", "flux_gradient"],
)
def test_numbers_that_are_none_are_refused_by_name(key, value):
    graph = heated()
    graph[key].view(-1)[2] = value
    count = graph[key].numel()
    for check in (True, False):
        with pytest.raises(ValueError, match=f"`{key}` must be finite, got 1 of {count} numbers"):
            GraphOperators.from_graph(graph, check=check)


def test_slopes_at_nodes_that_are_none_are_refused():
    graph = heated()
    graph.flux_index[0, 0] = 20
    with pytest.raises(ValueError, match=r"`flux_index` must lie in \[0, 20\), got 0 to 20"):
        GraphOperators.from_graph(graph)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: grid_graph([7], [0.0], [1e-200]), "1 / spacing\\^2 is a torch.float64"),
        (lambda: grid_graph([7], [-1.5e308], [1.5e308]), "got a spacing of inf on axis 0"),
        (lambda: grid_graph([7, 7], [0.0, 0.0], [1.0, 1e200]), "on axis 1: choose other units"),
        (lambda: grid_graph([7], [0.0], [1e-25], dtype=SINGLE), "is a torch.float32"),
        (lambda: grid_graph([7], [0.0], [1e25], dtype=SINGLE), "is a torch.float32"),
        (lambda: grid_graph([100], [1e8], [1e8 + 1], dtype=SINGLE), "nodes differ in torch.float3"),
        (lambda: grid_graph([100], [1e17], [1e17 + 64]), "nodes differ in torch.float64"),
        (lambda: cloud_graph(POINTS * 1e-25, dtype=SINGLE), "must be finite, got .* torch.float32"),
        (lambda: cloud_graph(POINTS * 1e25, dtype=SINGLE), "must not underflow in torch.float32"),
        (lambda: cloud_graph(POINTS * 1e200), "`points` must span 1e-150 to 1e150"),
        (lambda: cloud_graph(POINTS * 1e-200), "`points` must span 1e-150 to 1e150"),
        (
            lambda: cloud_graph(np.r_[POINTS, PAIR], dtype=SINGLE),
            "different in torch.float32, got 1",
        ),
        (
            lambda: finite_element_graph(
                mesh("disk", 0.3, 0)[0] * 1e-30, mesh("disk", 0.3, 0)[1], dtype=SINGLE
            ),
            "must be finite, got .* torch.float32",
        ),
    ],
)
def test_domains_out_of_the_range_of_a_float_type_are_refused(make, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=message):
            make()


@pytest.mark.parametrize("unit", [1e-120, 1e-9, 1e-3, 1.0, 1e6, 1e100])
def test_scattered_points_in_any_units_have_the_same_derivatives(unit):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        d = GraphOperators.from_graph(cloud_graph(POINTS * unit))
    x, y = (d.pos / unit).unbind(1)
    laplacian = d.laplacian(x**3 - x * y) * unit**2
    torch.testing.assert_close(laplacian, 6.0 * x, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("unit", [1e-14, 1.0, 1e14])
def test_single_precision_is_taken_where_it_is_enough(unit):
    d = GraphOperators.from_graph(
        grid_graph([9], [0.0], [unit], boundary="dirichlet", dtype=SINGLE)
    )
    slope = d.gradient(d.pos[:, 0])[0][1:-1]
    torch.testing.assert_close(slope, torch.ones_like(slope))
