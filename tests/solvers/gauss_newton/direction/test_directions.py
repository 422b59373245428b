"""Directions through every matrix: half products, fallbacks, LSMR, the choice by memory."""

import numpy as np
import pytest
import scipy.sparse.linalg
import torch

from solvers import devices
from solvers.gauss_newton import (
    Nielsen,
    Stepper,
    least_squares,
)
from solvers.gauss_newton.direction import gram, memory
from solvers.gauss_newton.direction.dense import Dual, Primal
from solvers.gauss_newton.direction.lsmr import lsmr
from solvers.gauss_newton.direction.matrix_free import MatrixFree
from solvers.gauss_newton.direction.orthogonal import Orthogonal
from tests.solvers.gauss_newton.rows import F64, Rows, random, rosenbrock


def oracle(jacobian, rows, damping, scale):
    """Damped least squares by the singular values of J D^-1/2."""
    roots = scale.sqrt()
    u, s, vt = torch.linalg.svd(jacobian / roots, full_matrices=False)
    kept = s > s[0] * 1e-13
    factors = torch.where(kept, s / (s**2 + damping), 0.0)
    return -(vt.T @ (factors * (u.T @ rows))) / roots


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (600, 300), (1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("layout", ["rows", "columns", "strided"])
def test_half_a_product_is_the_lower_half(shape, dtype, layout):
    matrix = torch.randn(*shape, dtype=dtype)
    if layout == "columns":
        matrix = matrix.T.contiguous().T
    elif layout == "strided":
        matrix = torch.randn(shape[0], 2 * shape[1], dtype=dtype)[:, ::2]
    kept = matrix.clone()
    tolerance = {"rtol": 1e-4, "atol": 1e-3} if dtype == torch.float32 else {}
    torch.testing.assert_close(gram.gram(matrix).tril(), (matrix.T @ matrix).tril(), **tolerance)
    weights = torch.rand(shape[1], dtype=dtype) + 0.1
    outer = gram.scaled_outer_gram(matrix, weights)
    torch.testing.assert_close(outer.tril(), ((matrix * weights) @ matrix.T).tril(), **tolerance)
    assert torch.equal(matrix, kept)


def test_half_a_product_in_panels_as_on_a_gpu(monkeypatch):
    monkeypatch.setattr(gram, "_PANEL", 4)
    matrix = random(9, 11)
    result = gram._panels(matrix)
    torch.testing.assert_close(result.tril(), (matrix.T @ matrix).tril())


@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (20, 20)])
@pytest.mark.parametrize("damping", [0.0, 1e-13, 1e-6, 0.1, 10.0])
def test_all_directions_are_the_oracle_s(shape, damping):
    jacobian, rows = random(*shape) * torch.logspace(0, 3, shape[1], dtype=F64), random(shape[0])
    scale = jacobian.square().sum(0) * (0.5 + torch.rand(shape[1], dtype=F64))
    expected = oracle(jacobian, rows, damping, scale)
    solvers = [Primal(jacobian), Dual(jacobian)]
    free = MatrixFree(lambda v: jacobian @ v, lambda w: jacobian.T @ w, rows)
    free.tolerance = 1e-12
    for solver in [*solvers, free]:
        larger = shape[0] < shape[1] if isinstance(solver, Primal) else shape[0] > shape[1]
        if isinstance(solver, Primal | Dual) and larger and 0 < damping < 1e-12:
            continue  # the larger of the two matrices is singular but for the damping
        solver.scale = scale
        solved = solver.solve(rows, damping)
        weighted = scale.sqrt()
        error = (weighted * (solved.step - expected)).norm() / (weighted * expected).norm()
        assert float(error) < 1e-8, type(solver)
        torch.testing.assert_close(solved.forward, jacobian @ solved.step, rtol=1e-9, atol=1e-9)
    step, word = Orthogonal(jacobian).solve(rows, damping, scale)
    torch.testing.assert_close(step, expected, rtol=1e-7, atol=1e-12)
    assert word == ("qr" if damping else "svd")


def test_one_factor_serves_several_rows():
    jacobian = random(30, 10)
    solver = Primal(jacobian)
    for rows in (random(30), random(30)):
        expected = oracle(jacobian, rows, 1e-3, solver.scale)
        torch.testing.assert_close(solver.solve(rows, 1e-3).step, expected)


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
@pytest.mark.parametrize("damping", [1e-15, 1e-12, 1e-9])
def test_ill_conditioned_directions_are_as_good_as_by_qr(shape, damping):
    k = min(shape)
    left, right = torch.linalg.qr(random(shape[0], k))[0], torch.linalg.qr(random(shape[1], k))[0]
    jacobian = left * torch.logspace(0, -13, k, dtype=F64) @ right.T
    rows = jacobian @ random(shape[1]) + 1e-6 * random(shape[0])
    solver = (Primal if shape[0] >= shape[1] else Dual)(jacobian)
    solver.scale = solver.column_squares
    solved = solver.solve(rows, damping)
    expected = Orthogonal(jacobian).solve(rows, damping, solver.scale)[0]
    weighted = solver.scale.sqrt()
    error = (weighted * (solved.step - expected)).norm() / (weighted * expected).norm()
    assert float(error) < 1e-6
    # Of these only the first is beyond what Cholesky factors can do.
    assert solved.fallback == ("qr" if damping == 1e-15 else None)


