"""Rows in blocks: from pieces of the points the same rows, Jacobian, gradients and curvatures."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext.dde.model import block_rows
from pinn_ext.dde.model.block_rows import BlockRows
from pinn_ext.dde.model.residual_rows import ModelRows
from tests.dde.model.test_residual_rows import CONDITIONS, coupled, prepared, square_model


@pytest.fixture(autouse=True)
def small_pieces(clean_deepxde, monkeypatch):
    dde.config.set_default_float("float64")
    monkeypatch.setattr(block_rows, "_POINTS", 6)
    monkeypatch.setattr(block_rows, "rows_of_block", lambda columns: 4)


def assert_blocks_are_the_rows(model, pieces):
    """All is that of `ModelRows`, twice, at other parameters too."""
    whole, rows = ModelRows(prepared(model)), BlockRows(model)
    assert rows.num_pieces == 0
    rows.expect_blocks(True)
    assert rows.num_pieces == pieces
    x = whole.get()
    for _ in range(2):
        residual, jacobian = whole.linearize(x)
        scale = jacobian.abs().max()
        assert torch.allclose(rows.residual(x), residual, rtol=1e-9, atol=1e-12)
        found = torch.zeros_like(jacobian)
        for numbers, block in rows.blocks(x):
            found[numbers] += block
        assert (found - jacobian).abs().max() <= 1e-11 * scale
        w = torch.rand_like(residual)
        assert torch.allclose(rows.pull(x, w), jacobian.T @ w, rtol=1e-8, atol=1e-10)
        ours, theirs = (np.array(each.curvatures, dtype=float) for each in (rows, whole))
        assert np.allclose(ours, theirs, rtol=1e-9, equal_nan=True)
        x = x + 0.1
    assert all(tensor.requires_grad for tensor in rows.tensors)
    assert model.data.pde is not None and len(model.data.bcs) == len(model.data.num_bcs)
    return rows


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_of_every_kind(name):
    model = square_model([name])
    inside = len(model.data.train_x_all)
    assert_blocks_are_the_rows(model, -(-inside // 6) + 1)


def test_several_conditions_and_weights_and_a_regularisation():
    net = dde.nn.FNN([2, 6, 5, 2], "tanh", "Glorot normal")
    net.regularizer = ("l2", 1e-2)
    model = square_model(["dirichlet", "point set"], net=net, loss_weights=[1.0, 0.0, 3.0, 0.5])
    rows = assert_blocks_are_the_rows(model, 5)
    model.loss_weights = [2.0, 1.0, 1.0, 1.0]
    rows.reweigh()
    x = rows.get()
    whole = ModelRows(model)
    assert torch.allclose(rows.residual(x), whole.residual(x), rtol=1e-9, atol=1e-12)


def test_no_conditions():
    model = square_model([])
    assert_blocks_are_the_rows(model, -(-len(model.data.train_x_all) // 6))


def test_time_auxiliary_values_targets_and_an_unknown():
    k = dde.Variable(0.3)
    line = dde.geometry.GeometryXTime(dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1))

    def pde(x, y, aux):
        return dde.grad.jacobian(y, x, i=0, j=1) - k * dde.grad.hessian(y, x) + aux[:, :1]

    data = dde.data.TimePDE(
        line, pde, [dde.icbc.IC(line, lambda x: np.sin(x[:, :1]), lambda _, on: on)], 20, 6, 8,
        auxiliary_var_function=lambda x: np.cos(x[:, :1] + x[:, 1:]),
        solution=lambda x: x[:, :1] * x[:, 1:],
    )  # fmt: skip
    model = dde.Model(data, dde.nn.FNN([2, 6, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, external_trainable_variables=[k])
    rows = assert_blocks_are_the_rows(model, 7)
    assert rows.fallback is None


def mean_of_all(x, y):
    u = y[:, :1]
    return dde.grad.jacobian(y, x, i=0, j=0) - u.mean() + x[:, :1]


def test_points_that_hang_together_are_evaluated_together():
    assert_blocks_are_the_rows(square_model(pde=mean_of_all), 1)


def test_data_of_another_class_is_evaluated_at_once():
    data = dde.data.DataSet(
        X_train=np.random.rand(9, 2), y_train=np.random.rand(9, 2),
        X_test=np.random.rand(3, 2), y_test=np.random.rand(3, 2),
    )  # fmt: skip
    model = dde.Model(data, dde.nn.FNN([2, 6, 5, 2], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    whole, rows = ModelRows(prepared(model)), BlockRows(model)
    rows.expect_blocks(True)
    assert rows.num_pieces == 1
    x = rows.get()
    found = torch.cat([block.clone() for _, block in rows.blocks(x)])
    jacobian = whole.linearize(x)[1]
    order = torch.cat([numbers for numbers, _ in rows.blocks(x)])
    assert torch.allclose(found[order.argsort()], jacobian, rtol=1e-10, atol=1e-12)


def test_a_stand_in_for_the_losses_sees_all_points():
    model = square_model()
    own = model.data.losses_train
    model.data.losses_train = lambda *args, **options: own(*args, **options)
    rows = BlockRows(prepared(model))
    rows.expect_blocks(True)
    assert rows.num_pieces == 1
    assert torch.allclose(rows.residual(rows.get()), ModelRows(model).residual(rows.get()))


def test_other_points_are_cut_again():
    model = square_model(pde=coupled)
    rows = BlockRows(prepared(model))
    rows.expect_blocks(True)
    before = rows.num_pieces
    model.data.num_domain = 30
    model.data.resample_train_points(bc_points=False)
    model.train_state.set_data_train(*model.data.train_next_batch())
    rows.refresh()
    rows.expect_blocks(True)
    assert rows.num_pieces > before
    x = rows.get()
    assert torch.allclose(rows.residual(x), ModelRows(model).residual(x), rtol=1e-9, atol=1e-12)


def test_nothing_is_cut_where_all_evaluations_are_listened_to():
    rows = BlockRows(prepared(square_model()), in_pieces=False)
    rows.expect_blocks(True)
    assert rows.num_pieces == 1


@pytest.mark.parametrize("name", ["dirichlet", "point set of both"])
def test_many_new_points_are_looked_at_in_pieces(name, monkeypatch):
    monkeypatch.setattr(block_rows, "_MANY", 1)
    model = square_model([name])
    wanted = ModelRows(prepared(model))
    rows = BlockRows(model)
    assert (rows.sizes, rows.names, rows.num_rows) == (wanted.sizes, wanted.names, wanted.num_rows)
    x = rows.get()
    assert torch.equal(rows.residual(x), wanted.residual(x)), "the whole way is what it was"


def test_many_new_points_are_refused_as_few_are(monkeypatch):
    monkeypatch.setattr(block_rows, "_MANY", 1)
    with pytest.raises(ValueError, match=r"must be a mean of squared residuals.*pde_1"):
        BlockRows(prepared(square_model(loss="MAE")))

    def bad(x, y):
        return y[:, :1] / (x[:, :1] > 0.5)

    with pytest.raises(ValueError, match=r"got NaN or infinity in \d+ of \d+ rows of pde_1"):
        BlockRows(prepared(square_model(pde=bad)))
