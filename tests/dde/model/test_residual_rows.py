"""Residual rows of DeepXDE models: their squared sum, their Jacobian, and what has none."""

import re

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext.dde.model.loss_terms import trained_tensors
from pinn_ext.dde.model.residual_rows import ModelRows


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


def prepared(model):
    """Return a model with its first training points, as `model.train` leaves it before a step."""
    model.train_state.set_data_train(*model.data.train_next_batch())
    model.train_state.set_data_test(*model.data.test())
    return model


def slow_jacobian(rows):
    """One backward pass a row, on the very expression of the rows."""
    answer = []
    for scale, vector in zip(rows.scales, rows.vectors(), strict=True):
        for entry in vector.reshape(-1):
            gradients = torch.autograd.grad(
                scale * entry, rows.tensors, retain_graph=True, materialize_grads=True,
                allow_unused=True,
            )  # fmt: skip
            answer.append(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    return torch.stack(answer)


def assert_rows_are_the_model(model):
    """The squared sum is the weighted loss; J, J v and J^T w are those of the slow Jacobian."""
    rows = ModelRows(prepared(model))
    x = rows.get()
    residual, jacobian = rows.linearize(x)
    state = model.train_state
    loss = model._outputs_losses(True, state.X_train, state.y_train, state.train_aux_vars)[1]
    squares = [square.item() for square in rows.measures(residual)]
    assert np.allclose(squares, loss, rtol=1e-12)
    assert torch.allclose(rows.residual(x), residual, rtol=1e-12, atol=1e-14)
    terms = sum(rows.sizes)
    wanted = slow_jacobian(rows)
    assert (jacobian[:terms] - wanted).abs().max() <= 1e-11 * wanted.abs().max()
    again, forward, transposed = rows.products(x)
    v, w = torch.rand(len(x)), torch.rand(len(residual))
    assert torch.equal(again, residual)
    assert torch.allclose(forward(v), jacobian @ v, rtol=1e-9, atol=1e-11)
    assert torch.allclose(transposed(w), jacobian.T @ w, rtol=1e-9, atol=1e-11)
    assert torch.equal(rows.get(), x)
    return rows


SQUARE = dde.geometry.Rectangle([0, 0], [1, 1])


def on_boundary(_, on):
    return on


def left(x, on):
    return on and np.isclose(x[0], 0)


def one_column(x):
    return np.sin(x[:, :1] + x[:, 1:2])


def coupled(x, y):
    u, v = y[:, 0:1], y[:, 1:2]
    u_x = dde.grad.jacobian(y, x, i=0, j=0)
    v_yy = dde.grad.hessian(y, x, component=1, i=1, j=1)
    u_xy = dde.grad.hessian(y, x, component=0, i=0, j=1)
    return [u_x + u * v - v_yy, u_xy * v + torch.exp(u)]


CONDITIONS = {
    "dirichlet": lambda: dde.icbc.DirichletBC(SQUARE, one_column, on_boundary, component=1),
    "neumann": lambda: dde.icbc.NeumannBC(SQUARE, one_column, on_boundary, component=0),
    "robin": lambda: dde.icbc.RobinBC(SQUARE, lambda x, y: y[:, 1:2] ** 2, on_boundary),
    "periodic": lambda: dde.icbc.PeriodicBC(SQUARE, 0, left, component=0),
    "periodic slopes": lambda: dde.icbc.PeriodicBC(SQUARE, 0, left, derivative_order=1),
    "operator": lambda: dde.icbc.OperatorBC(
        SQUARE, lambda x, y, _: dde.grad.jacobian(y, x, i=0, j=1) * y[:, 1:2], on_boundary
    ),
    "point set": lambda: dde.icbc.PointSetBC(np.random.rand(5, 2), np.ones((5, 1)), component=1),
    "point set of both": lambda: dde.icbc.PointSetBC(
        np.random.rand(5, 2), np.ones((5, 2)), component=[0, 1]
    ),
    "point set operator": lambda: dde.icbc.PointSetOperatorBC(
        np.random.rand(5, 2), np.ones((5, 1)), lambda x, y, _: y[:, :1] * y[:, 1:2]
    ),
}


def square_model(conditions=("dirichlet",), net=None, pde=coupled, **options):
    data = dde.data.PDE(
        SQUARE, pde, [CONDITIONS[name]() for name in conditions], num_domain=9, num_boundary=12
    )
    model = dde.Model(data, net or dde.nn.FNN([2, 6, 5, 2], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, **options)
    return model


@pytest.mark.parametrize("name", CONDITIONS)
def test_rows_of_each_condition(name):
    weights = [0.3, 20.0, 4.0]
    rows = assert_rows_are_the_model(square_model([name], loss_weights=weights))
    assert rows.fallback is None


def test_rows_of_all_conditions_together():
    assert assert_rows_are_the_model(square_model(list(CONDITIONS))).fallback is None


class Fourier(dde.nn.NN):
    """Fixed random features, then linear layers of which one is skipped around."""

    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, 4))
        self.first, self.second = torch.nn.Linear(8, 6), torch.nn.Linear(6, 6)
        self.last = torch.nn.Linear(6, 2)

    def forward(self, inputs):
        angle = inputs @ self.frequencies
        h = torch.tanh(self.first(torch.cat((torch.sin(angle), torch.cos(angle)), dim=1)))
        return self.last(h + torch.sin(self.second(h)))


