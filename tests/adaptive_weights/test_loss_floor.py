"""`eps`: absolute where it is a number, from the first losses where it is None."""

import pytest
import torch

from pinn_ext import AdaptiveLossWeights, LossAggregator, strategies
from pinn_ext.adaptive_weights.settings import DEFAULTS, FOR_TRAINING

NAMES = ["heat", "wall", "start"]
STAGES = [{"strategy": "equal_init", "until_epoch": 2}, {"strategy": "ema"}]
LOSSES = {"heat": 0.5, "wall": 4e-3, "start": 3e-5}


def manager(strategy="ema", unit=1.0, epochs=0, **settings):
    weights = AdaptiveLossWeights(
        NAMES, dict.fromkeys(NAMES, 1.0), strategy, normalization="total", **settings
    )
    for epoch in range(1, epochs + 1):
        weights.update(epoch, {n: unit * loss / epoch for n, loss in LOSSES.items()})
    return weights


def near(weights):
    return [event.why for event in weights.events if "100 eps" in event.why]


@pytest.mark.parametrize("unit", [1e-60, 1e-12, 1e12])
@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("equal_init", None),
        ("ema", None),
        ("equal_init_ema", None),
        ("multi_stage", {"stages": STAGES}),
    ],
)
def test_weights_do_not_depend_on_the_unit_of_the_losses(strategy, options, unit):
    plain = manager(strategy, 1.0, 5, eps=None, options=options)
    scaled = manager(strategy, unit, 5, eps=None, options=options)
    assert scaled.get_weights() == pytest.approx(plain.get_weights(), rel=1e-12)
    assert near(scaled) == near(plain) == []
    assert scaled.eps == pytest.approx(1e-8 * unit * (0.5 * 4e-3 * 3e-5) ** (1 / 3))


def test_a_number_is_absolute_and_one_event_names_what_it_swallows():
    weights = manager("ema", 1e-5, 4)
    assert weights.eps == 1e-8
    # 100 eps is 1e-6: "wall" and "start" are below it from the first, "heat" never.
    (why,) = near(weights)
    assert "wall = 4e-08" in why and "start = 3e-10" in why and "heat" not in why
    later = manager("ema", 1e-3, 5)  # "wall", at 4e-6, passes 1e-6 in the fifth epoch
    first, second = near(later)
    assert "start" in first and "wall" not in first
    assert "start" not in second and "wall" in second


def test_strategies_without_eps_say_nothing_of_it():
    assert not hasattr(strategies.create("relobralo"), "eps")
    for strategy in ("fixed", "relobralo", "dwa"):
        assert near(manager(strategy, 1e-9, 3)) == []
    only_gradients = {"stages": [{"strategy": "gradient_balance"}]}
    weights = manager("multi_stage", options=only_gradients, eps=None)
    assert weights.needs == {"gradients"}


def test_losses_of_zero_are_no_part_of_the_mean_and_all_zeros_are_waited_out():
    weights = manager(eps=None)
    weights.update(1, dict.fromkeys(NAMES, 0.0))
    assert weights.eps is None and weights.updates == 0
    weights.update(2, {"heat": 4.0, "wall": 0.0, "start": 1.0})
    assert weights.eps == pytest.approx(2e-8)
    weights.update(3, {"heat": 4e9, "wall": 1e9, "start": 1e9})
    assert weights.eps == pytest.approx(2e-8)  # found once


def test_a_term_of_weight_zero_is_no_part_of_the_mean():
    names = {"a": 1.0, "b": 0.0}
    weights = AdaptiveLossWeights(list(names), names, "ema", eps=None)
    weights.update(1, {"a": 3.0, "b": 1e-20})
    assert weights.eps == pytest.approx(3e-8)
    assert weights.events == []


def test_it_belongs_to_the_state():
    first = manager(eps=None, epochs=2)
    again = manager(eps=None)
    again.load_state_dict(first.state_dict())
    assert again.eps == first.eps and again.method.eps == first.eps
    losses = {n: 1e-9 * loss for n, loss in LOSSES.items()}
    assert again.update(3, losses) == first.update(3, losses)
    assert again.events[-1:] == first.events[-1:] != []
    once_more = manager(eps=None)
    once_more.load_state_dict(first.state_dict())
    once_more.update(4, losses)
    assert near(once_more) == []  # said before the state was saved

    given = manager(eps=1e-3)
    given.load_state_dict(first.state_dict())
    assert given.eps == 1e-3


def test_states_without_it_go_on_with_the_former_constant():
    state = manager(eps=1e-8, epochs=2).state_dict()
    del state["eps"], state["near_eps"]
    again = manager(eps=None)
    again.load_state_dict(state)
    assert again.eps == again.method.eps == 1e-8


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eps", "1e-8"),
        ("eps", 0.0),
        ("eps", float("nan")),
        ("near_eps", ["nobody"]),
        ("near_eps", [[]]),
    ],
)
def test_damaged_states_are_refused(key, value):
    state = {**manager(epochs=1).state_dict(), key: value}
    with pytest.raises(ValueError, match=rf"saved {key}|must have {key}"):
        manager().load_state_dict(state)


def test_where_it_is_none():
    assert DEFAULTS.eps == 1e-8 and FOR_TRAINING.eps is None
    aggregator = LossAggregator("equal_init", ["a", "b"])
    x = torch.tensor(1e-12, requires_grad=True)
    aggregator({"a": x, "b": 50 * x}, 0)
    a, b = aggregator.weights.tolist()
    assert a / b == pytest.approx(50.0)
    absolute = LossAggregator("equal_init", ["a", "b"], eps=1e-8)
    absolute({"a": x, "b": 50 * x}, 0)
    assert absolute.weights[0] / absolute.weights[1] < 1.01
