"""Who is the incumbent of `AdaptiveWeights("auto")`, and when there are no pilots at all."""

import deepxde as dde
import numpy as np
import pytest

from pinn_ext import AdaptiveWeights
from tests.dde.auto.test_pilots import auto, everything, same


def equal_fields(problem, source=3.0):
    """Return a model of two terms whose weighted gradients are 3-fold apart, or far more."""
    dde.config.set_random_seed(5)
    line = dde.geometry.Interval(0, 1)
    walls = dde.icbc.DirichletBC(line, lambda x: 0 * x[:, :1] + 1, lambda _, on: on)
    data = dde.data.PDE(line, lambda x, y: source * dde.grad.jacobian(y, x), [walls], 12, 2)
    model = dde.Model(data, problem.net())
    model.compile("adam", lr=1e-3, verbose=0)
    return model


@pytest.mark.parametrize("diagnosis", [True, False])
def test_where_gradients_are_of_like_size_there_are_no_pilots(problem, diagnosis):
    """Without the diagnosis the same training has pilots; with it, it is the incumbent's alone."""
    model = problem.train(
        equal_fields(problem), chooser := auto(options={"diagnosis": diagnosis}), iterations=60
    )
    blocks = [row for row in chooser.pilots if row["round"]]
    if not diagnosis:
        assert blocks and chooser.strategy != "auto"
        return
    assert not blocks and chooser.strategy == "fixed"
    assert "-fold apart" in chooser.choice and "seldom gain" in chooser.choice
    assert chooser.gradient_history == [] and "alignment" not in chooser.history[0]
    alone = equal_fields(problem)
    problem.train(alone, AdaptiveWeights("fixed", period=2, verbose=0), iterations=60)
    same(everything(model), everything(alone))


def test_where_gradients_differ_in_size_there_are_pilots(problem):
    chooser = auto(options={"diagnosis": True})
    problem.train(equal_fields(problem, source=1e3), chooser, iterations=60)
    assert any(row["round"] for row in chooser.pilots)


@pytest.mark.parametrize("options", [{"diagnosis": True}, {"candidates": ["gradient_balance"]}])
def test_saved_in_the_common_period_it_measures_what_the_others_read(problem, options):
    whole = auto(options=options)
    model = problem.train(equal_fields(problem), whole, iterations=60)
    expected, model = everything(model), equal_fields(problem)
    stop = problem.At("on_epoch_end", lambda n: setattr(model, "stop_training", True))
    problem.train(model, first := auto(options=options), stop, iterations=60)
    second = auto(options=options)
    second.load_state_dict(first.state_dict(), model)
    problem.train(model, second, iterations=59)
    same(everything(model), expected)
    assert second.choice == whole.choice
    rows = [[{**row, "seconds": 0} for row in callback.pilots] for callback in (second, whole)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(("size", "first"), [(9.0, "fixed"), (11.0, "field_scale")])
def test_field_scale_is_the_incumbent_where_fields_differ_in_size(problem, size, first):
    line = dde.geometry.Interval(0, 1)
    walls = [
        dde.icbc.DirichletBC(line, value, lambda _, on: on, component=i)
        for i, value in enumerate((lambda x: 0 * x[:, :1] + 1, lambda x: 0 * x[:, :1] + size))
    ]

    def slopes(x, y):
        return [dde.grad.jacobian(y, x, i=i) for i in (0, 1)]

    model = dde.Model(dde.data.PDE(line, slopes, walls, 12, 2), problem.net(outputs=2))
    model.compile("adam", lr=1e-3, verbose=0)
    problem.train(model, chooser := auto(), iterations=60)
    assert chooser.history[0]["candidate"] == first  # whose the common period is


def test_field_scale_that_changes_nothing_is_no_candidate(problem):
    """One term only: whatever its weight, it is that of `fixed`."""
    x = np.linspace(0, 1, 20, dtype=np.float32)[:, None]
    model = dde.Model(dde.data.DataSet(x, x**2, x, x**2), problem.net())
    model.compile("adam", lr=1e-2, verbose=0)
    problem.train(model, chooser := auto(), iterations=60)
    row = next(row for row in chooser.pilots if row["candidate"] == "field_scale")
    assert (row["round"], row["why"]) == (0, "it leaves the weights as they are, like fixed")
    assert chooser.history[0]["candidate"] == "fixed"
