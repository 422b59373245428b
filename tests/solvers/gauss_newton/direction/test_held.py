"""Parameters that are held: every solver finds the step of the others, as if they were alone."""

import pytest
import torch

from solvers.gauss_newton.direction.dense import Dual, Primal
from solvers.gauss_newton.direction.matrix_free import MatrixFree

HELD = [1, 4]
FREE = [0, 2, 3, 5]


def matrix(rows, columns=6):
    generator = torch.Generator().manual_seed(rows)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


def free_of(jacobian):
    solver = MatrixFree(lambda v: jacobian @ v, lambda w: jacobian.mT @ w, jacobian[:, 0])
    solver.tolerance = 1e-13
    return solver


MAKE = {
    "primal": Primal,
    "dual": Dual,
    "orthogonal": lambda jacobian: without_cholesky(Primal(jacobian)),
    "orthogonal_dual": lambda jacobian: without_cholesky(Dual(jacobian)),
    "matrix_free": free_of,
}


def without_cholesky(solver):
    solver._refined = lambda *_: None
    return solver


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("rows", [3, 9])
@pytest.mark.parametrize("damping", [1e-3, 1.0])
@pytest.mark.parametrize("at_once", [True, False])
def test_the_others_move_as_if_they_were_alone(name, rows, damping, at_once):
    jacobian, right = matrix(rows), matrix(rows, 1)[:, 0]
    scale = torch.arange(1.0, 7.0, dtype=torch.float64)
    solver, alone = MAKE[name](jacobian), Primal(jacobian[:, FREE])
    solver.scale, alone.scale = scale, scale[FREE]
    before = solver.solve(right, damping).step
    for columns in [HELD] if at_once else [HELD[:1], HELD[1:]]:
        mask = torch.zeros(6, dtype=torch.bool)
        mask[columns] = True
        solver.hold(mask)
    found, wanted = solver.solve(right, damping), alone.solve(right, damping)
    assert (before[HELD] != 0).all() and (found.step[HELD] == 0).all()
    torch.testing.assert_close(found.step[FREE], wanted.step, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found.forward, wanted.forward, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(solver.forward(found.step), found.forward)
    gradient = solver.transposed(right)
    assert (gradient[HELD] == 0).all()
    torch.testing.assert_close(gradient[FREE], alone.transposed(right))
