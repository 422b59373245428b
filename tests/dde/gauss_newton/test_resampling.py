"""Points that are drawn again during the training, and too few of them."""

import itertools
import re

import deepxde as dde
import numpy as np
import pytest
import torch

from tests.dde.gauss_newton.small_models import LINE, equation, error, poisson, train


class Points(dde.callbacks.Callback):
    """Keeps the training points of each iteration."""

    def init(self):
        self.seen = []

    def on_batch_end(self):
        self.seen.append(self.model.train_state.X_train.copy())

    def changes(self):
        """Return the iterations at which points are other ones than before."""
        pairs = enumerate(itertools.pairwise(self.seen), 2)
        return [i for i, (a, b) in pairs if not np.array_equal(a, b)]


@pytest.mark.parametrize("distribution", ["pseudo", "Hammersley"])
def test_points_are_drawn_anew(distribution, capsys):
    walls = dde.icbc.DirichletBC(LINE, lambda x: 0 * x[:, :1], lambda _, on: on)
    data = dde.data.PDE(LINE, equation, [walls], 60, 2, train_distribution=distribution)
    model, points = poisson(data=data), Points()
    train(model, 14, points, resample_every=4, verbose=1)
    assert points.changes() == [5, 9, 13]
    assert not set(points.seen[0][4:, 0]) & set(points.seen[-1][4:, 0])
    # DeepXDE may take the values of conditions from its cache: these points must stay.
    assert all(np.array_equal(x[:2], points.seen[0][:2]) for x in points.seen)
    assert data.train_distribution == distribution and error(model) < 3e-2
    told = "Hammersley points are the same at each draw" in capsys.readouterr().out
    assert told == (distribution == "Hammersley")


def test_deepxdes_resampler():
    walls = dde.icbc.DirichletBC(LINE, lambda x: 0 * x[:, :1], lambda _, on: on)
    data = dde.data.PDE(LINE, equation, [walls], 60, 2, train_distribution="pseudo")
    model, points = poisson(data=data), Points()
    train(model, 12, dde.callbacks.PDEPointResampler(period=5), points)
    assert points.changes() == [6, 11] and error(model) < 3e-2


def test_data_that_cannot_draw_points_are_refused(problem):
    with pytest.raises(
        ValueError, match=r"`resample_every` must be 0 for data.*\(DataSet\), got 3"
    ):
        train(problem.fit(), 5, resample_every=3)


def test_few_points_are_warned_of():
    with pytest.warns(RuntimeWarning, match="16 residual rows for 19 parameters") as caught:
        train(poisson(points=12), 1)
    assert caught[0].filename == train.__code__.co_filename
    net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
    net.regularizer = ("l2", 1e-6)  # whose rows say nothing of the equation
    with pytest.warns(RuntimeWarning, match="16 residual rows for 19 parameters"):
        train(poisson(points=12, net=net), 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("options", [{}, {"resample_every": 1}])
def test_many_points_or_new_ones_are_not_warned_of(options):
    train(poisson(points=12 if options else 60), 1, **options)


def test_new_points_may_have_no_finite_residual(capsys):
    good = np.linspace(0, 1, 62)[:, None]

    def picky(x, y):
        return equation(x, y) + 0 * torch.sqrt(1.5 - x)

    model = poisson(picky, net=dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal"))
    points = iter([good] * 6 + [2 * good] * 10)
    model.data.train_next_batch = lambda batch_size=None: (
        np.vstack([[[0.0], [1.0]], next(points)]),
        None,
        None,
    )
    train(model, 10, verbose=1)
    assert model.train_state.step == 5
    assert re.search(
        r"ended after 5 iterations: the residuals must be finite.*in \d+ of 62 rows of pde_1",
        capsys.readouterr().out,
    )
    assert all(parameter.isfinite().all() for parameter in model.net.parameters())
