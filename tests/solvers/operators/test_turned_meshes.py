"""Triangles that turn either way, as scikit-fem sorts them, and triangles that overlap."""

import numpy as np
import pytest
import torch

from solvers.operators import GraphOperators, finite_element_graph, triangulation_graph
from tests.solvers.node_sets import mesh

MAKERS = [triangulation_graph, finite_element_graph]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
@pytest.mark.parametrize("domain", ["disk", "annulus"])
def test_the_graph_does_not_depend_on_how_triangles_turn(domain, boundary, make):
    points, triangles = mesh(domain, 0.2, 0)
    expected = make(points, triangles, boundary=boundary)
    some = triangles.copy()
    some[::3] = some[::3, ::-1]
    field = torch.sin(2.0 * expected.pos[:, 0]) + expected.pos[:, 1] ** 2
    whole = GraphOperators.from_graph(expected)
    for other in (some, triangles[:, ::-1], np.sort(triangles, axis=1)):
        graph = make(points, other, boundary=boundary)
        assert torch.equal(graph.boundary_mask, expected.boundary_mask)
        d = GraphOperators.from_graph(graph)
        torch.testing.assert_close(d.laplacian(field), whole.laplacian(field))
        for own, right in zip(d.gradient(field), whole.gradient(field), strict=True):
            torch.testing.assert_close(own, right)
        if boundary == "neumann":
            slopes = [(g.flux_normal * g.pos[g.flux_index[0]]).sum(1) for g in (graph, expected)]
            torch.testing.assert_close(slopes[0].sort()[0], slopes[1].sort()[0])


def test_the_first_triangle_does_not_decide_for_the_others():
    points, triangles = mesh("square", 0.4, 1)
    turned = triangles.copy()
    turned[0] = turned[0, ::-1]
    d = GraphOperators.from_graph(finite_element_graph(points, turned))
    inside = ~d.boundary_mask
    for axis in range(2):
        gradient = d.gradient(d.pos[:, axis])[axis][inside]
        torch.testing.assert_close(gradient, torch.ones_like(gradient))


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("turn", [1, -1])
def test_triangles_on_the_same_side_of_an_edge_are_refused(make, turn):
    square = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.5, 0.4]])
    fold = np.array([[0, 1, 2], [1, 3, 2][::turn]])
    with pytest.raises(ValueError, match="must not overlap, got 1 edges of 5"):
        make(square, fold)
