"""`causal` on ordinary differential equations, whose geometry is the time itself."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveWeights
from pinn_ext.dde.model.row_points import time_span


def oscillator(first=2.0, last=6.0, **options):
    span = dde.geometry.TimeDomain(first, last)

    def equations(t, y):
        speed = dde.grad.jacobian(y, t, i=0) - y[:, 1:]
        force = dde.grad.jacobian(y, t, i=1) + y[:, :1]
        return [speed, force]

    starts = [
        dde.icbc.IC(span, lambda t: 1 + 0 * t, lambda _, on: on, component=0),
        dde.icbc.IC(span, lambda t: 0 * t, lambda _, on: on, component=1),
    ]
    data = dde.data.PDE(span, equations, starts, 24, 2)
    model = dde.Model(data, dde.nn.FNN([1, 6, 2], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0, **options)
    return model


def test_a_domain_of_time_is_the_span():
    assert time_span(oscillator().data) == (2.0, 6.0)
    line = dde.geometry.Interval(2, 6)  # of which it is a kind, but whose input is a place
    assert time_span(dde.data.PDE(line, lambda x, y: y, [], 4, 2)) is None


def test_early_points_count_first(problem):
    model = oscillator()
    adaptive = AdaptiveWeights(
        "causal", period=5, options={"chunks": 4, "epsilons": [0.5]}, verbose=0
    )
    seen = {}

    def look(_):
        table = adaptive._points._tables[0]
        first = sum(model.data.num_bcs)
        times = torch.as_tensor(model.train_state.X_train)[first:, 0]
        seen["weights"] = [
            table.last_factors[(times >= low) & (times < low + 1), 0].unique().tolist()
            for low in (2.0, 3.0, 4.0, 5.0)
        ]

    problem.train(model, adaptive, problem.At("on_batch_end", look), iterations=5)
    assert adaptive.stopped is None
    weights = [own for chunk in seen["weights"] for own in chunk]
    assert len(weights) == 4 and weights[0] == 1.0  # one a chunk of time
    assert np.all(np.diff(weights) < 0)


def test_space_alone_is_refused(problem):
    with pytest.raises(ValueError, match=r"time-dependent problem .* GeometryXTime or TimeDomain"):
        problem.train(problem.poisson(), AdaptiveWeights("causal", verbose=0))
