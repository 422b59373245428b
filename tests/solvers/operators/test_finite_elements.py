"""The linear finite element against scikit-fem, and what it keeps and does not."""

import math

import numpy as np
import pytest
import torch

from solvers.operators import GraphOperators, finite_element_graph, triangulation_graph
from solvers.rk4 import SemiDiscrete, integrate
from tests.solvers.node_sets import mesh, slope

torch.set_num_threads(1)
skfem = pytest.importorskip("skfem")


def operators(domain, spacing, seed=0, **options):
    points, triangles = mesh(domain, spacing, seed)
    graph = finite_element_graph(points, triangles, **options)
    return GraphOperators.from_graph(graph), points, triangles


@pytest.mark.parametrize("domain", ["disk", "l_shape", "annulus"])
def test_matrices_of_scikit_fem(domain):
    from skfem.models.poisson import laplace, mass

    d, points, triangles = operators(domain, 0.2, boundary="neumann")
    basis = skfem.Basis(skfem.MeshTri(points.T, triangles.T), skfem.ElementTriP1())
    stiffness = laplace.assemble(basis).toarray()
    lumped = np.asarray(mass.assemble(basis).sum(1)).ravel()
    np.testing.assert_allclose(
        d.to_scipy().toarray(), -stiffness / lumped[:, None], rtol=0, atol=1e-11
    )
    symmetric = lumped[:, None] * d.to_scipy().toarray()
    np.testing.assert_allclose(symmetric, symmetric.T, atol=1e-12)
    np.testing.assert_allclose(d.mass_weights(), lumped / lumped.sum(), rtol=1e-9)


def test_gradient_is_the_mean_over_triangles():
    d, points, triangles = operators("disk", 0.3, boundary="neumann")
    field = torch.from_numpy(points[:, 0] ** 2 + points[:, 1])
    total, area = np.zeros((len(points), 2)), np.zeros(len(points))
    for t in triangles:
        edges = points[t[1:]] - points[t[0]]
        slopes = np.linalg.solve(edges, field.numpy()[t[1:]] - field.numpy()[t[0]])
        size = abs(np.linalg.det(edges)) / 2
        for node in t:
            total[node] += size * slopes
            area[node] += size
    expected = total / area[:, None]
    np.testing.assert_allclose(torch.stack(d.gradient(field), 1), expected, atol=1e-12)


def test_solutions_are_of_order_two_and_values_are_not():
    errors, pointwise, fitted = [], [], []
    spacings = (1 / 7, 1 / 10, 1 / 14, 1 / 20, 1 / 28)
    for spacing in spacings:
        d, points, triangles = operators("disk", spacing)
        r2 = (d.pos**2).sum(1)
        free = ~d.boundary_mask.numpy()
        matrix = d.to_scipy()[free][:, free]
        from scipy.sparse.linalg import spsolve

        # Lap u = -4 with u = 0 on the circle: u = 1 - r^2.
        found = spsolve(matrix.tocsc(), np.full(int(free.sum()), -4.0))
        exact = (1 - r2).numpy()[free]
        errors.append(np.sqrt(np.mean((found - exact) ** 2)))
        for collected, operator in (
            (pointwise, d),
            (fitted, GraphOperators.from_graph(triangulation_graph(points, triangles))),
        ):
            u = d.pos[:, 0].sin()
            gap = (operator.laplacian(u) + u)[~d.boundary_mask]
            collected.append(float(gap.square().mean().sqrt()))
    assert slope(spacings, errors) == pytest.approx(2.0, abs=0.3)
    assert abs(slope(spacings, pointwise)) < 0.3
    assert slope(spacings, fitted) == pytest.approx(2.0, abs=0.3)


def test_a_steady_state_with_flux():
    """u = x on a square, by its slopes n_x on the boundary: exact for the linear element."""
    d, points, _ = operators("square", 0.25, boundary="neumann")
    system = SemiDiscrete(
        lambda u, v, d: (d.laplacian(u), d.laplacian(v)),
        d,
        flux=lambda x, n, t: torch.stack([n[:, 0], 2 * n[:, 1]], 1),
    )
    steady = torch.stack([d.pos[:, 0], 2 * d.pos[:, 1]], 1)
    rates = system(0.0, steady)
    assert float(rates.abs().max()) < 1e-11
    start = torch.randn(len(points), 2, dtype=torch.float64)
    mean = (d.mass_weights()[:, None] * start).sum(0)
    end = integrate(system, start, 0.0, 8.0, 0.5)
    torch.testing.assert_close(end, steady + mean, rtol=0, atol=1e-6)


def test_mass_is_kept_without_flux_and_changes_by_the_flux():
    d, points, triangles = operators("annulus", 0.15, boundary="neumann")
    mass = d.mass_weights()[:, None]
    start = torch.rand(len(points), 2, dtype=torch.float64)

    def diffusion(u, v, d):
        return d.laplacian(u), 0.1 * d.laplacian(v)

    kept = integrate(SemiDiscrete(diffusion, d), start, 0.0, 0.2, 0.1)
    torch.testing.assert_close((mass * kept).sum(0), (mass * start).sum(0), rtol=0, atol=1e-13)
    assert not torch.allclose(kept, start, atol=0.05)
    system = SemiDiscrete(diffusion, d, flux=lambda x, n, t: torch.stack([t, 0 * t], 1))
    changed = integrate(system, start, 0.0, 0.2, 0.1)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum()
    length = sum(
        2 * n * r * math.sin(math.pi / n) for r in (1.0, 0.4) for n in [int(2 * math.pi * r / 0.15)]
    )
    gained = (mass * (changed - start)).sum(0)
    assert float(gained[0]) == pytest.approx(0.2**2 / 2 * length / area, rel=1e-12)
    assert abs(float(gained[1])) < 1e-13


def test_mixed_boundaries():
    points, _ = mesh("square", 0.25, 0)
    left = points[:, 0] < -1 + 1e-9
    d, *_ = operators("square", 0.25, boundary=left)
    assert d.boundary_mask.sum() == left.sum() > 3
    assert not bool(d.boundary_mask[d.fluxes.nodes].any())
    system = SemiDiscrete(
        lambda u, v, d: (d.laplacian(u), d.laplacian(v)),
        d,
        lambda x, t: torch.stack([x[:, 0], x[:, 0]], 1),
        lambda x, n, t: n[:, :1].expand(-1, 2),
    )
    steady = d.pos[:, :1].expand(-1, 2).clone()
    assert float(system(0.0, steady).abs().max()) < 1e-11
