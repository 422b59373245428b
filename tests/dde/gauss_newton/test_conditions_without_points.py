"""A condition that no training point meets, whose mean of squares would be NaN."""

import deepxde as dde
import pytest
import torch

import pinn_ext


def heat(num_boundary, num_initial):
    geometry = dde.geometry.GeometryXTime(
        dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1)
    )

    def equation(x, y):
        return dde.grad.jacobian(y, x, j=1) - dde.grad.hessian(y, x, i=0, j=0)

    conditions = [
        dde.icbc.DirichletBC(geometry, lambda x: 0 * x[:, :1], lambda _, on: on),
        dde.icbc.IC(geometry, lambda x: x[:, :1] * (1 - x[:, :1]), lambda _, on: on),
    ]
    data = dde.data.TimePDE(geometry, equation, conditions, 20, num_boundary, num_initial)
    model = dde.Model(data, dde.nn.FNN([2, 4, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    return model


@pytest.mark.parametrize(
    ("boundary", "initial", "named"),
    [
        (8, 0, "got none for ic_1:"),
        (0, 8, "got none for dirichlet_1:"),
        (0, 0, "got none for dirichlet_1, ic_1:"),
    ],
)
def test_it_is_named_before_anything_changes(boundary, initial, named):
    model = heat(boundary, initial)
    before = [parameter.detach().clone() for parameter in model.net.parameters()]
    with pytest.raises(ValueError, match=named):
        pinn_ext.train_gauss_newton(model, 2, verbose=0)
    assert all(map(torch.equal, before, model.net.parameters()))
    assert model.losshistory.steps == []
