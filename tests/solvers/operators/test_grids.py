"""Grids of order 2, 4 and 6 with every kind of side: order, polynomials, fluxes, mass, spectrum."""

import math

import numpy as np
import pytest
import torch

from solvers.operators import GraphOperators, grid_graph
from solvers.rk4.stability import spectral_abscissa
from tests.solvers.node_sets import slope

torch.set_num_threads(1)
SIDES = ["periodic", "dirichlet", "neumann", ("dirichlet", "neumann"), ("neumann", "dirichlet")]
ORDERS = [2, 4, 6]
every = pytest.mark.parametrize(("order", "sides"), [(p, s) for p in ORDERS for s in SIDES])


def ops(*args, **kwargs):
    return GraphOperators.from_graph(grid_graph(*args, **kwargs))


def derivatives(d, field, slope_of):
    """Return Laplacian and gradient of a field, with the slopes of the Neumann boundary."""
    laplacian, gradient = d.laplacian(field), d.gradient(field)
    if d.fluxes is not None:
        slopes = (slope_of(d.pos[d.fluxes.nodes]) * d.fluxes.normals).sum(1)
        laplacian = d.fluxes.to_laplacian(laplacian, slopes)
        gradient = d.fluxes.to_gradient(gradient, slopes)
    return laplacian, torch.stack(gradient, 1)


