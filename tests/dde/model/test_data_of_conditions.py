"""Sizes of fields are the same whichever shape their data is given in."""

import warnings

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveWeights
from pinn_ext.dde.model.field_scales import field_scales

LINE = dde.geometry.Interval(0, 1)
PLACES = np.linspace(0, 1, 7)[:, None]


def sizes(conditions, equation=True, outputs=2):
    """Return the size of each term of a model whose only equation, if any, does not matter."""
    pde = (lambda x, y: y[:, :1]) if equation else None
    data = dde.data.PDE(LINE, pde, conditions, 10, 2)
    model = dde.Model(data, dde.nn.FNN([1, 4, outputs], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    names = [f"term_{i}" for i in range(len(conditions) + equation)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return field_scales(model, names)


def wall(values, component=0):
    return dde.icbc.DirichletBC(LINE, values, lambda _, on: on, component=component)


def points(values, component=0, places=PLACES):
    return dde.icbc.PointSetBC(places, values, component=component)


@pytest.mark.parametrize(
    "given", [7, 7.0, np.float32(7), [7.0], [[7.0]], np.full((2, 1), 7.0), np.full(2, 7.0)]
)
def test_a_wall_counts_once_a_point_however_its_value_is_written(given):
    # Two points at 7, and seven of the same output at 1: by hand, in float64.
    own = np.sqrt((2 * 49 + 7 * 1) / 9)
    found = sizes([wall(lambda x: given), points(np.ones((7, 1))), points(2.0, 1)])
    np.testing.assert_allclose(found, [max(own, 2.0), own, own, 2.0], rtol=1e-6)


@pytest.mark.parametrize("row", [[3.0, 40.0], [[3.0, 40.0]], np.tile([3.0, 40.0], (7, 1))])
@pytest.mark.parametrize("component", [[1, 0], [np.int64(1), np.int32(0)], np.array([1, 0])])
def test_a_list_of_outputs_takes_a_row(row, component):
    found = sizes([points(row, component), wall(lambda x: 4.0, 1)])
    second = np.sqrt((7 * 9 + 2 * 16) / 9)
    np.testing.assert_allclose(found, [40.0, 40.0, second], rtol=1e-6)


def test_a_list_of_outputs_takes_a_number_and_a_column():
    column = np.linspace(1, 2, 7)[:, None]
    root = np.sqrt((column**2).mean())
    np.testing.assert_allclose(sizes([points(5.0, [0, 1])]), [5.0, 5.0])
    np.testing.assert_allclose(sizes([points(column, [0, 1])]), [root, root], rtol=1e-6)


@pytest.mark.parametrize("kind", [int, np.int64, np.int8, np.uint16])
def test_integers_of_numpy_name_outputs(kind):
    found = sizes([wall(lambda x: 3.0, kind(0)), points(50.0, kind(1))])
    np.testing.assert_allclose(found, [50.0, 3.0, 50.0])


def test_without_an_equation_each_datum_has_the_size_of_its_own():
    data = [points(1.0, 0), points(100.0, 1), points(10.0, 2)]
    np.testing.assert_allclose(sizes(data, equation=False, outputs=3), [1.0, 100.0, 10.0])


def test_without_an_equation_the_callback_weighs_data_alone():
    data = dde.data.PDE(LINE, None, [points(0.1), points(20.0, 1)], 0, 0, anchors=PLACES)
    model = dde.Model(data, dde.nn.FNN([1, 4, 2], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    adaptive = AdaptiveWeights("field_scale", period=1, normalization="none", verbose=0)
    model.train(iterations=2, callbacks=[adaptive], verbose=0)
    weights = list(adaptive.manager.get_weights().values())
    np.testing.assert_allclose(weights, [10 / 0.01, 10 / 400], rtol=1e-5)


def operator_model(cartesian, values):
    """Return an operator network whose wall has values, a function of x or of x and v(x)."""
    equation = dde.data.PDE(LINE, lambda x, y, v: y - v, wall(values), 10, 2)
    space = dde.data.GRF(length_scale=0.5)
    kind = dde.data.PDEOperatorCartesianProd if cartesian else dde.data.PDEOperator
    net = dde.nn.DeepONetCartesianProd if cartesian else dde.nn.DeepONet
    data = kind(equation, space, np.linspace(0, 1, 5)[:, None], 4)
    model = dde.Model(data, net([5, 4, 4], [1, 4, 4], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    return model


@pytest.mark.parametrize("cartesian", [False, True])
def test_functions_of_auxiliary_variables_give_sizes(cartesian):
    model = operator_model(cartesian, lambda x, v: 10 * v)
    given = np.asarray(model.data.train_aux_vars)
    own = given[:, :2] if cartesian else given[:8]  # two points of each of four functions
    size = 10 * np.sqrt((own.astype(float) ** 2).mean())
    np.testing.assert_allclose(field_scales(model, ["pde", "wall"]), [size, size], rtol=1e-5)
    adaptive = AdaptiveWeights("field_scale", period=1, normalization="none", verbose=0)
    model.train(iterations=1, callbacks=[adaptive], verbose=0)
    weights = list(adaptive.manager.get_weights().values())
    np.testing.assert_allclose(weights, [1 / size**2, 10 / size**2], rtol=1e-4)


@pytest.mark.parametrize("cartesian", [False, True])
def test_operators_take_numbers_as_well(cartesian):
    model = operator_model(cartesian, lambda x: 3)
    assert field_scales(model, ["pde", "wall"]) == [3.0, 3.0]


def test_a_condition_without_points_says_nothing_of_its_field():
    nowhere = dde.icbc.DirichletBC(LINE, lambda x: 9.0, lambda _, on: False)
    found = sizes([points(2.0), nowhere])
    assert torch.tensor(found).tolist() == [2.0, 2.0, 2.0]
