"""The stable step against spectra that are known: never above the limit, and near to it."""

import math
import warnings

import numpy as np
import pytest
import torch

from solvers.operators import GraphOperators, cloud_graph, grid_graph
from solvers.rk4 import HEUN, RK4, SemiDiscrete, UnstableOperatorError, integrate, stable_step
from solvers.rk4.spectrum.dense_step import spectral_step
from solvers.rk4.spectrum.jacobian import Jacobian
from solvers.rk4.stability import estimate

torch.set_num_threads(1)


def factor(z):
    return np.abs(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24)


def transport(diffusion, velocity, reaction=((0.0, 0.0), (0.0, 0.0))):
    """Return rates of two fields, each with its own diffusion and velocity, and a reaction."""

    def rhs(u, v, d):
        rates = []
        for own, speed, row, field in zip(diffusion, velocity, reaction, (u, v), strict=True):
            slopes = d.gradient(field)
            flow = sum(c * g for c, g in zip(speed, slopes, strict=True))
            rates.append(own * d.laplacian(field) - flow + row[0] * u + row[1] * v)
        return tuple(rates)

    return rhs


def circle(n, dim, diffusion, velocity):
    """Return the eigenvalues on a periodic unit grid of order 2, in closed form."""
    angles = np.stack(np.meshgrid(*[2 * np.pi * np.arange(n) / n] * dim, indexing="ij"))
    spread = (2 * np.cos(angles) - 2).sum(0) * n**2
    flows = [sum(c * np.sin(q) for c, q in zip(speed, angles, strict=True)) for speed in velocity]
    return np.concatenate(
        [(own * spread - 1j * n * flow).ravel() for own, flow in zip(diffusion, flows, strict=True)]
    )


def dense(system, state):
    """Return the matrix of a linear system by its columns."""
    columns = torch.eye(state.numel(), dtype=torch.float64)
    zero = system(0.0, torch.zeros_like(state)).flatten()
    rows = [system(0.0, column.view_as(state)).flatten() - zero for column in columns]
    return torch.stack(rows, 1).numpy()


def by_products(system, state):
    return estimate(Jacobian(system, state, 0.0, system.constrain), RK4, dense=0).step


@pytest.mark.parametrize("peclet", [0.4, 0.79, 1.1, 2.6, 15.0])
@pytest.mark.parametrize(
    ("n", "dim", "velocity"), [(60, 1, ((1,), (-0.4,))), (13, 2, ((1, 0.2),) * 2)]
)
def test_advection_with_weak_diffusion_in_closed_form(n, dim, velocity, peclet):
    diffusion = (0.5 / n / peclet, 0.7 / n / peclet)
    d = GraphOperators.from_graph(grid_graph([n] * dim, [0.0] * dim, [1.0] * dim))
    system = SemiDiscrete(transport(diffusion, velocity), d)
    values = circle(n, dim, diffusion, velocity)
    state = torch.zeros(n**dim, 2, dtype=torch.float64)
    for step in (stable_step(system, state), by_products(system, state)):
        assert factor(step * values).max() <= 1 + 1e-12
        assert factor(step / 0.97 * values).max() > 1 + 1e-6


@pytest.mark.parametrize("peclet", [0.6, 1.3, 4.0])
def test_large_grids_by_products(peclet):
    n, velocity = 900, ((1.0,), (0.7,))
    diffusion = (0.5 / n / peclet, 0.3 / n / peclet)
    d = GraphOperators.from_graph(grid_graph([n], [0.0], [1.0]))
    calls = []
    rhs = transport(diffusion, velocity)
    system = SemiDiscrete(lambda u, v, d: calls.append(0) or rhs(u, v, d), d)
    step = stable_step(system, torch.zeros(n, 2, dtype=torch.float64))
    values = circle(n, 1, diffusion, velocity)
    assert len(calls) <= 80
    assert factor(step * values).max() <= 1 + 1e-12
    assert factor(step / 0.96 * values).max() > 1 + 1e-6


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
@pytest.mark.parametrize("order", [2, 4, 6])
def test_reaction_and_boundaries_against_the_dense_spectrum(boundary, order):
    d = GraphOperators.from_graph(
        grid_graph([10, 9], [0, 0], [1, 1], boundary=boundary, order=order)
    )
    reaction = ((-2.0, 3.0), (-4.0, -1.0))
    system = SemiDiscrete(transport((0.03, 0.2), ((1.0, -0.5), (0.3, 2.0)), reaction), d)
    state = torch.zeros(d.num_nodes, 2, dtype=torch.float64)
    values = np.linalg.eigvals(dense(system, state))
    values = values[values.real <= 0]
    for step in (stable_step(system, state), by_products(system, state)):
        assert factor(step * values).max() <= 1 + 1e-9
        assert factor(1.5 * step * values).max() > 1
    assert factor(stable_step(system, state) / 0.97 * values).max() > 1


def test_a_formula_that_looks_beyond_its_node_is_taken_by_its_products():
    d = GraphOperators.from_graph(grid_graph([20], [0.0], [1.0]))
    state = torch.ones(20, 2, dtype=torch.float64)
    system = SemiDiscrete(lambda u, v, d: (d.laplacian(u) - 3000 * u.mean(), -v.flip(0)), d)
    assert Jacobian(system, state, 0.0, None).entries is None
    values = np.linalg.eigvals(dense(system, state))
    assert values.real.min() < -2999
    step = stable_step(system, state)
    assert 0.97 * 2.785293 < step * -values.real.min() < 2.785294


