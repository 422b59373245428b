"""The state of an aggregator: saved and restored bit for bit, refused where it does not fit."""

import copy

import pytest
import torch

from pinn_ext import LossAggregator
from tests.plain_torch.three_terms import (
    NAMES,
    SEEN_BY_GRADIENTS,
    constants,
    network,
    residuals_of,
    train,
    weights_of,
)


@pytest.mark.parametrize("strategy", [*SEEN_BY_GRADIENTS, "by_norm"])
@pytest.mark.parametrize("stop", [4, 5])
def test_a_saved_aggregator_continues_bit_for_bit(strategy, stop, tmp_path):
    def parts():
        net = network()
        more = {"period": 3, "total_steps": 12, "conditions": ["bc", "ic"]}
        return net, LossAggregator(strategy, NAMES, parameters=net, **more)

    net, aggregator = parts()
    train(net, aggregator, range(11))
    half, first = parts()
    optimizer = train(half, first, range(stop))
    saved = {"net": half, "aggregator": first, "optimizer": optimizer}
    torch.save({key: part.state_dict() for key, part in saved.items()}, tmp_path / "run.pt")
    train(half, first, range(stop, 11), optimizer=optimizer)

    state = torch.load(tmp_path / "run.pt", weights_only=True)
    again, second = parts()
    optimizer = torch.optim.Adam(again.parameters(), lr=1e-2)
    for key, part in {"net": again, "aggregator": second, "optimizer": optimizer}.items():
        part.load_state_dict(state[key])
    train(again, second, range(stop, 11), optimizer=optimizer)
    for own in (first, second):
        assert own.get_extra_state() == aggregator.get_extra_state()
        assert torch.equal(own.weights, aggregator.weights)
    for a, b in zip(again.parameters(), net.parameters(), strict=True):
        assert torch.equal(a, b)


def test_random_signs_are_saved():
    def kernels(aggregator, net, steps):
        for step in steps:
            residuals = residuals_of(net)
            losses = {name: r.square().mean() for name, r in residuals.items()}
            aggregator(losses, step, residuals)
        return weights_of(aggregator)

    net = network()
    make = lambda: LossAggregator("by_kernel", NAMES, parameters=net)  # noqa: E731
    first = make()
    kernels(first, net, range(3))
    second = make()
    second.load_state_dict(first.state_dict())
    assert kernels(first, net, range(3, 6)) == kernels(second, net, range(3, 6))


def test_saving_leaves_the_run_as_it_was_and_copies_stand_alone():
    one, other = (LossAggregator("ema", NAMES, period=4) for _ in range(2))
    for step in range(10):
        losses = constants(1.0 + step, 2.0, 3.0 / (1 + step))
        one(losses, step)
        other(losses, step)
        one.state_dict()
        clone = copy.deepcopy(one)
        clone(constants(100.0, 1.0, 1.0), step + 1)
    assert one.get_extra_state() == other.get_extra_state()
    in_double = LossAggregator("ema", NAMES, period=4).double()
    in_double.load_state_dict(one.state_dict())
    assert in_double.weights.tolist() == weights_of(one)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (lambda: LossAggregator("equal_init", NAMES), "must have strategy 'equal_init', got 'ema'"),
        (lambda: LossAggregator("ema", ["a", "b", "c"]), "must have loss_names .*got"),
        (lambda: LossAggregator("ema", ["pde", "bc"]), "must have loss_names .*got"),
    ],
)
def test_a_state_of_another_aggregator_is_refused(other, sentence):
    state = LossAggregator("ema", NAMES).state_dict()
    with pytest.raises(ValueError, match=sentence):
        other().load_state_dict(state)


def test_a_broken_state_is_refused():
    aggregator = LossAggregator("ema", NAMES)
    with pytest.raises(ValueError, match="The saved state must be of a LossAggregator, got None"):
        aggregator.set_extra_state(None)
    with pytest.raises(ValueError, match=r"The saved state must name exactly .*missing"):
        aggregator.set_extra_state({"manager": {}})
