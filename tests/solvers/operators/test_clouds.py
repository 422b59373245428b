"""Generalised finite differences on scattered points and triangulations, three seeds each."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay
from scipy.special import jn_zeros, jnp_zeros
from torch_geometric.data import Batch

from solvers.operators import (
    GraphOperators,
    cloud_graph,
    grid_graph,
    reorder,
    subgraph,
    triangulation_graph,
)
from solvers.rk4.stability import spectral_abscissa
from tests.pairs import pairwise
from tests.solvers.node_sets import mesh, nodes, on_boundary, slope

torch.set_num_threads(1)
DOMAINS = ["square", "disk", "l_shape", "annulus"]
SPACINGS = (1 / 10, 1 / 14, 1 / 20, 1 / 28, 1 / 40)
FINE = (1 / 28, 1 / 40, 1 / 56, 1 / 80)


def cloud(domain, spacing, seed, order, **options):
    points, count = nodes(domain, spacing, seed)
    graph = cloud_graph(points, order=order, dirichlet=on_boundary(points, count), **options)
    return GraphOperators.from_graph(graph)


def triangulation(domain, spacing, seed, order):
    return GraphOperators.from_graph(triangulation_graph(*mesh(domain, spacing, seed), order=order))


def wave(d):
    """Return a smooth field, its Laplacian and its gradient."""
    x, y = d.pos.unbind(1)
    u = (2 * x + 1).sin() * (1.5 * y).exp()
    return u, -1.75 * u, torch.stack([2 * (2 * x + 1).cos() * (1.5 * y).exp(), 1.5 * u], 1)


on_every_domain = pytest.mark.parametrize(
    ("make", "domain", "order"),
    pairwise(itertools.product([cloud, triangulation], DOMAINS, [2, 4])),
)


@on_every_domain
def test_measured_order(make, domain, order):
    # Stencils beside a boundary err more; their share must be small for the order to show.
    spacings = FINE if domain == "annulus" else SPACINGS
    errors = np.empty((3, len(spacings), 2))
    for seed, (k, spacing) in itertools.product(range(3), enumerate(spacings)):
        d = make(domain, spacing, seed, order)
        u, laplacian, gradient = wave(d)
        free = ~d.boundary_mask
        errors[seed, k, 0] = float((d.laplacian(u) - laplacian)[free].abs().mean())
        errors[seed, k, 1] = float((torch.stack(d.gradient(u), 1) - gradient)[free].abs().mean())
        assert d.order == order
    for column in np.exp(np.log(errors).mean(0)).T:
        assert slope(spacings, column) == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize("make", [cloud, triangulation])
@pytest.mark.parametrize("order", [2, 4])
def test_polynomials_are_reproduced_at_every_node(make, order):
    d = make("l_shape", 0.1, 0, order)
    free, (x, y) = ~d.boundary_mask, d.pos.unbind(1)
    size = float(d.laplacian_weights.main.abs().sum(0).max())
    for a, b in itertools.product(range(order + 2), repeat=2):
        if a + b <= order + 1:
            exact = a * (a - 1) * x ** max(a - 2, 0) * y**b
            exact = exact + b * (b - 1) * x**a * y ** max(b - 2, 0)
            gap = (d.laplacian(x**a * y**b) - exact)[free]
            assert float(gap.abs().max()) < 1e-13 * size
        if a + b <= order:
            du_dx, du_dy = d.gradient(x**a * y**b)
            gap = (du_dx - a * x ** max(a - 1, 0) * y**b)[free]
            assert float(gap.abs().max()) < 1e-11
            gap = (du_dy - b * x**a * y ** max(b - 1, 0))[free]
            assert float(gap.abs().max()) < 1e-11


@on_every_domain
def test_spectra_stay_in_the_left_half_plane(make, domain, order):
    for seed in range(3):
        d = make(domain, 0.11, seed, order)
        free = ~d.boundary_mask.numpy()
        values = np.linalg.eigvals(d.to_scipy().toarray()[free][:, free])
        assert values.real.max() < -4.0
        assert spectral_abscissa(d) == 0.0


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_random_points_are_stable_too(order, seed):
    """Neighbours at any distance: no growing modes, and steps as on even points."""
    side = 24
    line = np.arange(side)
    rim = np.concatenate([
        np.stack([line, 0 * line], 1), np.stack([0 * line + side, line], 1),
        np.stack([side - line, 0 * line + side], 1), np.stack([0 * line, side - line], 1),
    ])  # fmt: skip
    inner = 0.5 + (side - 1) * np.random.default_rng(seed).random((side**2, 2))
    points = np.concatenate([rim, inner])
    for graph in (
        cloud_graph(points, order=order, dirichlet=on_boundary(points, len(rim))),
        triangulation_graph(points, _without_slivers(points), order=order),
    ):
        d = GraphOperators.from_graph(graph)
        free = ~d.boundary_mask.numpy()
        values = np.linalg.eigvals(d.to_scipy().toarray()[free][:, free])
        assert values.real.max() < 0
        assert np.abs(values).max() < 20.0


def _without_slivers(points):
    triangles = Delaunay(points).simplices
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return triangles[area > 1e-9]


@pytest.mark.parametrize(("order", "bar"), [(2, 2e-2), (4, 5e-4)])
def test_the_first_eigenvalues_of_a_disk(order, bar):
    points, count = nodes("disk", 0.1, 0)
    normals = np.where(on_boundary(points, count)[:, None], points, 0.0)
    for d, known in [
        (cloud("disk", 0.1, 0, order), jn_zeros(0, 1)[0] ** 2),
        (GraphOperators.from_graph(cloud_graph(points, order=order, normals=normals)),
         jnp_zeros(1, 1)[0] ** 2),
    ]:  # fmt: skip
        free = ~d.boundary_mask.numpy()
        values = np.sort(-np.linalg.eigvals(d.to_scipy().toarray()[free][:, free]).real)
        first = values[0] if d.fluxes is None else values[1]
        assert first == pytest.approx(known, rel=bar)
        if d.fluxes is not None:
            assert abs(values[0]) < 1e-9 * values[-1]


@pytest.mark.parametrize("order", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_slopes_on_a_circle_keep_the_order(order):
    errors = np.empty((3, len(FINE)))
    for seed, (k, spacing) in itertools.product(range(3), enumerate(FINE)):
        points, count = nodes("disk", spacing, seed)
        normals = np.where(on_boundary(points, count)[:, None], 3.0 * points, 0.0)
        d = GraphOperators.from_graph(cloud_graph(points, order=order, normals=normals))
        u, laplacian, gradient = wave(d)
        slopes = (gradient[d.fluxes.nodes] * d.fluxes.normals).sum(1)
        gap = d.fluxes.to_laplacian(d.laplacian(u), slopes) - laplacian
        errors[seed, k] = float(gap.square().mean().sqrt())
        across = d.fluxes.to_gradient(d.gradient(u), slopes)
        target = d.fluxes.target
        along = (torch.stack(across, 1) * torch.from_numpy(points))[target].sum(1)
        torch.testing.assert_close(along, slopes[d.fluxes.point], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(d.fluxes.normals.norm(dim=1), torch.ones_like(slopes))
    mean = np.exp(np.log(errors).mean(0))
    assert slope(FINE, mean) == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize("dimension", [1, 3])
def test_order_in_one_and_three_dimensions(dimension):
    sizes = {1: (20, 28, 40, 56), 3: (7, 9, 11, 14)}[dimension]
    for order in (2, 4) if dimension == 1 else (2,):
        errors = []
        for n in sizes:
            rng = np.random.default_rng(n)
            line = np.linspace(0, 1, n)
            points = np.stack(np.meshgrid(*[line] * dimension), -1).reshape(-1, dimension)
            edge = ((points < 1e-9) | (points > 1 - 1e-9)).any(1)
            points += 0.4 / n * (rng.random(points.shape) - 0.5) * ~edge[:, None]
            d = GraphOperators.from_graph(cloud_graph(points, order=order, dirichlet=edge))
            phase = d.pos.sum(1)
            gap = (d.laplacian(phase.sin()) + dimension * phase.sin())[~d.boundary_mask]
            errors.append(float(gap.square().mean().sqrt()))
        assert slope([1 / n for n in sizes], errors) == pytest.approx(order, abs=0.3)


def test_neighbours_on_a_mesh_do_not_reach_across_a_gap():
    # Two strips, one hundredth apart: nearest points are not neighbours in the domain.
    line = np.linspace(0, 1, 21)
    strips, triangles = [], []
    for number, bottom in enumerate((0.0, 0.26)):
        points = np.stack(np.meshgrid(line, bottom + np.linspace(0, 0.25, 6)), -1).reshape(-1, 2)
        for i, j in itertools.product(range(5), range(20)):
            k = number * len(points) + 21 * i + j
            triangles += [(k, k + 1, k + 22), (k, k + 22, k + 21)]
        strips.append(points)
    graph = triangulation_graph(np.concatenate(strips), np.array(triangles))
    source, target = graph.edge_index
    assert not bool(((source < 126) != (target < 126)).any())
    near = cloud_graph(np.concatenate(strips), dirichlet=graph.boundary_mask)
    source, target = near.edge_index
    assert bool(((source < 126) != (target < 126)).any())


def test_batches_and_long_rows_give_each_graph_alone_bit_for_bit(monkeypatch):
    monkeypatch.setattr("solvers.operators.neighbour_tables._LONG_ROWS_FROM", 2500)
    graphs = [
        cloud_graph(p, order=order, dirichlet=on_boundary(p, count))
        for order, (p, count) in ((4, nodes("l_shape", 0.04, 0)), (2, nodes("disk", 0.05, 1)))
    ]
    together = GraphOperators.from_graph(Batch.from_data_list(graphs))
    assert together.pattern.slot is not None and together.order == 2
    alone = [GraphOperators.from_graph(graph) for graph in graphs]
    assert alone[0].pattern.slot is alone[1].pattern.slot is None
    field = torch.randn(together.num_nodes, dtype=torch.float64)
    parts = field.split([graph.num_nodes for graph in graphs])
    apart = torch.cat([d.laplacian(part) for d, part in zip(alone, parts, strict=True)])
    assert torch.equal(together.laplacian(field), apart)
    dense = together.to_scipy() @ field.numpy()
    size = float(abs(together.to_scipy()).sum(1).max())
    np.testing.assert_allclose(apart.numpy(), dense, rtol=0, atol=1e-13 * size)


@pytest.mark.parametrize("domain", ["l_shape"])
def test_gradients_pass_through_large_tables(domain, monkeypatch):
    monkeypatch.setattr("solvers.operators.graph_operators.SMALL", 0)
    monkeypatch.setattr("solvers.operators.neighbour_tables._LONG_ROWS_FROM", 0)
    d = cloud(domain, 0.14, 0, 4)
    assert d.pattern.slot is not None
    field = torch.rand(d.num_nodes, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad((d.laplacian(field) ** 2).sum(), field, create_graph=True)
    matrix = torch.from_numpy(d.to_scipy().toarray())
    torch.testing.assert_close(found, 2 * matrix.T @ (matrix @ field))
    (twice,) = torch.autograd.grad((found**2).sum(), field)
    torch.testing.assert_close(twice, 8 * matrix.T @ matrix @ (matrix.T @ (matrix @ field)))
    pushed = torch.func.jvp(d.laplacian, (field.detach(),), (field.detach(),))[1]
    torch.testing.assert_close(pushed, matrix @ field.detach())
    rows = torch.autograd.grad(
        d.laplacian(field),
        field,
        torch.eye(d.num_nodes, dtype=torch.float64),
        is_grads_batched=True,
    )[0]
    torch.testing.assert_close(rows, matrix)
    assert torch.autograd.gradcheck(lambda f: d.gradient(f), field)


def test_reordering_changes_the_numbers_of_nodes_alone():
    points, count = nodes("disk", 0.09, 0)
    normals = np.where(on_boundary(points, count)[:, None], points, 0.0)
    graph = cloud_graph(points, normals=normals)
    new = reorder(graph)
    before, after = GraphOperators.from_graph(graph), GraphOperators.from_graph(new)
    order = new.node_order
    assert sorted(order.tolist()) == list(range(len(points)))
    u = wave(before)[0]
    torch.testing.assert_close(after.laplacian(u[order]), before.laplacian(u)[order])
    assert torch.equal(after.pos, before.pos[order])
    slopes = [
        (d.fluxes.to_laplacian(d.laplacian(f), d.pos[d.fluxes.nodes].sum(1)))
        for d, f in ((before, u), (after, u[order]))
    ]
    torch.testing.assert_close(slopes[1], slopes[0][order])

    def reach(g):
        return int((g.edge_index[0] - g.edge_index[1]).abs().max())

    shuffled = cloud_graph(points[np.random.default_rng(0).permutation(len(points))])
    assert reach(reorder(shuffled)) < reach(shuffled) / 3
    with pytest.raises(ValueError, match="one graph, got a batch"):
        reorder(Batch.from_data_list([graph, graph]))


POINTS = np.random.default_rng(0).random((60, 2))
LINE = np.stack([np.linspace(0, 1, 40), np.linspace(0, 2, 40)], 1)
TRIANGLES = np.array([[0, 1, 2], [1, 3, 2]])
MESH = mesh("disk", 0.2, 0)
FOLDED = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.1, 0.2]])
CORNER = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cloud_graph(POINTS, order=3), "`order` must be one of 2, 4, got 3"),
        (lambda: cloud_graph(POINTS, neighbours=8), "at least 9, what order 2 needs.*got 8"),
        (lambda: cloud_graph(POINTS[:8]), "at most 7, the other nodes there are, got 7"),
        (lambda: cloud_graph(POINTS, neighbours=60), "at most 59.*got 60"),
        (lambda: cloud_graph(LINE), "at node 0 and 40 such nodes: do they lie on a line"),
        (lambda: cloud_graph(np.concatenate([POINTS, POINTS[7:8]])), "nodes 7 and 60"),
        (lambda: cloud_graph(POINTS * math.nan), "must be finite, got 60 points"),
        (lambda: cloud_graph(POINTS[:, 0]), r"shape \[N, 1 to 3\] with N > 0, got \[60\]"),
        (
            lambda: cloud_graph(POINTS, dirichlet=np.ones(3, bool)),
            r"bool of shape \[60\], got bool",
        ),
        (lambda: cloud_graph(POINTS, dirichlet=np.ones(60)), r"bool of shape \[60\], got float64"),
        (lambda: cloud_graph(POINTS, normals=POINTS[:9]), r"shape \[60, 2\], got \[9, 2\]"),
        (lambda: cloud_graph(POINTS, dtype=torch.int32), "float32 or float64"),
        (lambda: triangulation_graph(CORNER, TRIANGLES[:1]), "1 nodes outside every triangle"),
        (lambda: triangulation_graph(CORNER, TRIANGLES[:, ::-1] + 1), r"\[0, 4\), got 1 to 4"),
        (lambda: triangulation_graph(CORNER, TRIANGLES * 1.0), "whole numbers, got float64"),
        (lambda: triangulation_graph(CORNER, TRIANGLES[:, :2]), r"\[T, 3\] .* got \[2, 2\]"),
        (
            lambda: triangulation_graph(CORNER[[0, 1, 2, 3, 3]], np.array([[0, 1, 2]] * 3)),
            "`points` must all be different",
        ),
        (
            lambda: triangulation_graph(FOLDED, np.array([[0, 1, 2], [1, 3, 2]])),
            "must not overlap, got 1 edges of 5 with two triangles on the same side",
        ),
        (
            lambda: triangulation_graph(LINE[[0, 3, 5, 9]], TRIANGLES),
            r"area above 1e-10 .* in triangle 0 and 2 such",
        ),
        (lambda: triangulation_graph(CORNER, TRIANGLES), "at least 9.*got 3"),
        (
            lambda: triangulation_graph(*MESH, boundary="robin"),
            "dirichlet, neumann or a mask of Dirichlet nodes, got 'robin'",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("shape", "order"), [([4, 4], 2), ([8, 8], 4), ([5, 4], 2)])
def test_reordering_leaves_slopes_at_walls_alone(shape, order):
    """The first two have as many slopes at their walls as nodes."""
    graph = grid_graph(shape, [0.0, 0.0], [1.0, 1.0], boundary="neumann", order=order)
    for own in (graph, reorder(graph)):
        d = GraphOperators.from_graph(own)
        x, y = d.pos.unbind(1)
        slopes = torch.stack((2 * x + y, 2 * y + x), dim=1)[d.fluxes.nodes]
        given = (slopes * d.fluxes.normals).sum(dim=1)
        found = d.fluxes.to_laplacian(d.laplacian(x**2 + y**2 + x * y), given)
        torch.testing.assert_close(found, torch.full_like(found, 4.0))


def test_a_users_edge_attributes_stay_with_their_edges():
    def lengths(graph):
        start, end = graph.edge_index
        return (graph.pos[start] - graph.pos[end]).norm(dim=1)

    graph = cloud_graph(nodes("disk", 0.2, 0)[0])
    graph.edge_attr = lengths(graph)
    for other in (reorder(graph), subgraph(graph, torch.arange(20))):
        torch.testing.assert_close(other.edge_attr, lengths(other), rtol=0, atol=0)
