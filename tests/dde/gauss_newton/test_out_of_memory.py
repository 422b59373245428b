"""Memory that runs out ends a training in one sentence, at the last accepted step."""

import pytest
import torch

from solvers.gauss_newton import GaussNewtonMemoryError
from tests.dde.gauss_newton.small_models import equation, poisson, total, train


class Full:
    """An equation on a device without room for its n-th evaluation."""

    def __init__(self, at):
        self.left = at

    def __call__(self, x, y):
        self.left -= 1
        if self.left == 0:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB.")
        return equation(x, y)


@pytest.mark.parametrize("at", [12, 16, 17, 20])
def test_the_model_is_left_at_the_last_accepted_step(problem, at):
    pde = Full(at)
    model = poisson(pde)
    accepted = [problem.vector(model)]
    keep = problem.At("on_batch_end", lambda _: accepted.append(problem.vector(model)))
    with pytest.raises(GaussNewtonMemoryError, match=r"tried to allocate 3\.00 GiB") as error:
        train(model, 30, keep)
    assert "64 rows and 19 parameters" in str(error.value)
    assert "take solver='matrix_free', or fewer rows (points)" in str(error.value)
    assert torch.equal(problem.vector(model), accepted[-1])
    reached = total(model)
    train(model, 5)
    assert total(model) < reached


def test_memory_that_runs_out_before_the_first_step(problem):
    model = poisson(Full(1))
    before = problem.vector(model)
    with pytest.raises(MemoryError, match="where the residual was computed, tried to allocate"):
        train(model, 5)
    assert torch.equal(problem.vector(model), before)
