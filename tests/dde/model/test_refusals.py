"""Models that DeepXDE would train on something else than was meant, or on NaN."""

import functools
import warnings

import deepxde as dde
import numpy as np
import pytest

import pinn_ext

LINE = dde.geometry.Interval(-1, 1)


def slope(x, y):
    return dde.grad.jacobian(y, x) - 1


def at_ends(kind=dde.icbc.DirichletBC, function=lambda x: 0 * x):
    return kind(LINE, function, lambda _, on: on)


def model_of(data):
    net = dde.nn.FNN([1, 4, 1], "tanh", "Glorot normal")
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def with_condition(condition, equation=slope, ends=2, **options):
    return model_of(dde.data.PDE(LINE, equation, [condition], 6, ends, **options))


def by_callback(model):
    adaptive = pinn_ext.AdaptiveWeights("fixed", verbose=0)
    model.train(iterations=1, callbacks=[adaptive], verbose=0)


def by_gauss_newton(model):
    pinn_ext.train_gauss_newton(model, 1, verbose=0)


DOORS = pytest.mark.parametrize("train", [by_callback, by_gauss_newton])


def scaled(x, factor=2.0):
    return factor * x


# ---- arguments that are counted -----------------------------------------------------------------


@DOORS
@pytest.mark.parametrize(
    ("kind", "name"), [(dde.icbc.DirichletBC, "dirichlet_1"), (dde.icbc.NeumannBC, "neumann_1")]
)
@pytest.mark.parametrize(
    "function", [scaled, lambda x, factor=2.0: factor * x, functools.partial(scaled, factor=3.0)]
)
def test_a_default_argument_of_a_condition_is_named(train, kind, name, function):
    model = with_condition(at_ends(kind, function))
    with pytest.raises(ValueError, match=rf"{name} must have x as its one .* \(x, .*factor=[23]"):
        train(model)
    assert model.train_state.step == 0 and model.losshistory.steps == []


def test_two_defaults_of_an_initial_condition_are_too_many():
    time = dde.geometry.TimeDomain(0, 1)
    start = dde.icbc.IC(time, lambda t, a=1.0, b=0.0: a + b * t, lambda _, on: on)
    with pytest.raises(ValueError, match="ic_1 must have x as its one argument, got none, or too"):
        by_callback(model_of(dde.data.PDE(time, slope, [start], 6, 1)))


@DOORS
@pytest.mark.parametrize(
    ("equation", "shown"),
    [
        (lambda x, y, k=1.0: k * y, r"\(x, y, k=1\.0\)"),
        (lambda x, y, k=1.0, f=0.0: k * y - f, r"\(x, y, k=1\.0, f=0\.0\)"),  # would be left out
        (lambda *both: both[1], r"\(\*both\)"),  # so would this
    ],
)
def test_an_equation_with_another_number_of_arguments_is_named(train, equation, shown):
    with pytest.raises(
        ValueError, match=rf"equation must have the arguments \(x, y\), got {shown}"
    ):
        train(with_condition(at_ends(), equation))


def test_a_default_that_auxiliary_variables_replace_is_said():
    known = {"auxiliary_var_function": lambda x: x + 5}
    with pytest.warns(RuntimeWarning, match="auxiliary variables as `k`, not its default 2"):
        by_callback(with_condition(at_ends(), lambda x, y, k=2: slope(x, y) * k, **known))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_callback(with_condition(at_ends(), lambda x, y, k=None: slope(x, y) * k, **known))


@DOORS
@pytest.mark.parametrize(
    "condition",
    [
        at_ends(function=abs),
        dde.icbc.RobinBC(LINE, lambda x, y, k=2.0: k * y, lambda _, on: on),
        dde.icbc.OperatorBC(LINE, lambda x, y, given, k=2.0: k * y, lambda _, on: on),
    ],
    ids=["builtin", "robin", "operator"],
)
def test_functions_that_are_called_rightly_are_taken(train, condition):
    model = with_condition(condition)
    train(model)
    assert model.train_state.step == 1


def test_data_of_a_class_of_its_own_calls_its_functions_as_it_likes():
    class Handing(dde.data.PDE):
        def losses(self, targets, outputs, loss_fn, inputs, model, aux=None):
            rest = self.pde(inputs, outputs, 1.0)
            own = np.full_like(self.train_x, 3.0)
            ends = self.bcs[0].error(self.train_x, inputs, outputs, 0, self.num_bcs[0], own)
            return [loss_fn(0 * rest, rest), loss_fn(0 * ends, ends)]

    data = Handing(LINE, lambda x, y, k: slope(x, y) * k, [at_ends(function=scaled)], 6, 2)
    model = model_of(data)
    by_callback(model)
    assert model.train_state.step == 1


# ---- points -------------------------------------------------------------------------------------


@DOORS
@pytest.mark.parametrize(
    ("condition", "name"),
    [
        (at_ends(), "dirichlet_1"),
        (dde.icbc.PeriodicBC(LINE, 0, lambda _, on: on), "periodic_1"),
        (dde.icbc.PointSetBC(np.empty((0, 1)), np.empty((0, 1))), "point_set_1"),
    ],
)
def test_a_condition_without_points_is_named(train, condition, name):
    model = with_condition(condition, ends=0)
    before = [parameter.detach().clone() for parameter in model.net.parameters()]
    with pytest.raises(ValueError, match=f"must have training points, got none for {name}: give"):
        train(model)
    assert all((a == b).all() for a, b in zip(before, model.net.parameters(), strict=True))
    assert model.losshistory.steps == []


@DOORS
def test_an_equation_without_points_is_named(train):
    points = np.linspace(-1, 1, 5)[:, None]
    given = dde.icbc.PointSetBC(points, points**2)
    with pytest.raises(ValueError, match="got none for pde_1: give"):
        train(model_of(dde.data.PDE(LINE, slope, [given], 0, 0)))


def test_data_alone_needs_no_equation():
    points = np.linspace(-1, 1, 5)[:, None]
    given = dde.icbc.PointSetBC(points, points**2)
    by_callback(model_of(dde.data.PDE(LINE, None, [given], 0, 0)))


@pytest.mark.parametrize("products", [False, True])
@pytest.mark.parametrize("ends", [0, 2])
def test_operator_learning_is_looked_at_too(products, ends):
    equation = dde.data.PDE(LINE, lambda x, y, v: slope(x, y) - v, [at_ends()], 6, ends)
    space, sensors = dde.data.PowerSeries(N=2), np.linspace(-1, 1, 3)[:, None]
    kind = dde.data.PDEOperatorCartesianProd if products else dde.data.PDEOperator
    net = dde.nn.DeepONetCartesianProd if products else dde.nn.DeepONet
    data = kind(equation, space, sensors, 4)
    model = dde.Model(data, net([3, 4, 4], [1, 4, 4], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    if ends:
        by_callback(model)
        assert model.train_state.step == 1
    else:
        with pytest.raises(ValueError, match="got none for dirichlet_1"):
            by_callback(model)
