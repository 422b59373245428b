"""Directions from blocks of rows: exact sums, sketches, parameters that are held, the choice."""

import functools

import pytest
import torch

from solvers.gauss_newton.direction import memory
from solvers.gauss_newton.direction.blockwise import Accumulated, Sketched
from solvers.gauss_newton.direction.dense import Primal
from solvers.gauss_newton.direction.gram import gram, mirror
from solvers.gauss_newton.direction.sketch import RowSketch
from tests.solvers.gauss_newton.rows import F64, random

CPU = torch.device("cpu")


def blocks_of(jacobian, size=7):
    """Yield rows in no order, in one buffer, as a problem may."""
    generator = torch.Generator().manual_seed(0)
    buffer = torch.empty(size, jacobian.shape[1], dtype=jacobian.dtype)
    for numbers in torch.randperm(len(jacobian), generator=generator).split(size):
        block = buffer[: len(numbers)]
        block.copy_(jacobian[numbers])
        yield numbers, block


def accumulated(jacobian, rows, size=7):
    pulled = functools.partial(torch.mv, jacobian.mT)
    return Accumulated(blocks_of(jacobian, size), jacobian.shape[1], rows, pulled)


def sketched(jacobian, rows, size=24, seed=0):
    sketch = RowSketch(len(rows), size, seed, rows)
    pulled = functools.partial(torch.mv, jacobian.mT)
    return Sketched(blocks_of(jacobian), jacobian.shape[1], rows, pulled, sketch)


def sketch_of(jacobian, size=24, seed=0):
    out = jacobian.new_zeros(size, jacobian.shape[1])
    RowSketch(len(jacobian), size, seed, out).fold(torch.arange(len(jacobian)), jacobian, out)
    return out


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_sum_over_blocks_is_that_of_all_rows(size, dtype):
    jacobian, rows = random(60, 6).to(dtype), random(60).to(dtype)
    solver = accumulated(jacobian, rows, size)
    eps = torch.finfo(dtype).eps
    wanted = jacobian.mT @ jacobian
    assert (solver._matrix - wanted).abs().max() <= 60 * eps * wanted.abs().max()
    assert (solver.transposed(rows) - jacobian.mT @ rows).abs().max() <= 60 * eps * 10
    torch.testing.assert_close(solver.column_squares, jacobian.square().sum(0))
    other = random(60).to(dtype)
    torch.testing.assert_close(solver.transposed(other), jacobian.mT @ other)


@pytest.mark.parametrize("damping", [1e-10, 1e-3, 10.0])
def test_a_sum_leads_where_the_whole_jacobian_does(damping):
    jacobian, rows = random(60, 6) * torch.logspace(0, 2, 6, dtype=F64), random(60)
    ours, whole = accumulated(jacobian, rows), Primal(jacobian)
    ours.scale = whole.scale = whole.column_squares
    found, wanted = ours.solve(rows, damping), whole.solve(rows, damping)
    torch.testing.assert_close(found.step, wanted.step, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found.forward.norm(), wanted.forward.norm(), rtol=1e-9, atol=0.0)
    assert not ours.whole and whole.whole


def test_a_sketch_has_the_exact_gradient_and_columns_and_its_own_curvature():
    jacobian, rows = random(300, 6), random(300)
    solver, small = sketched(jacobian, rows), sketch_of(jacobian)
    torch.testing.assert_close(solver.transposed(rows), jacobian.mT @ rows)
    torch.testing.assert_close(solver.column_squares, jacobian.square().sum(0))
    solver.scale = solver.column_squares
    found = solver.solve(rows, 1e-2)
    matrix = small.mT @ small + 1e-2 * torch.diag(solver.scale)
    torch.testing.assert_close(found.step, -torch.linalg.solve(matrix, jacobian.mT @ rows))
    torch.testing.assert_close(found.forward.norm(), (small @ found.step).norm())
    step = random(6)
    torch.testing.assert_close(solver.forward(step).norm(), (small @ step).norm())