def test_many_steps_of_a_non_normal_system_amplify_little():
    """At the eigenvalues' limit they would, by a factor of millions, before the state decays."""
    n = 80
    d = GraphOperators.from_graph(grid_graph([n], [0.0], [1.0], boundary="dirichlet"))
    eps = 0.5 / n / 2.0
    system = SemiDiscrete(transport((eps, eps), ((1.0,), (1.0,))), d)
    state = torch.zeros(n, 2, dtype=torch.float64)
    inner = np.tile(np.arange(n) % (n - 1) > 0, (2, 1)).T.ravel()
    matrix = dense(system, state)[inner][:, inner]
    limit = spectral_step(matrix, RK4).of_spectrum
    for step in (stable_step(system, state), by_products(system, state)):
        assert 0.8 * limit < step < 0.98 * limit
        power, sizes = RK4.of_matrix(step * matrix), []
        for _ in range(9):
            sizes.append(np.linalg.norm(power, 2))
            power = power @ power
        assert max(sizes) < 30
    power = np.linalg.matrix_power(RK4.of_matrix(0.98 * limit * matrix), 128)
    assert np.linalg.norm(power, 2) > 1e3


def test_steps_of_single_eigenvalues():
    z = np.array([-1.0, 2j, -1 + 1j, 0.0, 3.0])
    found = RK4.stable_steps(z)
    assert found[[0, 1]] == pytest.approx([2.7852936, math.sqrt(2.0)])
    assert factor(found[2] * z[2]) == pytest.approx(1.0) and factor(1.01 * found[2] * z[2]) > 1
    assert found[3] == math.inf and found[4] == pytest.approx(found[0] / 3)
    assert HEUN.stable_steps(np.array([-1.0, 1j, -1 + 1j]))[:2].tolist() == [
        pytest.approx(2.0),
        0.0,
    ]


def rotation(n, diffusion, seed):
    """Return solid rotation about the centre of a square with scattered nodes."""
    rng = np.random.default_rng(seed)
    points = np.stack(np.meshgrid(*[np.linspace(-1, 1, n)] * 2), -1).reshape(-1, 2)
    edge = np.abs(points).max(1) == 1
    points += ~edge[:, None] * (rng.random(points.shape) - 0.5) / (n - 1)
    d = GraphOperators.from_graph(cloud_graph(points, dirichlet=edge))

    def turn(field, d):
        x, y = d.gradient(field)
        return diffusion * d.laplacian(field) + d.pos[:, 1] * x - d.pos[:, 0] * y

    return SemiDiscrete(lambda u, v, d: (turn(u, d), turn(v, d) - v), d)


@pytest.mark.parametrize("n", [13, 22])
def test_growth_of_the_gradient_is_warned_of(n):
    system = rotation(n, 1e-5, 0)
    state = torch.rand(n * n, 2, dtype=torch.float64)
    with pytest.warns(RuntimeWarning, match="gradient on this graph makes modes grow at a rate of"):
        stable_step(system, state)
    with pytest.warns(RuntimeWarning, match="the equation does not: raise the diffusion"):
        integrate(system, state, 0.0, 0.02, 0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        stable_step(rotation(n, 0.2, 0), state)


def test_growth_of_the_equation_is_not_blamed_on_the_gradient():
    d = GraphOperators.from_graph(grid_graph([30], [0.0], [1.0], boundary="dirichlet"))
    system = SemiDiscrete(transport((0.02, 0.02), ((0.5,), (0.2,)), ((9.0, 1.0), (2.0, 5.0))), d)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        stable_step(system, torch.zeros(30, 2, dtype=torch.float64))


GROWING = {
    "linear": lambda u, v, d: (3 * u, -v),
    "second order": lambda u, v, d: (
        1e-3 * d.laplacian(u) + 1000 * u * v,
        1e-3 * d.laplacian(v) - 1000 * u * v,
    ),
    "third order": lambda u, v, d: (
        1e-4 * d.laplacian(u) + 100 * u * u * v - 5 * u,
        2e-4 * d.laplacian(v) - 100 * u * u * v + 1 - v,
    ),
}


@pytest.mark.parametrize("n", [14, 20])
@pytest.mark.parametrize("rhs", GROWING.values(), ids=GROWING)
def test_a_reaction_that_grows_is_not_taken_for_the_grid(rhs, n):
    d = GraphOperators.from_graph(grid_graph([n, n], [0.0, 0.0], [1.0, 1.0]))
    state = torch.rand(n * n, 2, generator=torch.Generator().manual_seed(0)).double()
    system = SemiDiscrete(rhs, d)
    values = np.linalg.eigvals(Jacobian(system, state, 0.0, None).entries.matrix.toarray())
    assert values.real.max() > 2.9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        step = stable_step(system, state)
    assert factor(step * values[values.real <= 0]).max() <= 1 + 1e-12
    assert 0.4 * 2.785 < step * np.abs(values).max() < 2.83


@pytest.mark.parametrize("n", [14, 20])
@pytest.mark.parametrize("reaction", [0.0, 3.0, 1000.0])
def test_diffusion_below_zero_is_refused_with_any_reaction(reaction, n):
    d = GraphOperators.from_graph(grid_graph([n, n], [0.0, 0.0], [1.0, 1.0]))
    system = SemiDiscrete(
        lambda u, v, d: (reaction * u - 0.1 * d.laplacian(u), 0.05 * d.laplacian(v) - v), d
    )
    with pytest.raises(UnstableOperatorError, match="must not grow fastest in the roughest mode"):
        stable_step(system, torch.rand(n * n, 2, dtype=torch.float64))
