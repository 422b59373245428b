"""What is loaded or published under `torch.inference_mode` can be trained with afterwards."""

import pytest
import torch

from pinn_ext import LossAggregator


def losses_of(x):
    return {"heat": 3 * x, "wall": (x - 2).square()}


def trained(aggregator, steps=3):
    x = torch.ones((), requires_grad=True)
    start = aggregator.next_step
    for step in range(start, start + steps):
        x.grad = None
        aggregator(losses_of(x), step).backward()
    return x.grad


def test_a_state_loaded_under_inference_mode_trains_on():
    first, again = (LossAggregator("ema", ["heat", "wall"], period=2) for _ in range(2))
    trained(first)
    with torch.inference_mode():
        again.load_state_dict(first.state_dict())
    assert not again.weights.is_inference()
    assert trained(again) == trained(first)


def test_an_aggregator_made_under_inference_mode_trains():
    with torch.inference_mode():
        aggregator = LossAggregator("equal_init", ["heat", "wall"])
    assert torch.isfinite(trained(aggregator))


@pytest.mark.parametrize("strategy", ["rba", "sa_pinn", "brdr"])
def test_factors_of_points_loaded_under_inference_mode_train_on(strategy):
    def total(aggregator, step):
        x = torch.linspace(0.1, 1.0, 5, requires_grad=True)
        loss = aggregator({"heat": x}, step)
        loss.backward()
        return loss.item()

    first, again, single = (LossAggregator(strategy, ["heat"]) for _ in range(3))
    total(first, 0)
    state = first.state_dict()
    with torch.inference_mode():
        again.load_state_dict(state)
        again.eval()({"heat": torch.ones(5)}, 0)  # an evaluation leaves none behind either
        single.points.load_state_dict(first.points.state_dict())
    again.train()
    expected = [total(first, step) for step in (1, 2)]
    assert [total(again, step) for step in (1, 2)] == expected
    assert [total(single, step) for step in (1, 2)] == expected
