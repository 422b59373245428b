"""A sketch of rows: what is drawn, its mean and spectrum over seeds, and what is none."""

import math

import pytest
import torch

from solvers.gauss_newton.direction.sketch import RowSketch, size_of
from tests.solvers.gauss_newton.rows import F64, random


def matrix(num_rows, size, seed, parts=1):
    """Return S [s, m], folded from the identity in parts."""
    out = torch.zeros(size, num_rows, dtype=F64)
    sketch = RowSketch(num_rows, size, seed, out)
    for rows in torch.arange(num_rows).chunk(parts):
        sketch.fold(rows, torch.eye(num_rows, dtype=F64)[rows], out)
    return out


def test_each_row_goes_into_one_row_of_each_quarter():
    s = matrix(50, 22, 3)
    assert set(s.unique().tolist()) == {-0.5, 0.0, 0.5}
    for quarter in s.tensor_split([5, 11, 16]):
        assert torch.equal((quarter != 0).sum(0), torch.ones(50, dtype=torch.int64))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_sketch_of_less_than_four_rows(size):
    s = matrix(9, size, 0)
    torch.testing.assert_close(s.square().sum(0), torch.ones(9, dtype=F64))


def test_blocks_do_not_matter_and_seeds_do():
    assert torch.equal(matrix(40, 12, 5), matrix(40, 12, 5, parts=7))
    assert not torch.equal(matrix(40, 12, 5), matrix(40, 12, 6))


def test_the_mean_over_seeds_is_exact():
    count, size = 400, 16
    total = torch.zeros(12, 12, dtype=F64)
    for seed in range(count):
        s = matrix(12, size, seed)
        total += s.T @ s
    mean = total / count
    assert torch.equal(mean.diagonal(), torch.ones(12, dtype=F64))
    # An entry beside the diagonal has the variance 1 / s: two rows meet in a quarter by 4 / s.
    assert (mean - torch.eye(12, dtype=F64)).abs().max() < 5 / math.sqrt(count * size)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_the_spectrum_is_that_of_gaussian_numbers(factor, seed):
    n, m = 200, 4000
    torch.manual_seed(seed)
    q = torch.linalg.qr(random(m, n))[0]
    out = torch.zeros(factor * n, n, dtype=F64)
    RowSketch(m, factor * n, seed, out).fold(torch.arange(m), q, out)
    values = torch.linalg.eigvalsh(out.T @ out)
    low, high = (1 - factor**-0.5) ** 2, (1 + factor**-0.5) ** 2  # Marchenko and Pastur's ends
    assert 0.75 * low < values[0] < 1.4 * low and 0.93 * high < values[-1] < 1.07 * high


@pytest.mark.parametrize("sketch", [9, 0, -3, 2.5, 40.0, True, "all", [40], "40"])
def test_what_is_no_sketch(sketch):
    wanted = "at least as many as the 10 parameters, got"
    with pytest.raises(ValueError, match=f"^`sketch` must be None, 'auto' or a .*{wanted}"):
        size_of(sketch, "auto", 10)


@pytest.mark.parametrize("solver", ["primal", "dual", "accumulated", "matrix_free"])
@pytest.mark.parametrize("sketch", ["auto", 40])
def test_solvers_that_make_none(solver, sketch):
    with pytest.raises(ValueError, match=f"^`sketch` must be None for solver='{solver}', .*got"):
        size_of(sketch, solver, 10)
