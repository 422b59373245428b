"""What quasi-Newton refuses before it begins: names, numbers, models, memory."""

import deepxde as dde
import pytest
import torch

from solvers.quasi_newton import METHODS
from tests.dde.gauss_newton.small_models import Hooks, assert_refused, equation, poisson
from tests.dde.quasi_newton.trainings import train


@pytest.mark.parametrize("value", ["double", None, 64])
def test_precisions_that_do_not_exist(value):
    with pytest.raises(ValueError, match="`precision` must be one of float64, own"):
        train(poisson(), 3, precision=value)


@pytest.mark.parametrize("value", ["ssbroydn", None, 3, ["bfgs"]])
def test_methods_that_do_not_exist(value):
    with pytest.raises(ValueError, match="`method` must be one of") as caught:
        train(poisson(), 3, method=value)
    assert all(legal in str(caught.value) for legal in METHODS)


@pytest.mark.parametrize("value", [-1e-3, float("nan")])
def test_tolerances_out_of_range(value):
    with pytest.raises(ValueError, match=f"`gtol` must be a .* number.*, got {value!r}"):
        train(poisson(), 3, gtol=value)


def test_random_losses_are_refused():
    assert_refused(
        train,
        lambda: poisson(lambda x, y: equation(x, y) + torch.rand_like(x)),
        "must be the same when they are evaluated again",
    )


def test_too_many_parameters_are_refused_with_their_bytes_and_a_way_out():
    model, hooks = poisson(net=dde.nn.FNN([1, 100, 100, 1], "tanh", "Glorot normal")), Hooks()
    with pytest.raises(MemoryError) as caught:
        train(model, 5, hooks, memory_limit_gb=0.5)
    text = str(caught.value)
    for part in ("10,401 parameters", "0.809 GiB", "868,774,728 bytes", 'model.compile("L-BFGS")',
                 "pinn_ext.train_gauss_newton(model)", "got 0.5 GiB"):  # fmt: skip
        assert part in text, text
    assert hooks.calls == [] and model.losshistory.steps == []
