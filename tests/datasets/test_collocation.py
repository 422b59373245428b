"""Points that are no graph: where they lie, and that they serve the very same loss terms."""

import math
from dataclasses import replace

import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.datasets.collocation import collocation_points, sobol_points
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork
from pinn_ext.systems import domains

F64 = torch.float64
CASES = [
    *((name, b, None) for name in systems.names() for b in systems.create(name).boundaries),
    *(("brusselator", "dirichlet", shape) for shape in domains.names()),
]
every = pytest.mark.parametrize(("name", "boundary", "shape"), CASES)


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(F64)


def soft_points(name, boundary, shape, count=200, seed=3):
    system = systems.create(name, boundary=boundary, geometry=shape)
    points = collocation_points(system, count, "soft", seed)
    points.inputs.requires_grad_()
    return system, points


def exact_network(system):
    return lambda inputs: system.exact(inputs[:, :-1], inputs[:, -1])


@every
def test_the_exact_solution_has_no_residual(name, boundary, shape):
    system, points = soft_points(name, boundary, shape)
    loss = PhysicsLoss(system, conditions="soft", use_rk4=False, scales=system.field_scales())
    network = exact_network(system)
    vectors = loss.residuals(network, points, network(points.inputs))
    assert [len(vector) for vector in vectors[:4]] == [200, 200, 50, 50]
    for vector in vectors:
        assert vector.abs().max() < 1e-10
    wrong = loss.values(lambda x: network(x) + 0.1 * x.sum(dim=1)[:, None], points)
    assert min(wrong) > 1e-6


@every
def test_terms_are_mean_squares_and_scales_divide(name, boundary, shape):
    system, points = soft_points(name, boundary, shape)
    graphs = SnapshotGraphs(
        system,
        2,
        name="grid" if system.on_box else "cloud",
        nodes_per_side=9,
        conditions="soft",
    )
    points = replace(points, graphs=SnapshotBatch.from_graphs(list(graphs)))
    network = FieldNetwork(system, (8,), conditions="soft", seed=1)
    plain = PhysicsLoss(system, conditions="soft")
    scaled = PhysicsLoss(system, conditions="soft", scales=(0.5, 20.0))
    outputs = points.outputs(network)
    vectors = scaled.residuals(network, points, outputs)
    terms = scaled(network, points, outputs)
    bare = plain.residuals(network, points, outputs)
    assert len(vectors) == len(terms) == len(scaled.names) == 8
    for i, (vector, term) in enumerate(zip(vectors, terms, strict=True)):
        assert vector.ndim == 1
        torch.testing.assert_close(vector.square().mean(), term, rtol=1e-14, atol=0)
        torch.testing.assert_close(vector * (0.5, 20.0)[i % 2], bare[i], rtol=1e-13, atol=1e-15)


