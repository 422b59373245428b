"""Gradient diagnostics are of the raw losses, also where a strategy weighs points."""

import deepxde as dde
import pytest

from pinn_ext import AdaptiveWeights


def first_row(problem, strategy):
    """Return the first row of gradients and the raw losses of the same step."""
    model = problem.poisson()
    callback = AdaptiveWeights(strategy, period=1, diagnostics=True, verbose=0)
    problem.train(model, callback, iterations=1)
    return callback.gradient_history[0], callback.history[0]["losses"]


@pytest.mark.parametrize("strategy", ["rba", "sa_pinn", "brdr"])
def test_points_that_are_weighted_leave_the_diagnostics_raw(problem, strategy):
    wanted, losses = first_row(problem, "fixed")
    dde.config.set_random_seed(0)  # the same network and points
    found, same = first_row(problem, strategy)
    assert same == losses
    assert found["norms"] == pytest.approx(wanted["norms"], rel=1e-5)
    for own, other in zip(found["cosines"], wanted["cosines"], strict=True):
        assert own == pytest.approx(other, abs=1e-5)
