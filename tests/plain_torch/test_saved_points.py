"""A damaged table of points is refused by the name of its part, and nothing is taken of it."""

import copy

import pytest
import torch

from pinn_ext import LossAggregator


@pytest.fixture
def state():
    aggregator = LossAggregator("rba", ["pde", "bc"], conditions=["bc"])
    rows = {"pde": torch.rand(6, requires_grad=True), "bc": torch.rand(3, requires_grad=True)}
    aggregator(rows, step=0)
    return aggregator.state_dict()


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        ("terms", "pde"),
        ("count", -1),
        ("count", 10**15),
        ("updated", "yes"),
        ("keys", torch.full((6,), 0.5)),
        ("keys", "x"),
        ("state", {"lambdas": torch.zeros(2, 1)}),
        ("state", {"lambdas": [1.0] * 6}),
        ("state", {}),
        ("state", 5),
    ],
    ids=str,
)
def test_refused(state, part, bad):
    damaged = copy.deepcopy(state)
    damaged["_extra_state"]["points"]["tables"][0][part] = bad
    other = LossAggregator("rba", ["pde", "bc"], conditions=["bc"])
    before = copy.deepcopy(other.state_dict())
    with pytest.raises(ValueError, match=r"points\.tables\.0"):
        other.load_state_dict(damaged)
    assert str(other.state_dict()) == str(before)


@pytest.mark.parametrize("bad", ["x", {}, {"strategy": "rba", "tables": 3}])
def test_other_things_than_tables(state, bad):
    damaged = copy.deepcopy(state)
    damaged["_extra_state"]["points"] = bad
    with pytest.raises(ValueError, match=r"saved state|points\.tables"):
        LossAggregator("rba", ["pde", "bc"], conditions=["bc"]).load_state_dict(damaged)
