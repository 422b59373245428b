"""The records in two dimensions: references, what is built into networks, equations, measures."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pinn_ext import references, systems

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "benchmarks" / "records")]

from _records import cavity as chebyshev  # noqa: E402
from _records.cases import CASES  # noqa: E402

import deepxde as dde  # isort: skip  # noqa: E402


def script(name):
    return importlib.import_module(name)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def derivative(values, x, axis):
    return torch.autograd.grad(values.sum(), x, create_graph=True)[0][:, axis : axis + 1]


@pytest.fixture(autouse=True)
def no_graph_is_kept():
    yield
    dde.grad.clear()


# ---- the cavity ---------------------------------------------------------------------------------


def test_the_cavity_converges_to_the_stored_solution():
    stored = chebyshev.stored()
    errors = [chebyshev.difference(chebyshev.solve(n), stored, 60) for n in (12, 24)]
    assert all(errors[1] < errors[0] / 20)
    assert all(errors[1] < [1e-5, 1e-5, 3e-4])
    assert stored.curl < 2e-4 and len(stored.nodes) == chebyshev.DEGREE + 1


def test_the_stored_solution_is_at_rest_on_walls_and_moves_with_the_lid():
    s = np.linspace(0.01, 0.99, 33)
    walls = [np.column_stack(pair) for pair in ((0 * s, s), (0 * s + 1, s), (s, 0 * s))]
    for wall in walls:
        assert abs(chebyshev.stored().evaluate(wall)[:, :2]).max() < 1e-7
    lid = chebyshev.stored().evaluate(np.column_stack((s, 0 * s + 1)))
    assert abs(lid[:, 0] - 4 * s * (1 - s)).max() < 1e-7 and abs(lid[:, 1]).max() < 1e-7


def test_the_stored_solution_has_the_momentum_of_the_equations():
    # Sixth-order differences away from the corners, by another way than its own polynomials'.
    step, middle = 2e-3, np.random.default_rng(0).uniform(0.2, 0.8, (50, 2))
    near = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60 / step
    second = np.array([2, -27, 270, -490, 270, -27, 2]) / 180 / step**2

    def stencil(weights, axis):
        shift = step * np.eye(2)[axis]
        found = [chebyshev.stored().evaluate(middle + k * shift) for k in range(-3, 4)]
        return np.einsum("k,kpf->pf", weights, found)

    here = chebyshev.stored().evaluate(middle)
    by_x, by_y = stencil(near, 0), stencil(near, 1)
    laplacian = stencil(second, 0) + stencil(second, 1)
    convection = here[:, :1] * by_x[:, :2] + here[:, 1:2] * by_y[:, :2]
    force = np.column_stack((by_x[:, 2], by_y[:, 2])) - laplacian[:, :2] / 100
    assert abs(convection + force).max() < 1e-4 * abs(convection).max()
    assert abs(by_x[:, 0] + by_y[:, 1]).max() < 1e-6


def test_any_network_has_no_slip_and_the_corners_of_stokes():
    module = script("cavity")
    s = torch.linspace(0.02, 0.98, 17, dtype=torch.float64)
    sides = [(0 * s, s), (0 * s + 1, s), (s, 0 * s), (s, 0 * s + 1)]
    for number, pair in enumerate(sides):
        x = torch.stack(pair, dim=1).requires_grad_()
        net = torch.cat((torch.sin(3 * x[:, :1] + x[:, 1:]), x[:, 1:] ** 2), dim=1)
        u, v, _ = module.velocity(x, module.no_slip(x, net)).T
        dde.grad.clear()
        lid = 4 * s * (1 - s) if number == 3 else 0 * s
        assert torch.allclose(u, lid, atol=1e-12) and abs(v).max() < 1e-12
    x = tensor([[1e-3, 0.5e-3], [0.2e-3, 1e-3]])  # along the lid and down the wall
    psi, p = module.corner(x[:, :1], x[:, 1:], 1.0)
    curl = sum(derivative(derivative(psi, x, k), x, k) for k in (0, 1))
    # With X along x and Y against y: u = -psi_Y, so p_x = -(lap psi)_Y / Re.
    assert torch.allclose(derivative(p, x, 0), -derivative(curl, x, 1) / 100, rtol=1e-4)
    assert torch.allclose(derivative(p, x, 1), derivative(curl, x, 0) / 100, rtol=1e-4)


# ---- Kovasznay's flow, Gray-Scott ---------------------------------------------------------------


def test_kovasznays_flow_solves_the_equations():
    module = script("kovasznay")
    x = tensor([[0.1, 0.2], [-0.4, 1.3], [0.9, -0.3]])
    rate = module.RE / 2 - np.sqrt(module.RE**2 / 4 + 4 * np.pi**2)
    decay, angle = torch.exp(rate * x[:, :1]), 2 * np.pi * x[:, 1:]
    v = rate / (2 * np.pi) * decay * torch.sin(angle)
    y = torch.cat((1 - decay * torch.cos(angle), v, (1 - decay**2) / 2), dim=1)
    assert np.allclose(y.detach(), module.exact(x.detach().numpy()), atol=1e-14)
    assert all(abs(residual).max() < 1e-12 for residual in module.pde(x, y))


def test_the_equation_of_gray_scott_is_that_of_the_system():
    module, system = script("gray_scott"), systems.create("gray_scott", case="jaxpi")
    x = tensor([[0.1, 0.2, 0.01], [-0.3, 0.0, 0.02]])
    s = x.sum(1, keepdim=True)
    y = torch.cat((torch.sin(s), torch.cos(2 * s) * x[:, :1]), dim=1)

    class Derivatives:
        def laplacian(self, field):
            return sum(derivative(derivative(field, x, k), x, k) for k in (0, 1))

    wanted = system.rhs(y[:, :1], y[:, 1:], Derivatives())
    for field, residual, rhs in zip(y.split(1, dim=1), module.pde(x, y), wanted, strict=True):
        assert torch.allclose(residual, derivative(field, x, 2) - rhs)
    start = system.data(x[:, :2], x[:, 2])
    assert torch.allclose(module.initial(x), start)


def test_the_reference_of_gray_scott_is_ten_times_better_than_the_aim():
    stated = references.load("gray_scott/jaxpi")
    for found in (stated.accuracy, stated.accuracy_between):
        assert max(found.values()) <= CASES["gray_scott"].goals[0].aim / 10


# ---- measures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cavity", "kovasznay"])
def test_errors_of_flows_do_not_see_the_mean_of_the_pressure(name):
    true = np.array([[3.0, 0.0, 1.0], [0.0, 4.0, 3.0]])  # p less its mean: -1, 1
    found = true + [[0.0, 0.0, 7.0], [3.0, 0.0, 7.0]]
    errors = script(name).errors(found, true)
    assert errors == pytest.approx({"uvp": 3 / np.sqrt(27), "u": 1.0, "v": 0.0, "p": 0.0})


def test_errors_of_gray_scott_by_hand():
    true = np.ones((26 * 3, 2))  # 26 times of three points
    found = true.copy()
    found[-3:, 1] += 2.0
    errors = script("gray_scott").errors(found, true)
    assert list(errors)[:4] == [goal.measure for goal in CASES["gray_scott"].goals]
    assert errors["uv_last"] == pytest.approx(np.sqrt(2)) and errors["v_last"] == pytest.approx(2)
    assert errors["uv"] == pytest.approx(np.sqrt(12 / 156)) and errors["u"] == errors["u_last"] == 0
    assert errors["v"] == pytest.approx(np.sqrt(12 / 78))


@pytest.mark.slow
def test_random_features_solve_kovasznays_flow():
    pytest.importorskip("fastlsq")
    features = importlib.import_module("_records.random_features")
    points, true = script("kovasznay").truth()
    found, facts = features.SOLVERS["kovasznay"](points, 0)
    assert script("kovasznay").errors(found, true)["uvp"] < 1e-5
    assert facts["parameters"] == 1200