@every
@pytest.mark.parametrize("dimension", [1, 2])
def test_measured_order(order, sides, dimension):
    boundary = sides if isinstance(sides, str) else [sides, ("neumann", "dirichlet")][:dimension]
    lengths = torch.tensor([2.0, 3.0][:dimension], dtype=torch.float64)
    rate = torch.tensor([3.0, 2.0][:dimension], dtype=torch.float64)
    if sides == "periodic":
        boundary, rate = "periodic", 2 * math.pi / lengths
    spacings, errors2, errors1 = [], [], []
    for n in (20, 28, 40, 56):
        shape = [n, n + n // 2][:dimension]
        d = ops(shape, [0.3] * dimension, (0.3 + lengths).tolist(), boundary=boundary, order=order)
        phase = d.pos @ rate
        laplacian, gradient = derivatives(
            d, phase.sin(), lambda x: rate * (x @ rate).cos()[:, None]
        )
        free = ~d.boundary_mask
        gap = laplacian + (rate**2).sum() * phase.sin()
        errors2.append(float(gap[free].abs().max()))
        errors1.append(float((gradient - rate * phase.cos()[:, None])[free].abs().max()))
        spacings.append(1.0 / (n if sides == "periodic" else n - 1))
        assert d.order == order
    assert slope(spacings, errors2) == pytest.approx(order, abs=0.2)
    assert slope(spacings, errors1) == pytest.approx(order, abs=0.2)


def test_order_in_three_dimensions():
    wave = 2 * math.pi / torch.tensor([1.0, 2.0, 1.5], dtype=torch.float64)
    for order in (4, 6):
        errors, sizes = [], (10, 13, 16, 20)
        for n in sizes:
            d = ops([n, 2 * n, n], [0.0] * 3, [1.0, 2.0, 1.5], order=order)
            phase = d.pos @ wave
            errors.append(
                float((d.laplacian(phase.sin()) + (wave**2).sum() * phase.sin()).abs().max())
            )
        assert slope([1 / n for n in sizes], errors) == pytest.approx(order, abs=0.2)


@every
def test_polynomials_are_reproduced_at_every_node(order, sides):
    if sides == "periodic":
        pytest.skip("no polynomial is periodic")
    boundary = sides if isinstance(sides, str) else [sides, ("neumann", "dirichlet")]
    d = ops([order + 4, order + 3], [-1.0, 0.0], [0.5, 1.0], boundary=boundary, order=order)
    free = ~d.boundary_mask
    x, y = d.pos.unbind(1)
    for a in range(order + 2):
        b = order + 1 - a  # the hardest ones: degree order + 1 in all
        field = x**a * y**b

        def slope_of(p, a=a, b=b):
            x, y = p.unbind(1)
            return torch.stack([a * x ** max(a - 1, 0) * y**b, b * x**a * y ** max(b - 1, 0)], 1)

        laplacian, _ = derivatives(d, field, slope_of)
        exact = a * (a - 1) * x ** max(a - 2, 0) * y**b + b * (b - 1) * x**a * y ** max(b - 2, 0)
        torch.testing.assert_close(laplacian[free], exact[free], rtol=0, atol=2e-10)
    for a in range(order + 1):
        b = order - a

        def slope_of(p, a=a, b=b):
            x, y = p.unbind(1)
            return torch.stack([a * x ** max(a - 1, 0) * y**b, b * x**a * y ** max(b - 1, 0)], 1)

        _, gradient = derivatives(d, x**a * y**b, slope_of)
        torch.testing.assert_close(gradient[free], slope_of(d.pos)[free], rtol=0, atol=1e-11)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sides", SIDES)
def test_spectra_stay_in_the_left_half_plane(order, sides):
    boundary = sides if isinstance(sides, str) else [sides, ("neumann", "dirichlet")]
    d = ops([14, 15], [0.0, 0.0], [1.0, 2.0], boundary=boundary, order=order)
    assert spectral_abscissa(d) == 0.0
    free = ~d.boundary_mask.numpy()
    values = np.linalg.eigvals(d.to_scipy().toarray()[free][:, free])
    assert values.real.max() < 1e-9 * np.abs(values).max()


@pytest.mark.parametrize("order", ORDERS)
def test_the_first_eigenvalues_of_a_square(order):
    errors = []
    for sides, known in (("dirichlet", 2 * math.pi**2), ("neumann", math.pi**2)):
        d = ops([21, 21], [0.0, 0.0], [1.0, 1.0], boundary=sides, order=order)
        free = ~d.boundary_mask.numpy()
        values = np.sort(-np.linalg.eigvals(d.to_scipy().toarray()[free][:, free]).real)
        first = values[0] if sides == "dirichlet" else values[1]
        errors.append(abs(first / known - 1))
    assert max(errors) < {2: 5e-3, 4: 1e-4, 6: 5e-6}[order]


@pytest.mark.parametrize("order", ORDERS)
def test_periodic_operators_are_symmetric_and_antisymmetric(order):
    d = ops([8, 9], [0.0, 0.0], [1.0, 2.0], order=order)
    laplacian = d.to_scipy().toarray()
    np.testing.assert_array_equal(laplacian, laplacian.T)
    for axis in (0, 1):
        slope_matrix = d.to_scipy(axis).toarray()
        np.testing.assert_allclose(slope_matrix, -slope_matrix.T, atol=1e-13)


@every
def test_rows_sum_to_zero(order, sides):
    d = ops([11, 9], [0.0, 0.0], [1.0, 2.0], boundary=[sides, "periodic"], order=order)
    for matrix in (d.to_scipy(), d.to_scipy(0), d.to_scipy(1)):
        size = abs(matrix).sum(1).max()
        assert abs(matrix.sum(1)).max() < 1e-14 * size
    constant = torch.full((99,), 0.1, dtype=torch.float64)
    assert not d.laplacian(constant).any() and not torch.stack(d.gradient(constant)).any()


@pytest.mark.parametrize("order", ORDERS)
def test_mass_weights_are_a_quadrature_that_diffusion_keeps(order):
    d = ops([16, 12], [0.0, 0.0], [1.0, 2.0], boundary=["neumann", "periodic"], order=order)
    mass = d.mass_weights()
    assert float(mass.sum()) == pytest.approx(1.0, rel=1e-12) and bool((mass > 0).all())
    field = torch.rand(192, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    size = float((mass * d.laplacian(field).abs()).sum())
    assert abs(float((mass * d.laplacian(field)).sum())) < 1e-13 * size
    x = d.pos[:, 0]
    assert float((mass * x**2).sum()) == pytest.approx(1 / 3, abs=3e-3)
    periodic = ops([5, 6], [0.0, 0.0], [1.0, 2.0], order=2).mass_weights()
    torch.testing.assert_close(periodic, torch.full_like(periodic, 1 / 30))


def test_mass_weights_refusals():
    with pytest.raises(ValueError, match="no Dirichlet nodes to keep a mean, got 2"):
        ops([5], [0.0], [1.0], boundary="dirichlet").mass_weights()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"order": 3}, "`order` must be one of 2, 4, 6, got 3"),
        ({"order": 6}, "at least 7 nodes for order 6 and periodic sides, got 6 on axis 0"),
        ({"order": 6, "boundary": "neumann"}, "at least 8 nodes .* neumann sides, got 6"),
        ({"boundary": ["periodic"]}, "one entry per axis, 2, got 1"),
        ({"boundary": [("periodic", "dirichlet"), "neumann"]}, "both periodic or neither"),
        ({"boundary": [("neumann",), "neumann"]}, "two sides of an axis"),
        ({"boundary": ["neumann", "robin"]}, "periodic, dirichlet, neumann, got 'robin'"),
        ({"dtype": torch.float16}, "float32 or float64.*got torch.float16"),
    ],
)
def test_refusals(kwargs, message):
    with pytest.raises(ValueError, match=message):
        grid_graph([6, 7], [0.0, 0.0], [1.0, 1.0], **kwargs)


def test_the_adjoint_is_the_transposed_matrix():
    d = ops([9, 8], [0.0, 0.0], [1.0, 2.0], boundary=["neumann", "dirichlet"], order=4)
    a, b = torch.randn(2, 72, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(d.laplacian_adjoint(a), d.to_scipy().T @ a.numpy(), atol=1e-9)
    left, right = (d.laplacian_adjoint(a) * b).sum(), (a * d.laplacian(b)).sum()
    torch.testing.assert_close(left, right)
    expected = d.to_scipy(0).T @ a.numpy() + d.to_scipy(1).T @ b.numpy()
    np.testing.assert_allclose(d.gradient_adjoint((a, b)), expected, atol=1e-10)
    with pytest.raises(ValueError, match="must be 2 fields, got 1"):
        d.gradient_adjoint((a,))
    with pytest.raises(ValueError, match="`axis` must be None or 0 to 1, got 2"):
        d.to_scipy(2)
