"""Steps go on bit for bit from a saved state; damaged ones are refused by their part."""

import math

import pytest
import torch

from solvers.quasi_newton import METHODS, QuasiNewton
from tests.solvers.quasi_newton.functions import F64, ill_conditioned, rosenbrock, valley
from tests.stored import stored


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("at", [0, 1, 7, 8, 19])
def test_it_goes_on_bit_for_bit(method, at):
    function, start = ill_conditioned(11)

    def stepper():
        return QuasiNewton(function, start, method=method)

    whole, first = stepper(), stepper()
    for _ in range(30):
        whole.step()
    for _ in range(at):
        first.step()
    saved = stored(first.state_dict())
    second = stepper()
    second.load_state_dict(saved)
    for _ in range(30 - at):
        second.step()
    assert torch.equal(second.x, whole.x) and second.cost == whole.cost
    assert torch.equal(second.inverse_hessian.dense(), whole.inverse_hessian.dense())
    assert (second.nfev, second.iterations) == (whole.nfev, whole.iterations)


def test_a_function_that_has_changed_is_seen():
    own = QuasiNewton(rosenbrock, valley(4))
    for _ in range(10):
        own.step()
    saved = stored(own.state_dict())

    def other(x):
        value, gradient = rosenbrock(x)
        return 2 * value, 2 * gradient

    again = QuasiNewton(other, valley(4))
    again.load_state_dict(saved)
    assert again.cost == 2 * own.cost and torch.equal(again.gradient, 2 * own.gradient)
    # In other units the curvature is that of the new function: the next step is the same.
    own.replace(other, rescale=True)
    assert own.step().alpha > 0
    for _ in range(60):
        again.step(1e-8)
    assert torch.allclose(again.x, torch.ones(4, dtype=F64), atol=1e-6)


def test_other_units_leave_the_step_as_it_is():
    plain, scaled = (QuasiNewton(rosenbrock, valley(4)) for _ in range(2))
    for _ in range(10):
        plain.step()
        scaled.step()
    scaled.replace(lambda x: tuple(1024 * part for part in rosenbrock(x)), rescale=True)
    plain.step()
    scaled.step()
    assert torch.allclose(plain.x, scaled.x, rtol=1e-9)


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        ("method", "bfgs"),
        ("x", [1.0, 1.0]),
        ("x", torch.ones(3, dtype=F64)),
        ("x", torch.tensor([math.nan, 1.0], dtype=F64)),
        ("cost", "x"),
        ("cost", math.inf),
        ("gradient", torch.ones(2, dtype=torch.int64)),
        ("direction", 3.0),
        ("scale", -1.0),
        ("past", "abc"),
        ("past", ["a"]),
        ("nfev", 1.5),
        ("iterations", -1),
        ("resets", True),
        ("inverse_hessian", {}),
    ],
)
def test_damaged_parts_are_named(part, bad):
    own = QuasiNewton(rosenbrock, valley(2))
    own.step()
    state = own.state_dict()
    with pytest.raises(ValueError, match=f"`{part}` of the saved state must"):
        own.load_state_dict({**state, part: bad})


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        ("factor", math.nan),
        ("array", torch.ones(2, dtype=F64)),
        ("array", torch.full((2, 2), math.nan, dtype=F64)),
        ("signs", [2.0, 1.0]),
        ("rows", torch.ones(5, 2, dtype=F64)),
    ],
)
def test_damaged_parts_of_the_matrix_are_named(part, bad):
    own = QuasiNewton(rosenbrock, valley(2))
    own.step()
    matrix = {**own.inverse_hessian.state_dict(), part: bad}
    with pytest.raises(ValueError, match=f"`{part}` of the saved state must"):
        own.load_state_dict({**own.state_dict(), "inverse_hessian": matrix})


def test_what_is_no_state():
    with pytest.raises(ValueError, match="`state` of the saved state must be a mapping of method"):
        QuasiNewton(rosenbrock, valley(2)).load_state_dict([])
