"""External variables stay within their bounds, and what is no bound is named."""

import math

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext.dde.gauss_newton.bounds import VariableBounds
from tests.dde.gauss_newton.small_models import LINE, Hooks, decay_model, poisson, train


class Course(dde.callbacks.Callback):
    """Notes a variable's value wherever residuals are evaluated."""

    def __init__(self, variable):
        super().__init__()
        self.values = []
        self._variable = variable

    def equation(self, x, y):
        self.values.append(self._variable.item())
        return dde.grad.jacobian(y, x) + self._variable * y


def watched(start=0.5):
    """Return a decay of rate 1.7, the rate sought, and the values it takes."""
    k = dde.Variable(start)
    course = Course(k)
    x = np.linspace(0, 1, 10)[:, None]
    observed = dde.icbc.PointSetBC(x, np.exp(-1.7 * x))
    data = dde.data.PDE(LINE, course.equation, [observed], 40, 2)
    model = dde.Model(data, dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, external_trainable_variables=[k])
    return model, k, course.values


def test_a_bound_that_does_not_bind():
    model, k, values = watched()
    train(model, 60, bounds=[(k, 0.1, 5.0)])
    assert k.item() == pytest.approx(1.7, rel=1e-4)
    assert min(values) >= 0.1 and max(values) <= 5.0


@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
@pytest.mark.parametrize("damping", ["nielsen", "target", "bold"])
def test_a_bound_that_binds_is_met_exactly_and_never_crossed(solver, damping):
    model, k, values = watched()
    train(model, 25, bounds=[(k, 0.0, 1.25)], solver=solver, damping=damping)
    assert k.item() == 1.25
    assert min(values) >= 0.0 and max(values) == 1.25


def test_what_a_bound_held_is_set_free():
    """From its lower bound, which the first steps may press against, to the rate inside."""
    model, k, values = watched(start=1.0)
    train(model, 60, bounds=[(k, 1.0, None)])
    assert k.item() == pytest.approx(1.7, rel=1e-4)
    assert min(values) >= 1.0


def test_no_bounds_change_no_bit():
    found = []
    for bounds in [{}, {"bounds": []}, {"bounds": ()}]:
        dde.config.set_random_seed(3)
        model, k = decay_model()
        train(model, 8, **bounds)
        found.append((k.item(), model.train_state.loss_train.tolist()))
    assert found[0] == found[1] == found[2]


def test_a_variable_of_several_numbers_and_one_without_bounds():
    model = poisson()
    variables = [torch.nn.Parameter(torch.tensor(value)) for value in (2.0, [3.0, 4.0], 5.0)]
    model.external_trainable_variables = variables
    bounds = VariableBounds(model, [(variables[1], 3, math.inf), (variables[0], None, 2.0)])
    box = bounds.box([torch.zeros(2, 2), *variables])
    inf = math.inf
    assert box.lower.tolist() == [*4 * [-inf], -inf, 3.0, 3.0, -inf]
    assert box.upper.tolist() == [*4 * [inf], 2.0, inf, inf, inf]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda k: [(k, 2.0, 1.0)], "below the upper one, got 2.0 and 1.0 for external variable 0"),
        (lambda k: [(k, 1.0, 1.0)], "below the upper one, got 1.0 and 1.0"),
        (lambda k: [(k, math.nan, 1.0)], "below the upper one, got nan and 1.0"),
        (lambda k: [(k, "0", 1.0)], "below the upper one, got '0' and 1.0"),
        (lambda k: [(k, 0.6, 1.0)], "external variable 0 at 0.5, outside [0.6, 1]"),
        (lambda k: [(k, None, 0.4)], "external variable 0 at 0.5, outside [-inf, 0.4]"),
        (lambda k: [(k, 0, 1), (k, 0, 2)], "must name external variable 0 once, got twice"),
        (lambda k: [(0.5, 0, 1)], "must be of variables that are trained"),
        (lambda k: [(k.detach().clone(), 0, 1)], "compiled with (1 of them), got tensor(0.5"),
        (lambda k: [(k, 0)], "must be a list of (variable, low, high), got"),
        (lambda k: (k, 0, 1), "must be a list of (variable, low, high), got"),
        (lambda k: {k: (0, 1)}, "must be a list of (variable, low, high), got"),
        (lambda k: None, "must be a list of (variable, low, high), got None"),
    ],
)
def test_refused_before_anything_is_changed(make, sentence):
    model, k = decay_model()
    before = [parameter.clone() for parameter in model.net.parameters()]
    hooks = Hooks()
    with pytest.raises(ValueError, match="`bounds` must") as error:
        train(model, 3, hooks, bounds=make(k))
    assert sentence in str(error.value)
    assert hooks.calls == [] and model.losshistory.steps == [] and k.item() == 0.5
    assert all(map(torch.equal, before, model.net.parameters()))


def test_variables_of_another_model_and_frozen_ones_are_refused():
    model, k = decay_model()
    with pytest.raises(ValueError, match=r"compiled with \(0 of them\)"):
        train(poisson(), 3, bounds=[(k, 0, 1)])
    k.requires_grad_(False)
    with pytest.raises(ValueError, match="variables that are trained"):
        train(model, 3, bounds=[(k, 0, 1)])


@pytest.mark.parametrize(("rate", "wanted"), [(-0.3, 0.0), (1.3, 1.69)])
def test_a_bound_with_an_infinite_derivative(rate, wanted):
    """The rate is sqrt(k): of growth nothing is left but k = 0, where the others must move on."""
    k = dde.Variable(0.5)
    x = np.linspace(0, 1, 10)[:, None]
    observed = dde.icbc.PointSetBC(x, np.exp(-rate * x))

    def equation(x, y):
        return dde.grad.jacobian(y, x) + torch.sqrt(k) * y

    data = dde.data.PDE(LINE, equation, [observed], 40, 2)
    model = dde.Model(data, dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, external_trainable_variables=[k])
    history = train(model, 60, bounds=[(k, 0.0, None)])[0]
    assert k.item() == pytest.approx(wanted, rel=1e-3)
    # The best that k = 0 leaves is below the misfit of any constant.
    constant = np.var(np.exp(-rate * x))
    assert np.sum(history.loss_train[-1]) < (0.9 * constant if rate < 0 else 1e-6)
