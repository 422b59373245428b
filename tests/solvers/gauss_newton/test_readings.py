"""What an accelerator is asked late decides as what a CPU is asked at once; with CPU tensors."""

import itertools

import pytest
import torch

from solvers import devices
from solvers.gauss_newton import least_squares, linear_model
from solvers.gauss_newton.direction import dense, lsmr, refinement
from solvers.gauss_newton.direction.dense import Dual, Primal
from tests.pairs import pairwise
from tests.solvers.gauss_newton.rows import F64, random

DAMPINGS = [1e-1, 1e-6, 1e-9, 1e-12, 1e-13, 1e-14, 1e-15, 0.0]
LATE = (linear_model, dense, refinement, lsmr, devices)


@pytest.fixture
def late(monkeypatch):
    """Return a function after which CPU tensors are treated as those of an accelerator."""

    def begin():
        for module in LATE:
            monkeypatch.setattr(module, "is_waited_for", lambda tensor: True)

    return begin


def graded(m, n, smallest):
    """Return a matrix whose singular values fall from 1 to that."""
    left, right = torch.linalg.qr(random(m, m))[0], torch.linalg.qr(random(n, n))[0]
    k = min(m, n)
    values = torch.logspace(0, torch.log10(torch.tensor(smallest)).item(), k, dtype=F64)
    return left[:, :k] * values @ right[:k]


@pytest.mark.parametrize(
    ("kind", "smallest", "dtype"),
    pairwise(
        itertools.product(
            [Primal, Dual], [0.5, 1e-3, 1e-6, 1e-9, 1e-14], [torch.float64, torch.float32]
        )
    ),
)
def test_directions_are_the_same_bit_for_bit(late, kind, smallest, dtype):
    shape = (90, 70) if kind is Primal else (70, 90)
    jacobian = graded(*shape, smallest).to(dtype)
    rows = random(shape[0]).to(dtype)
    dampings = DAMPINGS
    at_once = [kind(jacobian).solve(rows, damping) for damping in dampings]
    late()
    solver = kind(jacobian)
    for damping, wanted in zip(dampings, at_once, strict=True):
        for _ in range(2):  # the second time the factor is known to be sound, or not to be
            found = solver.solve(rows, damping)
            assert (found is None) == (wanted is None)
            if wanted is not None:
                assert found.fallback == wanted.fallback
                assert torch.equal(found.step, wanted.step)
                assert torch.equal(found.forward, wanted.forward)


def test_refinements_differ_in_number_among_those_cases():
    """Else the test above would not see one too many."""
    made = set()
    for smallest in (0.5, 1e-3, 1e-6, 1e-9):
        jacobian, rows = graded(90, 70, smallest), random(90)
        for damping in DAMPINGS[1:]:
            watch = refinement.Refinement(rows)
            solver = Primal(jacobian)
            factor = solver._factor(damping)
            solved = None if factor is None else solver._refined(factor, rows, damping, watch)
            made.add((watch._made, solved is not None))
    assert len(made) >= 3, made


@pytest.mark.parametrize("damp", [0.0, 0.1])
@pytest.mark.parametrize("most", [None, 0, 5, 11])
def test_products_that_run_ahead_change_nothing(late, damp, most):
    matrix, right = graded(60, 40, 1e-4), random(60)

    def solve():
        return lsmr.lsmr(
            lambda v: matrix @ v,
            lambda w: matrix.T @ w,
            right,
            damp=damp,
            tolerance=1e-8,
            max_iterations=most,
        )

    wanted = solve()
    late()
    found = solve()
    assert torch.equal(found.x, wanted.x) and found.iterations == wanted.iterations
    assert (found.normal, found.converged) == (wanted.normal, wanted.converged)


T = torch.linspace(0.0, 3.0, 30, dtype=F64)


def decay(x):
    return x[0] * torch.exp(-x[1] * T) + x[2] - 2.0 * torch.exp(-1.3 * T) - 0.4 - 0.1 * T.cos()


@pytest.mark.parametrize("damping", ["nielsen", "target", "line_search"])
@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
@pytest.mark.parametrize("bounded", [False, True])
def test_minimisations_are_the_same(late, damping, solver, bounded):
    bounds = ([0.0, 0.0, -1.0], [1.5, 5.0, 0.2]) if bounded else (-torch.inf, torch.inf)

    def fit():
        found = least_squares(
            decay, [1.0, 1.0, 0.0], bounds=bounds, damping=damping, solver=solver, max_nfev=60
        )
        history = [{**row, "seconds": 0} for row in found.history]
        return found.x.tolist(), found.cost, found.status, history

    wanted = fit()
    late()
    assert fit() == wanted


def test_a_bend_that_is_not_finite_is_left_out(late):
    """The residual has no value where the second derivative is looked for, but one at the end."""

    def residual(x):
        gap = torch.where((x[0] > 0.01) & (x[0] < 0.5), torch.nan, 1.0)
        return torch.stack([(x[0] - 1.0) * gap, 0.1 * (x[1] - 2.0)])

    wanted = least_squares(residual, [0.0, 0.0])
    late()
    found = least_squares(residual, [0.0, 0.0])
    assert found.x.tolist() == wanted.x.tolist() and wanted.success


def test_numbers_are_read_by_their_values():
    numbers = torch.tensor(0.1, dtype=torch.float32), torch.tensor(True), torch.tensor(7)
    assert devices.read(*numbers) == [float(numbers[0]), 1.0, 7.0]