@pytest.mark.parametrize("make", [accumulated, sketched])
def test_without_damping_the_least_one_is_taken(make):
    jacobian, rows = random(40, 1) @ random(1, 6), random(40)
    solver = make(jacobian, rows)
    solver.scale = solver.column_squares
    found = solver.solve(rows, 0.0)
    assert torch.equal(found.step, solver.solve(rows, solver.least).step)
    assert torch.linalg.vector_norm(rows + jacobian @ found.step) <= 1.001 * rows.norm()


@pytest.mark.parametrize("make", [accumulated, sketched])
@pytest.mark.parametrize("at_once", [True, False])
def test_others_move_as_if_those_that_are_held_were_not_there(make, at_once):
    held, free = [1, 4], [0, 2, 3, 5]
    jacobian, rows = random(60, 6), random(60)
    scale = torch.arange(1.0, 7.0, dtype=F64)
    solver, alone = make(jacobian, rows), make(jacobian[:, free], rows)
    solver.scale, alone.scale = scale, scale[free]
    before = solver.solve(rows, 0.1).step
    for columns in [held] if at_once else [held[:1], held[1:]]:
        mask = torch.zeros(6, dtype=torch.bool)
        mask[columns] = True
        solver.hold(mask)
    found, wanted = solver.solve(rows, 0.1), alone.solve(rows, 0.1)
    assert (before[held] != 0).all() and (found.step[held] == 0).all()
    torch.testing.assert_close(found.step[free], wanted.step)
    torch.testing.assert_close(found.forward, wanted.forward)
    other = random(60)
    assert (solver.transposed(rows)[held] == 0).all() and (
        solver.transposed(other)[held] == 0
    ).all()


def test_a_parameter_without_effect_stays():
    jacobian, rows = random(60, 4), random(60)
    jacobian[:, 2] = 0.0
    for make in (accumulated, sketched):
        assert make(jacobian, rows).solve(rows, 1e-3).step[2] == 0.0


@pytest.mark.parametrize("n", [1, 5, 300])
def test_half_a_matrix_becomes_a_whole_one(n):
    matrix = random(2 * n, n)
    half = gram(matrix)
    mirror(half)
    torch.testing.assert_close(half, matrix.mT @ matrix)


def chosen(rows, columns, **options):
    return memory.choose(rows, columns, 8, CPU, **{"blocks": True, "limit_gb": 1.0, **options})[0]


def test_blocks_are_taken_where_the_jacobian_does_not_fit():
    assert chosen(4000, 1000) == "primal"
    assert chosen(400_000, 1000) == "accumulated"
    assert chosen(400_000, 1000, blocks=False) == "matrix_free"
    assert chosen(400_000, 20_000) == "matrix_free"
    assert chosen(900, 1000, limit_gb=0.01) == "matrix_free"
    assert chosen(4000, 1000, wanted="accumulated") == "accumulated"


def test_a_sketch_is_taken_where_it_pays_or_is_asked_for():
    assert chosen(4000, 1000, sketch="auto") == "primal"
    assert chosen(400_000, 1000, sketch="auto") == "sketched"
    assert chosen(4000, 1000, sketch=1500) == "sketched"
    assert chosen(4000, 1000, wanted="sketched") == "sketched"
    assert chosen(400_000, 1000, sketch="auto", blocks=False) == "matrix_free"


def test_memory_does_not_grow_with_rows_times_columns():
    few, many = (memory.needs(rows, 1000, 8) for rows in (10**5, 10**6))
    for solver in memory.BLOCKWISE:
        assert many[solver] - few[solver] < 9 * 10**5 * 8 * 25  # a few vectors
    assert memory.needs(10**5, 1000, 8, sketch=8000)["sketched"] > few["sketched"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sketch": 2000}, "`sketch` must be None or 'auto' where rows do not come in blocks"),
        ({"wanted": "accumulated"}, "`solver` must be auto, primal, dual or matrix_free where"),
        ({"wanted": "sketched"}, "`solver` must be auto, primal, dual or matrix_free where"),
    ],
)
def test_rows_that_do_not_come_in_blocks(options, words):
    with pytest.raises(ValueError, match=words):
        chosen(4000, 1000, blocks=False, **options)


def test_too_little_memory_names_all_solvers():
    with pytest.raises(MemoryError, match=r"primal .* GiB, dual .*accumulated .*sketched .* GiB"):
        chosen(4000, 1000, limit_gb=1e-6)