def transformed():
    net = dde.nn.FNN([3, 6, 2], "swish", "Glorot normal")
    net.apply_feature_transform(lambda x: torch.cat((torch.sin(x), x[:, :1] ** 2), dim=1))
    net.apply_output_transform(lambda x, y: torch.exp(-x[:, 1:2]) + x[:, :1] * y)
    return net


NETWORKS = {
    "fnn": lambda: dde.nn.FNN([2, 6, 6, 2], "sin", "Glorot normal"),
    "fnn of mixed activations": lambda: dde.nn.FNN(
        [2, 6, 5, 2], ["tanh", "sigmoid", "tanh"], "He normal"
    ),
    "pfnn": lambda: dde.nn.PFNN([2, [5, 4], [3, 3], 2], "tanh", "Glorot normal"),
    "pfnn with a common layer": lambda: dde.nn.PFNN([2, 5, [4, 3], 2], "tanh", "Glorot normal"),
    "fourier features": Fourier,
    "transforms": transformed,
    "adaptive activation": lambda: dde.nn.FNN([2, 6, 2], "LAAF-2 tanh", "Glorot normal"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_rows_of_each_network(name):
    model = square_model(["neumann", "periodic"], NETWORKS[name]())
    assert assert_rows_are_the_model(model).fallback is None


def test_frozen_layers_have_no_columns():
    net = dde.nn.FNN([2, 6, 5, 2], "tanh", "Glorot normal")
    for parameter in net.linears[1].parameters():
        parameter.requires_grad_(False)
    rows = assert_rows_are_the_model(square_model(net=net))
    assert rows.num_parameters == 6 * 2 + 6 + 2 * 5 + 2 and rows.fallback is None


def test_unknown_coefficients_have_columns_of_their_own():
    diffusion, reaction = dde.Variable(0.3), dde.Variable(-1.0)

    def inverse(x, y):
        u_xx = dde.grad.hessian(y, x, component=0, i=0, j=0)
        return diffusion * u_xx - reaction**2 * y[:, 1:2]

    model = square_model(["point set of both"], pde=inverse)
    model.compile("adam", lr=1e-3, verbose=0, external_trainable_variables=[diffusion, reaction])
    rows = assert_rows_are_the_model(model)
    assert rows.fallback is None
    _, jacobian = rows.linearize(rows.get())
    assert jacobian[:, -2:].abs().max() > 0
    assert rows.num_parameters == sum(tensor.numel() for tensor in trained_tensors(model))


def test_auxiliary_functions_are_passed_on():
    def equation(x, y, aux):
        return dde.grad.jacobian(y, x) - aux * y

    line = dde.geometry.Interval(0, 1)
    data = dde.data.PDE(line, equation, [], 8, 2, auxiliary_var_function=lambda x: np.cos(x))
    model = dde.Model(data, dde.nn.FNN([1, 5, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    assert_rows_are_the_model(model)


def test_data_sets_compare_with_their_targets(problem):
    assert_rows_are_the_model(problem.fit())


def test_data_sets_of_two_columns():
    x = np.linspace(0, 1, 8)[:, None]
    data = dde.data.DataSet(x, np.hstack((x, x**2)), x, np.hstack((x, x**2)))
    model = dde.Model(data, dde.nn.FNN([1, 5, 2], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, loss_weights=[3.0])
    assert assert_rows_are_the_model(model).fallback is None


def test_time_dependent_data(problem):
    assert_rows_are_the_model(problem.heat(loss_weights=[1.0, 10.0, 100.0]))


def test_regularisation_adds_rows_of_its_own(problem):
    net = problem.net(regularizer=("l2", 1e-2))
    model = problem.poisson(net=net)
    rows = assert_rows_are_the_model(model)
    x = rows.get()
    residual, jacobian = rows.linearize(x)
    own = residual[sum(rows.sizes) :]
    assert own.square().sum().item() == pytest.approx(0.5 * 1e-2 * x.square().sum().item())
    assert torch.equal(jacobian[sum(rows.sizes) :], np.sqrt(0.5e-2) * torch.eye(len(x)))


def test_integral_equations_share_samples():
    """Each row depends on the network at its own quadrature points."""
    line = dde.geometry.TimeDomain(0, 1)

    def volterra(x, y, int_mat):
        return y[: int_mat.shape[0]] - 1.0 - torch.as_tensor(int_mat) @ y

    data = dde.data.IDE(
        line, volterra, [], 4, kernel=lambda x, s: np.exp(s - x), num_domain=5, num_boundary=1
    )
    model = dde.Model(data, dde.nn.FNN([1, 5, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    assert_rows_are_the_model(model)


def test_forward_mode_falls_back(problem):
    dde.config.set_default_autodiff("forward")

    def equation(x, y):
        return dde.grad.jacobian(y, x)[0] + y[0]

    model = problem.poisson(pde=equation)
    assert assert_rows_are_the_model(model).fallback is not None


def test_convolutions_fall_back():
    class Convolution(dde.nn.NN):
        def __init__(self):
            super().__init__()
            self.filter, self.last = torch.nn.Conv1d(1, 12, 2), torch.nn.Linear(12, 2)

        def forward(self, inputs):
            return self.last(torch.tanh(self.filter(inputs[:, None])).flatten(1))

    rows = assert_rows_are_the_model(square_model(net=Convolution()))
    assert rows.fallback == "the network is not made of linear layers"


@pytest.mark.parametrize("loss", ["MAE", ["MSE", "MSE", "MAE"], lambda t, y: ((y - t) ** 4).mean()])
def test_losses_that_are_no_mean_of_squares_are_refused(loss):
    model = prepared(square_model(loss=loss))
    with pytest.raises(
        ValueError, match=r"Each loss term must be a mean of squared residuals, got"
    ):
        ModelRows(model)


def test_an_l1_regularisation_is_refused(problem):
    model = problem.poisson(net=problem.net(regularizer=("l1", 1e-3)))
    with pytest.raises(ValueError, match=r"regularisation must be 'l2' or none.*got 'l1'"):
        ModelRows(prepared(model))


def test_operator_learning_is_refused():
    net = dde.nn.DeepONetCartesianProd([3, 5], [1, 5], "tanh", "Glorot normal")
    branch, trunk = np.random.rand(4, 3), np.linspace(0, 1, 6)[:, None]
    data = dde.data.TripleCartesianProd(
        (branch, trunk), np.random.rand(4, 6), (branch, trunk), np.random.rand(4, 6)
    )
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3, verbose=0)
    with pytest.raises(ValueError, match="one array of inputs, got several"):
        ModelRows(prepared(model))


def test_dropout_is_refused():
    class Dropout(dde.nn.FNN):
        def forward(self, inputs):
            return torch.nn.functional.dropout(super().forward(inputs), 0.5)

    model = square_model(net=Dropout([2, 6, 2], "tanh", "Glorot normal"))
    with pytest.raises(ValueError, match="keep random numbers such as dropout out"):
        ModelRows(prepared(model))


def test_a_model_that_is_not_compiled_is_refused(problem):
    model = dde.Model(problem.poisson_data(), problem.net())
    with pytest.raises(ValueError, match="must be compiled"):
        ModelRows(model)


def test_mixed_precision_is_refused(problem, monkeypatch):
    model = problem.poisson()
    monkeypatch.setattr(dde.config, "mixed", True)
    with pytest.raises(ValueError, match=re.escape("got mixed precision")):
        ModelRows(model)
