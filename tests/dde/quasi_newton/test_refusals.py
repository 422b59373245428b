"""What quasi-Newton refuses before it begins: names, numbers, models, memory."""

import copy

import deepxde as dde
import pytest
import torch

import pinn_ext
from solvers.quasi_newton import METHODS
from tests.dde.gauss_newton.small_models import Hooks, equation, poisson
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", -1),
        ("iterations", 2.0),
        ("iterations", None),
        ("gtol", -1e-3),
        ("gtol", float("nan")),
        ("resample_every", -1),
        ("resample_every", 2.5),
        ("display_every", 0),
        ("memory_limit_gb", 0),
        ("memory_limit_gb", "1"),
    ],
)
def test_numbers_out_of_range(name, value):
    model = poisson()
    with pytest.raises(ValueError, match=f"`{name}` must be a .* number.*, got {value!r}"):
        pinn_ext.train_quasi_newton(model, **{"iterations": 3, "verbose": 0, name: value})
    assert model.losshistory.steps == [] and model.callbacks is None


@pytest.mark.parametrize(
    ("name", "value"), [("verbose", -1), ("disregard_previous_best", 1), ("callbacks", "x")]
)
def test_other_arguments(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        pinn_ext.train_quasi_newton(poisson(), 3, **{name: value})


def uncompiled():
    return dde.Model(poisson().data, dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))


def frozen():
    model = poisson()
    model.net.requires_grad_(False)
    return model


def random_losses():
    return poisson(lambda x, y: equation(x, y) + torch.rand_like(x))


REFUSED = {
    "not compiled": (uncompiled, "must be compiled"),
    "weights": (lambda: poisson(loss_weights=[1.0]), "one number for each of 2 loss terms"),
    "NaN": (
        lambda: poisson(lambda x, y: torch.log(y - y.detach() - 1)),
        r"must be finite to start from, got NaN or infinity in pde_1",
    ),
    "random": (random_losses, "must be the same when they are evaluated again"),
    "frozen": (frozen, "got only frozen ones"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_are_refused_are_left_alone(name):
    make, message = REFUSED[name]
    model, adaptive, hooks = make(), pinn_ext.AdaptiveWeights(), Hooks()
    before = copy.deepcopy(model.net.state_dict())
    with pytest.raises((ValueError, RuntimeError), match=message):
        train(model, 5, adaptive, hooks)
    assert all(torch.equal(value, before[key]) for key, value in model.net.state_dict().items())
    assert model.losshistory is None or model.losshistory.steps == []
    assert hooks.calls == [] and "losses_train" not in vars(model.data)


def test_mixed_precision_is_refused(monkeypatch):
    model = poisson()
    monkeypatch.setattr(dde.config, "mixed", True)
    with pytest.raises(ValueError, match="got mixed precision"):
        train(model)


def test_too_many_parameters_are_refused_with_their_bytes_and_a_way_out():
    model, hooks = poisson(net=dde.nn.FNN([1, 100, 100, 1], "tanh", "Glorot normal")), Hooks()
    with pytest.raises(MemoryError) as caught:
        train(model, 5, hooks, memory_limit_gb=0.5)
    text = str(caught.value)
    for part in ("10,401 parameters", "0.809 GiB", "868,774,728 bytes", 'model.compile("L-BFGS")',
                 "pinn_ext.train_gauss_newton(model)", "got 0.5 GiB"):  # fmt: skip
        assert part in text, text
    assert hooks.calls == [] and model.losshistory.steps == []
