"""Points of conditions that compare pairs are known again when they are drawn anew."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveWeights
from pinn_ext.dde.model.row_points import row_points

LINE = dde.geometry.Interval(-1, 1)
IN_TIME = dde.geometry.GeometryXTime(LINE, dde.geometry.TimeDomain(0, 1))
SQUARE = dde.geometry.Rectangle([0, 0], [1, 1])


def always(x, on_boundary):
    return on_boundary


def equation(x, y):
    return dde.grad.jacobian(y, x, i=0, j=0)


def model_on(geometry, condition, outputs=1, **data):
    kind = dde.data.TimePDE if geometry is IN_TIME else dde.data.PDE
    own = kind(geometry, equation, [condition], 30, 16, **data)
    net = dde.nn.FNN([geometry.dim, 6, outputs], "tanh", "Glorot normal")
    model = dde.Model(own, net)
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def train(model, strategy="sa_pinn", steps=8, **options):
    resampler = dde.callbacks.PDEPointResampler(period=2, bc_points=True)
    adaptive = AdaptiveWeights(strategy, options=options, verbose=0)
    model.train(iterations=steps, callbacks=[adaptive, resampler], verbose=0)
    return adaptive


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("geometry", [LINE, IN_TIME], ids=["line", "time"])
def test_periodic_conditions_are_weighed_while_points_are_drawn_anew(geometry, order):
    dde.config.set_random_seed(1)
    condition = dde.icbc.PeriodicBC(geometry, 0, always, derivative_order=order)
    train(model_on(geometry, condition))


def test_both_ends_of_a_line_keep_their_weights_through_resampling():
    dde.config.set_random_seed(1)
    condition = dde.icbc.PeriodicBC(LINE, 0, always)
    model = model_on(LINE, condition)
    adaptive = AdaptiveWeights("sa_pinn", options={"rate": 1e-9, "ascent": "gradient"}, verbose=0)
    model.train(iterations=1, callbacks=[adaptive], verbose=0)

    def factors():
        """Return the factors of the condition by the first point of each pair, in order."""
        state = adaptive.state_dict()["points"]["tables"][1]
        rows = state["state"]["lambdas"][:, 0].tolist()
        return dict(zip(state["keys"].tolist(), rows, strict=True))

    before = factors()
    assert len(before) == 16  # one for each residual, not for each point
    model.data.resample_train_points(True, True)
    model.train(iterations=1, callbacks=[adaptive], verbose=0)
    after = factors()
    # Each is at -1 or at 1; of how many there are at an end, the lesser number stays.
    stayed = before.keys() & after.keys()
    assert len(stayed) >= 8
    assert [after[key] for key in stayed] == pytest.approx([before[key] for key in stayed])


def test_a_pair_is_known_by_its_first_point():
    model = model_on(IN_TIME, dde.icbc.PeriodicBC(IN_TIME, 0, always))
    inputs = torch.as_tensor(model.data.train_x)
    points = row_points(model.data, 1, 2, inputs)
    (count,) = model.data.num_bcs
    assert torch.equal(points, inputs[: count // 2])
    assert row_points(model.data, 0, 2, inputs).shape == (len(inputs) - count, 2)


@pytest.mark.skipif(
    np.linspace(np.float32(0), np.float32(1), 2).dtype == np.float64,
    reason="with NumPy 1, DeepXDE's uniform boundary points of a rectangle are float64",
)
def test_an_interface_is_a_condition_of_pairs_too():
    def left(x, on_boundary):
        return on_boundary and x[0] == 0

    def right(x, on_boundary):
        return on_boundary and x[0] == 1

    condition = dde.icbc.Interface2DBC(SQUARE, lambda x: 0 * x[:, :1], left, right)
    model = model_on(SQUARE, condition, 2, train_distribution="uniform")
    adaptive = train(model)
    assert adaptive.stopped is None


def test_another_number_of_residuals_is_refused_with_both_numbers():
    class Means(dde.icbc.DirichletBC):
        def error(self, X, inputs, outputs, beg, end, aux_var=None):
            return outputs[beg:end].reshape(2, -1).mean(0)[:, None]

    model = model_on(LINE, Means(LINE, lambda x: 0 * x, always))
    with pytest.raises(ValueError, match=r"got 8 residuals for 16 points of 'means_1' in PDE\.$"):
        train(model)
