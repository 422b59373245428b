"""Switches are true or false, and what is asked for as a list may come from a generator."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveLossWeights, AdaptiveWeights, LossAggregator, train_gauss_newton
from pinn_ext.networks import FieldNetwork
from pinn_ext.strategies import Gradients
from pinn_ext.systems import create
from solvers import operators, rk4

NAMES = ["heat", "wall"]
STATE = torch.ones(4, 2, dtype=torch.float64)


def items(*given):
    """Return a generator: it can be read once."""
    return (item for item in given)


def weights(strategy="ema", **settings):
    return AdaptiveLossWeights(NAMES, dict.fromkeys(NAMES, 1.0), strategy, **settings)


def update(strategy="ema", **given):
    return weights(strategy).update(1, {"heat": 1.0, "wall": 2.0}, **given)


def aggregator(strategy="ema", names=NAMES, **settings):
    return LossAggregator(strategy, names, **settings)


def decay(time, state):
    return -state


def model():
    line = dde.geometry.Interval(0, 1)
    data = dde.data.PDE(line, lambda x, y: dde.grad.hessian(y, x) - 1, [], 8, 2)
    own = dde.Model(data, dde.nn.FNN([1, 2, 1], "tanh", "Glorot normal"))
    own.compile("adam", lr=1e-3, verbose=0)
    return own


def grid(shape=(4,), lower=(0.0,), upper=(1.0,), **others):
    return operators.grid_graph(shape, lower, upper, **others)


ON_OR_OFF = {
    "prior of the class": lambda v: weights(prior=v),
    "prior of the aggregator": lambda v: aggregator(prior=v),
    "points_return": lambda v: aggregator(points_return=v),
    "rescale_moments": lambda v: AdaptiveWeights(rescale_moments=v),
    "diagnostics": lambda v: AdaptiveWeights(diagnostics=v),
    "conditions": lambda v: AdaptiveWeights("rba", options={"conditions": v}),
    "geodesic": lambda v: train_gauss_newton(model(), 1, geodesic=v),
    "disregard_previous_best": lambda v: train_gauss_newton(model(), 1, disregard_previous_best=v),
    "check": lambda v: rk4.rk4_step(decay, STATE, 0.0, 0.1, check=v),
    "compile": lambda v: rk4.rk4_step(decay, STATE, 0.0, 0.1, compile=v),
    "compile of integrate": lambda v: rk4.integrate(decay, STATE, 0.0, 1.0, 0.5, compile=v),
    "progress": lambda v: rk4.integrate(decay, STATE, 0.0, 1.0, 0.5, progress=v),
    "per_unit_time": lambda v: rk4.mismatch(STATE, STATE, 0.1, per_unit_time=v),
}


@pytest.mark.parametrize("value", ["no", 0.0, 2])
@pytest.mark.parametrize("name", ON_OR_OFF)
def test_a_switch_is_true_or_false(name, value):
    with pytest.raises(ValueError, match=rf"`(options\.)?{name.split()[0]}` must be true or false"):
        ON_OR_OFF[name](value)


OUT_OF_RANGE = {
    "progress": (lambda v: update(progress=v), ["half", float("nan"), -0.1, 1.5, True]),
    "switches": (lambda v: update(switches=v), ["no", -1, 0.5, True]),
    "ntk": (lambda v: update("ntk", ntk=v), ["ab", 3, [1.0, "b"], {"heat": 1.0, "wall": 1.0}]),
    "gradients": (lambda v: update("db_mtl", gradients=v), [3, [1.0, 2.0]]),
    "loss_names": (lambda v: AdaptiveLossWeights(v, {"a": 1.0}), [3, {"a", "b"}, "a"]),
    "conditions": (lambda v: weights(conditions=v), [3, "wall", [3], [["wall"]]]),
    "groups": (lambda v: weights(groups=v), [3, [NAMES], {3: NAMES}]),
    r"groups\['g'\]": (lambda v: weights(groups={"g": v}), [3, [["heat"]], items()]),
    "parameters": (lambda v: aggregator("db_mtl", parameters=v), [3, "net"]),
    "hidden": (lambda v: FieldNetwork(create("brusselator"), v), [3, "33", items()]),
    "callbacks": (lambda v: train_gauss_newton(model(), 1, callbacks=v), [3]),
    "verbose": (lambda v: train_gauss_newton(model(), 1, verbose=v), [1.7, "no"]),
    "save_at": (lambda v: rk4.integrate(decay, STATE, 0.0, 1.0, 0.5, save_at=v), [3]),
    "mask": (lambda v: rk4.mismatch(STATE, STATE, 0.1, mask=v), ["no"]),
    "shape": (lambda v: grid(v), [4]),
    "boundary": (lambda v: grid(boundary=v), [3]),
    "checkpoint_every": (
        lambda v: rk4.integrate(decay, STATE, 0.0, 1.0, 0.5, checkpoint_every=v),
        ["no", True],
    ),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, (_, values) in OUT_OF_RANGE.items() for value in values],
)
def test_what_is_no_list_or_number_is_refused_in_a_sentence(name, value):
    with pytest.raises(ValueError, match=rf"^`{name}` must .*, got .*\.$"):
        OUT_OF_RANGE[name][0](value)


def test_names_conditions_and_groups_may_be_generators():
    own = aggregator(
        "lr_annealing", items(*NAMES), conditions=items("wall"), groups={"all": items(*NAMES)},
        parameters=torch.nn.Linear(1, 1),
    )  # fmt: skip
    assert own.names == NAMES and own.manager.groups == {"all": NAMES}
    assert own.manager._conditions == [False, True]
    assert weights(conditions=items("wall", "heat"))._conditions == [True, True]
    assert AdaptiveWeights(groups={"all": items(*NAMES)}).settings.groups == {"all": NAMES}


def test_a_span_of_time_may_be_an_array_or_a_generator():
    for span in (np.array([0.0, 2.0]), items(0.0, 2.0), (0, 2)):
        assert aggregator("causal", time_span=span).points.span == (0.0, 2.0)
    for span in (3, "01", items(1.0), {0.0: 1.0, 2.0: 3.0}):
        with pytest.raises(ValueError, match="`time_span` must be a first and a last time"):
            aggregator("causal", time_span=span)


def test_point_strategies_see_conditions_of_a_generator():
    own = aggregator("rba", conditions=items("wall"))
    own({"heat": torch.ones(3, requires_grad=True), "wall": torch.ones(2)}, 0)
    assert list(own.points.last_factors()) == ["heat"]


def test_sizes_and_widths_may_be_generators():
    net = FieldNetwork(create("brusselator"), items(5, 6), scales=items(2.0, 3.0))
    widths = [layer.out_features for layer in net.layers if hasattr(layer, "out_features")]
    assert widths == [5, 6, 2]
    assert net.scales.tolist() == [2.0, 3.0]
    graph = operators.grid_graph(items(4, 5), items(0.0, 0.0), items(1.0, 1.0))
    assert graph.num_nodes == 20
    scaled = AdaptiveWeights("field_scale", field_scales=items(2.0), period=1, verbose=0)
    for _ in range(2):  # it is read at each training
        model().train(iterations=1, callbacks=[scaled], verbose=0)
    assert update("ntk", ntk=items(1.0, 3.0)) == update("ntk", ntk=np.array([1.0, 3.0]))


def test_one_tensor_may_stand_for_parameters():
    unknown = torch.tensor([1.0, 2.0], requires_grad=True)
    own = aggregator("gradient_balance", parameters=unknown)
    own({"heat": unknown.sum(), "wall": 2 * unknown.sum()}, 0)
    heat, wall = own.weights.tolist()
    assert heat > wall


def test_good_statistics_still_pass():
    rows = [[1.0], [2.0]]
    found = Gradients(rows, rows, rows, rows, [1], [True])
    assert update("db_mtl", gradients=found, progress=1, switches=np.int64(2))
