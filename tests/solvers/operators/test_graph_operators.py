"""Operators on grid graphs: measured orders, invariants, batches, refusals."""

import math
import warnings

import pytest
import torch
from torch_geometric.data import Batch, Data

from solvers.operators import GraphOperators, GraphWarning, grid_graph, seal
from tests.solvers.node_sets import slope

torch.set_num_threads(1)

SIZES = {
    1: [(n,) for n in (16, 24, 32, 48, 64)],
    2: [(n, 3 * n // 2) for n in (12, 16, 24, 32, 48)],
    3: [(n, 3 * n // 2, n) for n in (8, 12, 16, 24)],
}
LENGTHS = (1.0, 2.0, 1.5)


def ops(*args, **kwargs) -> GraphOperators:
    return GraphOperators.from_graph(grid_graph(*args, **kwargs))


def random_graph(num_nodes: int, num_edges: int, dimension: int, seed: int) -> Data:
    gen = torch.Generator().manual_seed(seed)
    source = torch.randint(num_nodes, (num_edges,), generator=gen)
    target = (source + torch.randint(1, num_nodes, (num_edges,), generator=gen)) % num_nodes

    def normal(*shape):
        return torch.randn(*shape, generator=gen, dtype=torch.float64)

    return Data(
        pos=normal(num_nodes, dimension),
        edge_index=torch.stack([source, target]),
        edge_laplacian=normal(num_edges),
        edge_gradient=normal(num_edges, dimension),
        boundary_mask=torch.zeros(num_nodes, dtype=torch.bool),
        flux_index=torch.zeros(2, 0, dtype=torch.int64),
        flux_normal=normal(0, dimension),
        flux_laplacian=normal(0),
        flux_gradient=normal(0, dimension),
        operator_order=1,
    )


def dense(graph: Data, weights: torch.Tensor) -> torch.Tensor:
    """Slow transcription of (L u)_i = sum_j w_ij (u_j - u_i)."""
    matrix = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64)
    for (j, i), w in zip(graph.edge_index.t().tolist(), weights.tolist(), strict=True):
        matrix[i, j] += w
        matrix[i, i] -= w
    return matrix


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_measured_order_is_two(dimension, boundary):
    upper = [0.25 + length for length in LENGTHS[:dimension]]
    h, laplacian_error, gradient_error = [], [], []
    for shape in SIZES[dimension]:
        d = ops(shape, [0.25] * dimension, upper, boundary=boundary)
        wave = 2 * math.pi / torch.tensor(LENGTHS[:dimension], dtype=torch.float64)
        phase = d.pos @ wave
        inside = ~d.boundary_mask
        error = d.laplacian(phase.sin()) + (wave**2).sum() * phase.sin()
        laplacian_error.append(float(error[inside].abs().max()))
        exact = (wave[:, None] * phase.cos()).unbind(0)
        gaps = [g - e for g, e in zip(d.gradient(phase.sin()), exact, strict=True)]
        gradient_error.append(max(float(gap[inside].abs().max()) for gap in gaps))
        h.append(1.0 / (shape[0] if boundary == "periodic" else shape[0] - 1))
        assert (d.order, d.dimension, d.num_nodes) == (2, dimension, math.prod(shape))
    assert slope(h, laplacian_error) == pytest.approx(2.0, abs=0.2)
    assert slope(h, gradient_error) == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
def test_constants_are_in_the_kernel_exactly(boundary):
    d = ops([4, 5, 6], [0.0] * 3, [1.0, 3.0, 0.7], boundary=boundary)
    constant = torch.full((d.num_nodes,), 0.1, dtype=torch.float64)
    assert not d.laplacian(constant).any()
    assert not torch.stack(d.gradient(constant)).any()


def test_periodic_laplacian_is_symmetric_and_keeps_mass():
    graph = grid_graph([5, 6], [0.0, 0.0], [1.0, 3.0])
    matrix = dense(graph, graph.edge_laplacian)
    assert torch.equal(matrix, matrix.t())
    field = torch.rand(30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    stepped = field + 1e-3 * GraphOperators.from_graph(graph).laplacian(field)
    assert float(stepped.sum()) == pytest.approx(float(field.sum()), rel=1e-14)
    assert not torch.allclose(stepped, field)


def test_cubics_and_their_quadratics_are_reproduced_inside():
    d = ops([7, 9], [-1.0, 0.5], [1.0, 2.0], boundary="dirichlet")
    x, y = d.pos.unbind(1)
    inside = ~d.boundary_mask
    got = d.laplacian(x**3 - 2 * x * y**2 + x**2 * y + 3 * y**3 + x)
    torch.testing.assert_close(got[inside], (2 * x + 2 * y + 18 * y)[inside], rtol=0, atol=1e-11)
    du_dx, du_dy = d.gradient(x**2 - 3 * x * y + 2 * y**2 + y)
    torch.testing.assert_close(du_dx[inside], (2 * x - 3 * y)[inside], rtol=0, atol=1e-12)
    torch.testing.assert_close(du_dy[inside], (4 * y - 3 * x + 1)[inside], rtol=0, atol=1e-12)


def test_a_graph_checked_by_hand():
    graph = grid_graph([3, 4], [0.0, 0.0], [2.0, 6.0], boundary="dirichlet")
    assert graph.pos[[0, 3, 11]].tolist() == [[0.0, 0.0], [0.0, 6.0], [2.0, 6.0]]
    assert (~graph.boundary_mask).nonzero().flatten().tolist() == [5, 6]
    assert graph.edge_index.shape == (2, 2 * (2 * 4 + 3 * 3))
    assert graph.is_undirected() and not graph.has_self_loops()
    assert int((graph.edge_laplacian != 0).sum()) == 8
    field = torch.zeros(12, dtype=torch.float64)
    field[5] = 1.0
    d = GraphOperators.from_graph(graph)
    assert d.laplacian(field)[[4, 5, 6]].tolist() == [0.0, -2.5, 0.25]
    assert d.gradient(field)[1][[4, 5, 6]].tolist() == [0.0, 0.0, -0.25]
    ring = grid_graph([3], [0.0], [3.0])
    assert not ring.boundary_mask.any()
    line = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    assert GraphOperators.from_graph(ring).laplacian(line).tolist() == [-2.0, 1.0, 1.0]
    assert GraphOperators.from_graph(ring).gradient(line)[0].tolist() == [0.0, -0.5, 0.5]


def test_any_graph_matches_the_dense_transcription():
    graph = random_graph(9, 30, 2, seed=3)
    d = GraphOperators.from_graph(graph, check=False)
    field = torch.randn(9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = dense(graph, graph.edge_laplacian) @ field
    torch.testing.assert_close(d.laplacian(field), expected, rtol=0, atol=1e-13)
    for axis, derivative in enumerate(d.gradient(field)):
        expected = dense(graph, graph.edge_gradient[:, axis]) @ field
        torch.testing.assert_close(derivative, expected, rtol=0, atol=1e-13)


def test_a_batch_gives_each_graph_alone_bit_for_bit():
    graphs = [
        grid_graph([5, 7], [0.0, 0.0], [1.0, 1.0]),
        seal(random_graph(11, 60, 2, seed=0)),
        grid_graph([4, 3], [0.0, 0.0], [1.0, 2.0], boundary="dirichlet"),
    ]
    together = GraphOperators.from_graph(Batch.from_data_list(graphs), check=False)
    assert together.order == 1
    field = torch.randn(
        together.num_nodes, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    parts = field.split([graph.num_nodes for graph in graphs])
    alone = [GraphOperators.from_graph(graph, check=False) for graph in graphs]
    assert len({d.pattern.neighbours.shape[0] for d in alone}) == 2
    apart = [d.laplacian(part) for d, part in zip(alone, parts, strict=True)]
    assert torch.equal(together.laplacian(field), torch.cat(apart))
    apart = [torch.stack(d.gradient(part)) for d, part in zip(alone, parts, strict=True)]
    assert torch.equal(torch.stack(together.gradient(field)), torch.cat(apart, 1))
    mask = torch.cat([graph.boundary_mask for graph in graphs])
    assert torch.equal(together.boundary_mask, mask)


def test_a_graph_without_edges_has_zero_derivatives():
    with pytest.warns(GraphWarning, match="4 nodes have no edges"):
        d = GraphOperators.from_graph(random_graph(4, 0, 2, seed=0))
    field = torch.arange(4.0, dtype=torch.float64)
    assert not d.laplacian(field).any() and not torch.stack(d.gradient(field)).any()


def test_gradients_pass_through():
    d = ops([3, 4], [0.0, 0.0], [1.0, 1.0], boundary="dirichlet")
    field = torch.rand(12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: (d.laplacian(f), *d.gradient(f)), field)


def test_float32():
    graph = grid_graph([8, 8], [0.0, 0.0], [1.0, 1.0], dtype=torch.float32)
    assert graph.pos.dtype == graph.edge_gradient.dtype == torch.float32
    single = GraphOperators.from_graph(graph)
    double = ops([8, 8], [0.0, 0.0], [1.0, 1.0])
    field = torch.rand(64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for d in (single, double.to(dtype=torch.float32)):
        assert d.pattern.neighbours.dtype == torch.int32 and d.boundary_mask.dtype == torch.bool
        got = d.laplacian(field.float())
        assert got.dtype == torch.float32
        torch.testing.assert_close(got.double(), double.laplacian(field), rtol=1e-4, atol=1e-3)
    assert double.to("cpu").laplacian_weights.main.dtype == torch.float64


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (([4], [0.0], [1.0]), {"boundary": "x"}, "one of periodic, dirichlet, neumann, got 'x'"),
        (
            ([2], [0.0], [1.0]),
            {},
            "at least 3 nodes for order 2 and periodic sides, got 2 on axis 0",
        ),
        (([3, 3.5], [0.0, 0.0], [1.0, 1.0]), {}, "got 3.5 on axis 1"),
        (([4], [1.0], [1.0]), {}, "below `upper`, got 1.0, 1.0 on axis 0"),
        (([4], [0.0], [math.inf]), {}, "finite and below `upper`"),
        (([4, 4], [0.0], [1.0, 1.0]), {}, "one entry per axis, got 2, 1 and 2"),
        (([3] * 4, [0.0] * 4, [1.0] * 4), {}, "1 to 3 axes, got 4"),
        (([4], [0.0], [1.0]), {"dtype": torch.int64}, "float32 or float64.*got torch.int64"),
    ],
)
def test_grid_refusals(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        grid_graph(*args, **kwargs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edge_index": torch.tensor([[0, 4], [1, 2]])}, r"lie in \[0, 4\), got 0 to 4"),
        ({"edge_index": torch.tensor([[0, -1], [1, 2]])}, "got -1 to 2"),
        ({"edge_index": torch.tensor([[0, 2], [1, 2]])}, "no self loops, got 1"),
        ({"edge_index": torch.tensor([0, 2])}, r"shape \[2, E\]"),
        ({"edge_laplacian": torch.ones(3)}, r"shape \[2\].*got \[3\]"),
        ({"edge_gradient": torch.ones(2, 2)}, r"\[2, 1\], got \[2\] and \[2, 2\]"),
        ({"edge_gradient": None}, "got no edge_gradient"),
        ({"boundary_mask": torch.zeros(4)}, r"bool of shape \[4\], got torch.float32"),
        ({"boundary_mask": torch.ones(3, dtype=torch.bool)}, r"bool of shape \[4\], .* \[3\]"),
    ],
)
def test_graph_refusals(changes, message):
    graph = random_graph(4, 2, 1, seed=0)
    for key, value in changes.items():
        graph[key] = value
    with pytest.raises(ValueError, match=message):
        GraphOperators.from_graph(graph)


def test_field_refusals():
    d = ops([4], [0.0], [1.0])
    with pytest.raises(ValueError, match=r"shape \[4\], got \[4, 2\]"):
        d.laplacian(torch.zeros(4, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"torch\.float64 like the operators.*got torch\.int64"):
        d.gradient(torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"got torch\.float32"):
        d.laplacian(torch.zeros(4, dtype=torch.float32))
    with pytest.raises(ValueError, match=r"float32 or float64, got torch\.int32"):
        d.to(dtype=torch.int32)


def test_unlikely_graphs_are_warned_of():
    graph = grid_graph([5, 4], [0.0, 0.0], [1.0, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GraphOperators.from_graph(graph)
        GraphOperators.from_graph(Batch.from_data_list([graph, graph]))
        GraphOperators.from_graph(
            grid_graph([5, 4], [0.0, 0.0], [1.0, 1.0], boundary="dirichlet", order=2)
        )

    def edges(keep):
        changed = graph.clone()
        changed.edge_index = graph.edge_index[:, keep]
        for key in ("edge_laplacian", "edge_gradient"):
            changed[key] = graph[key][keep]
        return seal(changed)

    source, target = graph.edge_index
    every = torch.arange(len(source))
    for keep, message in [
        ((target != 7).nonzero().flatten(), "1 nodes have no edges, the first is node 7"),
        (torch.cat([every, every[:3]]), "3 edges are given twice: their weights add up"),
        (((source < 8) == (target < 8)).nonzero().flatten(), "in 2 pieces that know nothing"),
    ]:
        with pytest.warns(GraphWarning, match=message):
            GraphOperators.from_graph(edges(keep))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            GraphOperators.from_graph(edges(keep), check=False)


def test_types_that_cannot_be_computed_with_are_refused():
    graph = grid_graph([5], [0.0], [1.0])
    for key, dtype, message in [
        ("pos", torch.float16, "must be float32 or float64, got torch.float16"),
        ("edge_laplacian", torch.float32, "must be torch.float64 like `pos`, got torch.float32"),
    ]:
        changed = graph.clone()
        changed[key] = changed[key].to(dtype)
        with pytest.raises(ValueError, match=message):
            GraphOperators.from_graph(changed)
    empty = graph.clone()
    empty.pos = empty.pos[:0]
    with pytest.raises(ValueError, match="N > 0"):
        GraphOperators.from_graph(empty)
    d = GraphOperators.from_graph(graph)
    with pytest.raises(ValueError, match=r"on cpu like the operators .*got meta"):
        d.laplacian(torch.zeros(5, dtype=torch.float64, device="meta"))
