"""The parts of which the stable step is made: entries of the Jacobian, Krylov spaces, W(J)."""

import math

import numpy as np
import pytest
import torch

from solvers.operators import GraphOperators, cloud_graph
from solvers.rk4 import RK4, SemiDiscrete
from solvers.rk4.spectrum.field_of_values import field_of_values, stable_step_of
from solvers.rk4.spectrum.jacobian import Jacobian
from solvers.rk4.spectrum.krylov import arnoldi, random_start

torch.set_num_threads(1)


def test_entries_are_those_of_the_products():
    points = torch.rand(60, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    d = GraphOperators.from_graph(cloud_graph(points, dirichlet=(points[:, 0] < 0.2).numpy()))
    state = torch.rand(60, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def burgers(u, v, d):
        (ux, uy), (vx, vy) = d.gradient(u), d.gradient(v * u)
        return d.laplacian(u) - u * ux - v * uy, d.laplacian(d.laplacian(v)) + d.pos[:, 0] * vx - vy

    jacobian = Jacobian(SemiDiscrete(burgers, d), state, 0.0, None)
    matrix = torch.from_numpy(jacobian.entries.matrix.toarray())
    assert matrix.shape == (jacobian.unknowns, jacobian.unknowns)
    vector = jacobian.to_state(torch.randn(jacobian.unknowns, dtype=torch.float64))
    image = jacobian(vector.flatten()).view_as(state)
    torch.testing.assert_close(matrix @ jacobian.to_free(vector), jacobian.to_free(image))
    assert jacobian.entries.growth is None, "nothing is known of derivatives of other fields"


def test_the_field_of_values_encloses_the_spectrum_and_allows_less():
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(30, 30)) - 8 * np.eye(30)
    corners = field_of_values(matrix)
    values = np.linalg.eigvals(matrix)
    for angle in np.linspace(0, np.pi, 19):
        turn = np.exp(-1j * angle)
        assert (turn * corners).real.max() >= (turn * values).real.max() - 1e-12
    vector = rng.normal(size=30) + 1j * rng.normal(size=30)
    inside = vector.conj() @ matrix @ vector / np.linalg.norm(vector) ** 2
    assert corners.real.min() < inside.real < corners.real.max()
    step = stable_step_of(corners, RK4)
    assert 0.3 < step / RK4.stable_steps(values).min() <= 1
    power = np.linalg.norm(RK4.of_matrix(step * matrix), 2)
    assert power <= 1 + math.sqrt(2)
    normal = np.array([[-1.0, 2.0], [-2.0, -1.0]])
    exact = RK4.stable_steps(np.array([-1 + 2j]))[0]
    assert stable_step_of(field_of_values(normal), RK4) == pytest.approx(exact, rel=5e-3)


def test_arnoldi_ends_in_an_invariant_space():
    matrix = torch.diag(torch.tensor([-1.0, -1.0, -4.0, -4.0, -9.0], dtype=torch.float64))
    found = arnoldi(lambda v: matrix @ v, random_start(5), 5)
    assert found.beyond == 0.0 and len(found.matrix) == 3
    values, vectors, residuals = found.pairs()
    assert sorted(values.real) == pytest.approx([-9, -4, -1]) and not residuals.any()
    mode = found.mode(vectors[:, values.real.argmin()])
    assert float(mode[4].abs() / mode.norm()) == pytest.approx(1.0)