@every
def test_rows_of_a_snapshot_batch(name, boundary, shape):
    """PI at all nodes, RK4 where there is a stencil, IC once a node, BC at boundary nodes."""
    system = systems.create(name, boundary=boundary, geometry=shape)
    kind = "grid" if system.on_box else "cloud"
    data = SnapshotGraphs(system, 3, name=kind, nodes_per_side=9, conditions="soft")
    batch = SnapshotBatch.from_graphs(list(data))
    batch.inputs.requires_grad_()
    network = FieldNetwork(system, (8,), conditions="soft", seed=1)
    loss = PhysicsLoss(system, conditions="soft")
    outputs = batch.outputs(network)
    vectors = loss.residuals(network, batch, outputs)
    nodes, edge = len(batch.inputs), int(batch.operators.boundary_mask.sum())
    # Of a periodic box the jumps of values and slopes at the nodes that are lowest along an axis.
    sides = 2 * system.dimension * 3 * 9 ** (system.dimension - 1) if system.periodic else edge
    sizes = [nodes] * 2 + [nodes - edge] * 2 + [nodes // 3] * 2 + [sides] * 2
    assert [len(vector) for vector in vectors] == sizes
    means = [vector.square().mean().item() for vector in vectors]
    assert means == [term.item() for term in loss(network, batch, outputs)]


@every
def test_points_lie_where_they_should(name, boundary, shape):
    system, points = soft_points(name, boundary, shape)
    low, high = points.inputs.new_tensor(system.lower), points.inputs.new_tensor(system.upper)
    for x in (points.inputs[:, :-1], points.initial, *(side[:, :-1] for side in points.sides)):
        assert system.geometry.contains(x).all()
    for at in (points.inputs, *points.sides):
        assert at[:, -1].min() >= 0 and at[:, -1].max() <= system.final_time
    assert len(points.inputs.unique(dim=0)) == 200 and len(points.initial) == 50
    if system.periodic:
        assert [bool((s[:, k] == low[k]).all()) for k, s in enumerate(points.sides)]
    else:
        (side,) = points.sides
        assert len(side) == 50
        depth = system.geometry.depth(side[:, :-1]).abs()
        assert depth.max() < 1e-12 * (high - low).max()


@pytest.mark.parametrize("shape", domains.names())
def test_boundary_points_are_spread_evenly(shape):
    """The mean distance of boundary points from the centre is that of the whole boundary."""
    system, points = soft_points("brusselator", "dirichlet", shape, count=4000)
    fine = system.geometry.boundary_nodes(1e-3 if shape != "square" else 2e-2)
    far = [(x - 1.0).norm(dim=1).mean().item() for x in (points.sides[0][:, :-1], fine)]
    assert far[0] == pytest.approx(far[1], rel=0.02)
    times = points.sides[0][:, -1]
    assert times.mean().item() == pytest.approx(0.5, abs=0.01)


def test_hard_conditions_need_interior_points_only():
    system = systems.create("brusselator")
    points = collocation_points(system, 64, seed=5)
    points.inputs.requires_grad_()
    assert len(points.initial) == 0 and [len(side) for side in points.sides] == [0]
    network = FieldNetwork(system, (8,), seed=1)
    torch.testing.assert_close(points.outputs(network), network(points.inputs))
    loss = PhysicsLoss(system, use_rk4=False)
    known = loss.residuals(network, points, points.outputs(network))
    plain = loss.residuals(network, points, network(points.inputs))
    for mine, theirs in zip(known, plain, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-11)


def test_the_seed_says_which_points():
    system = systems.create("coupled_burgers")
    before = torch.get_rng_state()
    one, same, other = (collocation_points(system, 50, "soft", seed) for seed in (1, 1, 9))
    assert torch.equal(torch.get_rng_state(), before)
    for first, second, third in zip(
        (one.inputs, one.initial, *one.sides),
        (same.inputs, same.initial, *same.sides),
        (other.inputs, other.initial, *other.sides),
        strict=True,
    ):
        assert torch.equal(first, second) and not torch.equal(first, third)
    single = collocation_points(system, 50, "soft", 1, dtype=torch.float32)
    assert torch.equal(single.inputs, one.inputs.float())
    assert torch.equal(sobol_points(system, 100, 1)[:50], one.inputs)


def test_refusals():
    system = systems.create("brusselator", geometry="disk")
    with pytest.raises(ValueError, match="`count` must be a whole number >= 1, got 0"):
        collocation_points(system, 0)
    with pytest.raises(ValueError, match="`conditions` must be one of hard, soft, got 'weak'"):
        collocation_points(system, 10, "weak")
    with pytest.raises(ValueError, match="`conditions` must be soft on another domain"):
        collocation_points(system, 10)
    points = collocation_points(system, 10, "soft")
    loss = PhysicsLoss(system, conditions="soft")
    with pytest.raises(ValueError, match="`batch` must hold graphs for the RK4 terms"):
        loss.values(FieldNetwork(system, (4,), conditions="soft"), points)


def test_dirichlet_points_in_one_dimension():
    points = soft_points("coupled_burgers", "dirichlet", None)[1]
    ends, counts = points.sides[0][:, 0].unique(return_counts=True)
    assert ends.tolist() == [-5.0, 5.0] and math.isclose(*counts.tolist(), abs_tol=2)


def test_points_do_not_depend_on_the_default_float_type():
    system = systems.create("coupled_burgers")
    before = sobol_points(system, 5, 3)
    torch.set_default_dtype(torch.float32)
    assert torch.equal(sobol_points(system, 5, 3), before)
