"""A stepper's saved state: what it returns is taken, each damaged part refused by its name."""

import copy
import math

import pytest
import torch

from solvers.gauss_newton import DAMPINGS, Stepper
from solvers.gauss_newton.residual_functions import FunctionProblem
from solvers.gauss_newton.saved_state import check_state
from tests.solvers.gauss_newton.rows import F64, rosenbrock


def stepper(damping="nielsen"):
    x = torch.tensor([-1.2, 1.0], dtype=F64)
    return Stepper(FunctionProblem(rosenbrock, x), x, damping=damping)


@pytest.mark.parametrize("damping", sorted(DAMPINGS))
def test_each_that_is_returned_is_taken(damping):
    own = stepper(damping)
    for _ in range(40):  # to the minimum and beyond, where falls are noted
        state = own.state_dict()
        check_state(state)
        other = stepper(damping)
        other.load_state_dict(copy.deepcopy(state))
        assert torch.equal(other.x, own.x)
        if own.cost == 0.0 or not own.step().accepted:
            break


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        ("x", [1.0, 1.0]),
        ("x", torch.tensor([1, 1])),
        ("x", torch.tensor([math.nan, 1.0])),
        ("cost", "x"),
        ("cost", -1.0),
        ("cost", math.inf),
        ("memory", None),
        ("memory", {"damping": "x"}),
        ("memory", {"damping": 1.0, "past": ["x"]}),
        ("scale", torch.ones(3, dtype=F64)),
        ("scale", -torch.ones(2, dtype=F64)),
        ("first_gradient", "x"),
        ("nfev", True),
        ("njev", -1),
        ("standstill", 3),
        ("standstill", [1.0]),
        ("standstill", [[1.0, math.nan]]),
        ("standstill", [[1.0]]),
    ],
    ids=str,
)
def test_damaged_ones_are_refused(part, bad):
    own = stepper()
    own.step()
    with pytest.raises(ValueError, match=part):
        stepper().load_state_dict({**own.state_dict(), part: bad})


@pytest.mark.parametrize("bad", [None, 3, {}, {"x": 1}])
def test_other_things_are_refused(bad):
    with pytest.raises(ValueError, match="`state` of the saved state must be a mapping"):
        stepper().load_state_dict(bad)