def test_without_room_for_a_fallback_there_is_no_direction_and_a_larger_damping_serves():
    jacobian = random(40, 1) @ random(1, 10)
    solver = Primal(jacobian, orthogonal=False)
    solver.scale = solver.column_squares
    assert solver.solve(random(40), 1e-17) is None
    assert solver.solve(random(40), 1e-6) is not None
    assert solver.least > 1e-14 > Primal(jacobian).least


@pytest.mark.parametrize(
    ("options", "word"),
    [({"damping": Nielsen(1e-16)}, "qr"), ({"method": "gauss_newton", "x_scale": 1.0}, "svd")],
)
def test_ill_conditioned_fit_uses_the_fallback_and_finds_the_solution(options, word):
    # A polynomial in powers: the condition number of J^T J is beyond 1e16.
    t = torch.linspace(0, 1, 40, dtype=F64)
    powers = t[:, None] ** torch.arange(18)
    data = powers.sum(1)
    fit = least_squares(lambda x: powers @ x - data, [0.0] * 18, **options)
    assert fit.history[0]["fallback"] == word
    assert fit.cost < 1e-24


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
@pytest.mark.parametrize("damp", [0.0, 0.1])
@pytest.mark.parametrize("iterations", [1, 3, 6])
def test_lsmr_takes_scipy_s_iterates(shape, damp, iterations):
    matrix, right = random(*shape), random(shape[0])
    ours = lsmr(
        lambda v: matrix @ v, lambda w: matrix.T @ w, right,
        damp=damp, tolerance=0.0, max_iterations=iterations,
    )  # fmt: skip
    theirs = scipy.sparse.linalg.lsmr(
        matrix.numpy(), right.numpy(), damp, atol=0, btol=0, conlim=0, maxiter=iterations
    )
    np.testing.assert_allclose(ours.x.numpy(), theirs[0], rtol=1e-10, atol=1e-12)
    assert ours.normal == pytest.approx(theirs[4], rel=1e-8)
    assert ours.iterations == iterations and not ours.converged


def test_lsmr_of_nothing():
    matrix = random(5, 3)
    zero = lsmr(lambda v: matrix @ v, lambda w: matrix.T @ w, torch.zeros(5, dtype=F64))
    assert zero.converged and zero.iterations == 0 and not zero.x.any()
    null = lsmr(lambda v: 0 * v, lambda w: 0 * w, random(3))
    assert null.converged and not null.x.any()


def test_the_smaller_matrix_is_chosen_and_products_beyond_the_limit():
    device = torch.device("cpu")

    def path(m, n, **more):
        return memory.choose(m, n, 8, device, **more)[0]

    assert path(4000, 1000) == "primal" and path(1000, 4000) == "dual"
    assert path(4000, 1000, limit_gb=0.01) == "matrix_free"
    assert path(4000, 1000, wanted="dual") == "dual"
    # 40 GB of Jacobian: decided before anything is allocated.
    assert path(5_000_000, 1000, limit_gb=8.0) == "matrix_free"
    need = memory.needs(4000, 1000, 8)
    limit = (need["primal"] + 1) / 2**30
    assert memory.choose(4000, 1000, 8, device, limit_gb=limit) == ("primal", False)
    assert memory.choose(4000, 1000, 8, device, limit_gb=4 * limit) == ("primal", True)


def test_a_limit_too_small_for_anything_says_what_each_path_needs():
    with pytest.raises(MemoryError) as error:
        memory.choose(4000, 1000, 8, torch.device("cpu"), limit_gb=1e-6)
    for word in ("primal 0.0", "dual 0.", "matrix_free 0.000", "GiB", "4000 rows", "got 1e-06 GiB"):
        assert word in str(error.value)
    with pytest.raises(MemoryError, match="matrix_free needs a residual that torch can"):
        least_squares(rosenbrock, [-1.2, 1.0], "2-point", memory_limit_gb=1e-9)
    with pytest.raises(MemoryError):
        least_squares(rosenbrock, [-1.2, 1.0], "2-point", solver="matrix_free")


def test_free_memory_is_known():
    assert 2**20 < devices.available_memory(torch.device("cpu")) < 2**50


def test_a_small_limit_leads_to_products_and_the_same_solution():
    y = torch.linspace(1, 2, 50, dtype=F64)
    shape = random(50, 20)

    def residual(x):
        return torch.tanh(shape @ x) * 2 + 0.1 * (shape @ x) - y

    dense = least_squares(residual, [0.0] * 20)
    free = least_squares(residual, [0.0] * 20, memory_limit_gb=1.4e-5)
    problem = Rows(residual, torch.zeros(20, dtype=F64))
    stepper = Stepper(problem, torch.zeros(20, dtype=F64), memory_limit_gb=1.4e-5)
    assert stepper.solver == "matrix_free"
    assert free.cost == pytest.approx(dense.cost, rel=1e-6)
