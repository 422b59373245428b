"""Sums of two fields at once: the bits of one field at a time, gradients, and no compiler."""

import logging

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay
from torch_geometric.data import Batch

from solvers.operators import GraphOperators, finite_element_graph, grid_graph, triangulation_graph
from solvers.paired_sums import PairedOperators, prepare_gradients, suits
from solvers.paired_sums.library import library

POINTS = np.random.default_rng(0).random((400, 2))


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    """Tables of small meshes lie as those of large ones, long rows apart."""
    monkeypatch.setattr("solvers.operators.graph_operators.SMALL", 0)
    monkeypatch.setattr("solvers.operators.neighbour_tables.SMALL", 0)
    monkeypatch.setattr("solvers.operators.neighbour_tables._LONG_ROWS_FROM", 0)
    monkeypatch.setattr("solvers.paired_sums.operators.LEAST", 0)
    torch.set_num_threads(1)


@pytest.fixture
def no_library():
    """Compile again, in the test and after it."""
    library.cache_clear()
    yield
    library.cache_clear()


needs_compiler = pytest.mark.skipif(library() is None, reason="there is no C++ compiler")


def operators_of(kind, dtype=torch.float64):
    make = {"finite element": finite_element_graph, "triangulation": triangulation_graph}[kind]
    graph = make(POINTS, Delaunay(POINTS).simplices)
    return GraphOperators.from_graph(graph).to(dtype=dtype)


def fields_of(operators, grad=False):
    torch.manual_seed(0)
    pair = [torch.rand(operators.num_nodes, dtype=operators.pos.dtype) for _ in range(2)]
    return tuple(field.requires_grad_(grad) for field in pair)


@needs_compiler
@pytest.mark.parametrize("kind", ["finite element", "triangulation"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_bits_are_those_of_one_field_at_a_time(kind, dtype, threads):
    operators = operators_of(kind, dtype)
    assert operators.pattern.slot is not None and suits(operators)
    u, v = fields_of(operators)
    torch.set_num_threads(threads)
    both = PairedOperators(operators, (u, v))
    for field in (u, v):
        assert torch.equal(both.laplacian(field), operators.laplacian(field))
        assert all(map(torch.equal, both.gradient(field), operators.gradient(field)))
    assert torch.equal(both.laplacian(u * v), operators.laplacian(u * v))


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2])
def test_nodes_in_many_chunks_have_the_same_bits(threads):
    """Each chunk of nodes goes on with its own long rows, the last one of an odd length."""
    points = np.random.default_rng(1).random((2001, 2))
    graph = finite_element_graph(points, Delaunay(points).simplices)
    operators = GraphOperators.from_graph(graph)
    rows = operators.pattern.rows
    assert bool((rows[1:-1] < rows[2:]).all()) and len(rows) > 50
    u, v = fields_of(operators)
    torch.set_num_threads(threads)
    both = PairedOperators(operators, (u, v))
    assert torch.equal(both.laplacian(u), operators.laplacian(u))
    assert torch.equal(both.laplacian(v), operators.laplacian(v))


@needs_compiler
def test_batches_and_nodes_without_edges_have_the_same_bits():
    """Two meshes in one batch, and a node whose row of the table is the node itself alone."""
    mesh = finite_element_graph(POINTS, Delaunay(POINTS).simplices)
    batch = Batch.from_data_list([mesh, triangulation_graph(POINTS, Delaunay(POINTS).simplices)])
    kept = (batch.edge_index != 7).all(0)
    for key in ("edge_index", "edge_laplacian", "edge_gradient"):
        batch[key] = batch[key][..., kept] if key == "edge_index" else batch[key][kept]
    operators = GraphOperators.from_graph(batch, check=False)
    u, v = fields_of(operators)
    both = PairedOperators(operators, (u, v))
    assert torch.equal(both.laplacian(u), operators.laplacian(u)) and both.laplacian(v)[7] == 0
    assert all(map(torch.equal, both.gradient(v), operators.gradient(v)))


@needs_compiler
def test_tables_of_plain_sums_have_a_centre():
    """Those of a transposed operator: the sum of a row is not 0."""
    adjoint = operators_of("triangulation").adjoint
    assert adjoint.laplacian_weights.centre is not None and suits(adjoint)
    u, v = fields_of(adjoint)
    both = PairedOperators(adjoint, (u, v))
    assert torch.equal(both.laplacian(v), adjoint.laplacian(v))


@needs_compiler
def test_gradients_are_those_of_the_transposed_operator():
    operators = operators_of("finite element")
    u, v = fields_of(operators, grad=True)
    weight = fields_of(operators)[::-1]

    def gradients(d):
        parts = d.laplacian(u), d.laplacian(v), *d.gradient(u), *d.gradient(v)
        total = sum((weight[i % 2] * part**2).sum() for i, part in enumerate(parts))
        return torch.autograd.grad(total, (u, v))

    prepare_gradients(operators)
    torch.testing.assert_close(
        gradients(PairedOperators(operators, (u, v))), gradients(operators), rtol=1e-12, atol=1e-12
    )


@needs_compiler
def test_without_prepared_gradients_each_field_is_alone():
    operators = operators_of("finite element")
    u, v = fields_of(operators, grad=True)
    found = PairedOperators(operators, (u, v)).laplacian(u)
    assert torch.equal(found, operators.laplacian(u)) and found.requires_grad


def test_grids_and_small_meshes_are_left_to_the_code_generator(monkeypatch):
    grid = GraphOperators.from_graph(grid_graph([30, 30], [0.0, 0.0], [1.0, 1.0]))
    assert not suits(grid)
    monkeypatch.setattr("solvers.paired_sums.operators.LEAST", 10**9)
    assert not suits(operators_of("finite element"))


@pytest.mark.parametrize(
    ("command", "message"),
    [("/nowhere/c++", "No such file or directory"), ("false", "returned non-zero exit status 1")],
)
def test_a_compiler_that_fails_is_named_once(monkeypatch, no_library, caplog, command, message):
    monkeypatch.setenv("CXX", command)
    caplog.set_level(logging.WARNING, "solvers")
    operators = operators_of("finite element")
    assert not suits(operators) and not suits(operators)
    (record,) = caplog.records
    assert message in record.getMessage() and "going on without" in record.getMessage()


def test_no_compiler_is_no_warning(monkeypatch, no_library, caplog):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    caplog.set_level(logging.WARNING, "solvers")
    assert library() is None and not caplog.records
