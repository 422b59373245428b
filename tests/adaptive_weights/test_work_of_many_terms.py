"""What terms cost grows with their number, not with its square: calls and comparisons, counted."""

import sys

import pytest
import torch

from pinn_ext import AdaptiveLossWeights, LossAggregator
from pinn_ext.adaptive_weights.checks import loss_names
from pinn_ext.strategies import Gradients


class Work:
    """Counts calls of functions, and comparisons of the names that it has made."""

    def __init__(self):
        self.done = 0
        work = self

        class Name(str):
            __slots__ = ()
            __hash__ = str.__hash__

            def __eq__(self, other):
                work.done += 1
                return str.__eq__(self, other)

        self.name = Name

    def names(self, count):
        return [self.name(f"term {i}") for i in range(count)]

    def of(self, act):
        """Return how much an act takes."""
        self.done = 0

        def tick(frame, event, argument):
            self.done += event in ("call", "c_call")

        former = sys.getprofile()
        sys.setprofile(tick)
        try:
            act()
        finally:
            sys.setprofile(former)
        return self.done


def manager(names, strategy="ema"):
    group = {"pair": names[:2]}
    return AdaptiveLossWeights(
        names, dict.fromkeys(names, 1.0), strategy, max_ratio=100.0, groups=group,
        conditions=names[: len(names) // 2],
    )  # fmt: skip


def losses_of(work, count):
    return {name: 1.0 + i % 7 for i, name in enumerate(work.names(count))}


def make(work, count):
    names = work.names(count)
    return lambda: manager(names)


def update(work, count):
    own, losses = manager(work.names(count)), losses_of(work, count)
    own.update(1, losses)
    return lambda: own.update(2, losses)


def first_update(work, count):
    own, losses = manager(work.names(count)), losses_of(work, count)
    return lambda: own.update(1, losses)


def update_by_gradients(work, count):
    own, losses = manager(work.names(count), "inverse_dirichlet"), losses_of(work, count)
    rows = [[1.0 + i] for i in range(len(own.units))]
    found = Gradients([[0.0]] * len(rows), rows, rows, rows, [1], [True])
    return lambda: own.update(1, losses, gradients=found)


def read(work, count):
    own, names = manager(work.names(count)), work.names(count)
    return lambda: [own.get_weight(name) for name in names]


def save(work, count):
    own = manager(work.names(count))
    own.update(1, losses_of(work, count))
    return lambda: own.load_state_dict(own.state_dict())


def step(work, count):
    aggregator = LossAggregator("ema", work.names(count))
    x = torch.ones((), requires_grad=True)
    losses = {name: value * x for name, value in losses_of(work, count).items()}
    return lambda: aggregator(losses, 0)


def step_of_points(work, count):
    aggregator = LossAggregator("rba", work.names(count))
    x = torch.ones(2, requires_grad=True)
    losses = dict.fromkeys(work.names(count), x)
    keys = dict.fromkeys(work.names(count), torch.arange(2))
    return lambda: aggregator(losses, 0, keys=keys)


ACTS = [make, first_update, update, update_by_gradients, read, save, step, step_of_points]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_four_times_the_terms_take_four_times_the_work(act):
    work = Work()
    act(work, 10)()  # what is imported at the first use does not count
    few, many = (work.of(act(work, count)) for count in (60, 240))
    assert many < 5.0 * few


def test_the_count_sees_a_square():
    work = Work()

    def slow(names):
        return lambda: [name for name in names if names.count(name) > 1]

    few, many = (work.of(slow(work.names(count))) for count in (60, 240))
    assert many > 12.0 * few


def test_names_that_come_twice_are_still_told():
    with pytest.raises(ValueError, match=r"must be distinct, got \['a', 'c'\] more than once"):
        loss_names(["c", "a", "b", "a", "c"])
