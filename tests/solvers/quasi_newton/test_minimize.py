"""`minimize`: minima, ends in words, refusals, noise and precision."""

import itertools
import math

import numpy as np
import pytest
import scipy.optimize
import torch

from solvers import devices
from solvers.quasi_newton import METHODS, QuasiNewton, Status, memory, minimize
from tests.solvers.quasi_newton.functions import (
    F64,
    ill_conditioned,
    quadratic,
    rosenbrock,
    valley,
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 5, 12])
@pytest.mark.parametrize("scaled", [False, True])
def test_exact_searches_end_on_a_quadratic_after_n_steps(method, n, scaled):
    """Directions of Broyden's class are conjugate then, whatever the factors."""
    function, minimum = quadratic(n, 50.0)
    found = minimize(
        function,
        torch.zeros(n, dtype=F64),
        method,
        gtol=0.0,
        max_iterations=n,
        curvature=1e-4 + 1e-9,
        initial_scaling=scaled,
    )
    exact = minimize(
        function, torch.zeros(n, dtype=F64), method, max_iterations=n, decrease=1e-12,
        curvature=1e-9, gtol=0.0, initial_scaling=scaled,
    )  # fmt: skip
    assert torch.allclose(exact.x, minimum, atol=1e-6)
    assert exact.cost < 1e-11
    assert found.cost < 1.0


@pytest.mark.parametrize("method", METHODS)
def test_rosenbrock(method):
    found = minimize(rosenbrock, valley(10), method)
    assert found.success and found.status is Status.GTOL
    assert torch.allclose(found.x, torch.ones(10, dtype=F64), atol=1e-7)
    assert found.message == "The gradient is small: its largest entry is at most `gtol`."
    rows = found.history
    assert len(rows) == found.iterations and rows[-1]["nfev"] == found.nfev
    assert rows[-1]["optimality"] == found.optimality <= 1e-8
    assert all(row["cost"] <= before["cost"] for before, row in itertools.pairwise(rows))


def test_as_few_evaluations_as_scipy():
    def function(x):
        value, gradient = rosenbrock(torch.tensor(x))
        return value.item(), gradient.numpy()

    theirs = scipy.optimize.minimize(function, valley(10).numpy(), jac=True, method="BFGS")
    ours = minimize(rosenbrock, valley(10), "bfgs", gtol=1e-5)
    assert np.allclose(theirs.x, ours.x, atol=1e-4)
    assert ours.nfev <= 1.3 * theirs.nfev


def test_self_scaling_pays_where_scales_differ():
    function, start = ill_conditioned()
    taken = {method: minimize(function, start, method, gtol=1e-6).nfev for method in METHODS}
    assert taken["ssbroyden"] < 0.8 * taken["bfgs"], taken


# ---- rounding, noise, values that are not finite ------------------------------------------------


def test_slopes_lead_beyond_what_values_can_tell():
    """At a minimum of 1 values see errors of 1e-8 only."""
    function, minimum = quadratic(20, 1e3, least=1.0)
    found = minimize(function, torch.zeros(20, dtype=F64), gtol=1e-11)
    assert found.status is Status.GTOL
    assert (found.x - minimum).norm() < 1e-10 * minimum.norm()


def test_rounding_is_said():
    function, minimum = quadratic(20, 1e3, least=1.0)
    found = minimize(function, torch.zeros(20, dtype=F64), gtol=0.0)
    assert found.status is Status.PRECISION and found.success
    assert "rounding" in found.message
    assert (found.x - minimum).norm() < 1e-9 * minimum.norm()


def test_a_function_in_float32():
    function, minimum = quadratic(10, 100.0, least=1.0)

    def single(x):
        value, gradient = function(x.float().double())
        return value.float(), gradient.float()

    found = minimize(single, torch.zeros(10), gtol=0.0)
    assert found.x.dtype == F64 and found.status is Status.PRECISION
    assert (found.x - minimum).norm() < 1e-3 * minimum.norm()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_trials_that_are_not_finite(bad):
    """The minimum of x - log x is next to a wall where there is no logarithm."""
    outside = []

    def barrier(x):
        if bool((x <= 0).any()):
            outside.append(1)
            return torch.tensor(bad), torch.full_like(x, bad)
        return (x - 0.01 * torch.log(x)).sum(), 1 - 0.01 / x

    found = minimize(barrier, torch.full((4,), 5.0, dtype=F64))
    assert outside and found.success
    assert torch.allclose(found.x, torch.full((4,), 0.01, dtype=F64), rtol=1e-5)


def test_only_the_start_is_finite():
    def alone(x):
        inside = bool((x == 1).all())
        return (x.sum() if inside else torch.tensor(math.nan)), torch.ones_like(x)

    found = minimize(alone, [1.0, 1.0])
    assert found.status is Status.NONFINITE and not found.success
    assert found.x.tolist() == [1.0, 1.0] and "NaN or infinite" in found.message


def test_a_gradient_that_lies():
    found = minimize(lambda x: ((x**2).sum(), -2 * x), [1.0, 2.0])
    assert found.status is Status.STALLED and not found.success
    assert found.x.tolist() == [1.0, 2.0]


def test_curvature_that_misleads_is_given_up():
    """A function that is replaced by its mirror image, for which all that was learnt is wrong."""
    function, minimum = quadratic(6, 100.0)
    stepper = QuasiNewton(function, torch.zeros(6, dtype=F64))
    for _ in range(8):
        stepper.step()
    stepper.inverse_hessian.load_state_dict({
        **stepper.inverse_hessian.state_dict(), "factor": -stepper.inverse_hessian.factor,
    })  # fmt: skip
    stepper._direction = None
    assert stepper.step().accepted
    assert stepper.resets == 1
    for _ in range(40):
        stepper.step(1e-9)
    assert torch.allclose(stepper.x, minimum, atol=1e-6)


# ---- ends ---------------------------------------------------------------------------------------


def test_limits():
    start = valley(4)
    at_once = minimize(rosenbrock, start, max_iterations=0)
    assert at_once.status is Status.MAX_ITERATIONS and torch.equal(at_once.x, start)
    assert minimize(rosenbrock, start, max_iterations=3).iterations == 3
    few = minimize(rosenbrock, start, max_nfev=9)
    assert few.status is Status.MAX_NFEV and few.nfev == 9 and not few.success
    assert minimize(rosenbrock, torch.ones(4, dtype=F64)).status is Status.GTOL


def test_callbacks_and_ctrl_c():
    seen = []

    def stop(solution):
        seen.append(solution.cost)
        return len(seen) == 3

    def stop_by_exception(solution):
        raise StopIteration

    found = minimize(rosenbrock, valley(4), callback=stop)
    assert found.status is Status.CALLBACK and found.iterations == 3 and seen[-1] == found.cost
    assert minimize(rosenbrock, valley(4), callback=stop_by_exception).iterations == 1

    def interrupted(x):
        if len(calls) == 12:
            raise KeyboardInterrupt
        calls.append(x.clone())
        return rosenbrock(x)

    calls = []
    found = minimize(interrupted, valley(4))
    assert found.status is Status.INTERRUPTED
    assert any(torch.equal(found.x, x) for x in calls)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "dfp"}, "`method` must be one of ssbroyden, ssbfgs, bfgs, got 'dfp'"),
        ({"gtol": -1.0}, "`gtol` must be a number of at least 0"),
        ({"max_iterations": 2.5}, "`max_iterations` must be None or a whole number"),
        ({"max_nfev": "1"}, "`max_nfev` must be None or a whole number"),
        ({"curvature": 1e-5}, "`decrease` and `curvature` must be"),
        ({"initial_scaling": 1}, "`initial_scaling` must be true or false"),
        ({"memory_limit_gb": 0}, "`memory_limit_gb` must be positive"),
        ({"callback": 3}, "`callback` must be None or a function"),
        ({"x0": [[1.0]]}, "`x0` must be a vector"),
        ({"x0": []}, "`x0` must be a vector"),
        ({"x0": ["a"]}, "`x0` must be a vector of numbers"),
        ({"x0": [1.0, math.nan]}, "`x0` must be finite, got NaN or infinity in 1 of 2"),
        ({"fun_and_grad": 3}, "`fun_and_grad` must be a function"),
        ({"fun_and_grad": lambda x: (x.sum(), x[:1])}, r"gradient must be a vector \[2\]"),
        ({"fun_and_grad": lambda x: (math.nan, x)}, "must be finite to start from"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        minimize(**{"fun_and_grad": rosenbrock, "x0": [1.0, 2.0], **arguments})


# ---- memory -------------------------------------------------------------------------------------


def test_memory_is_said_before_anything_is_allocated():
    calls = []
    with pytest.raises(MemoryError) as caught:
        minimize(lambda x: calls.append(x), torch.zeros(20_000), memory_limit_gb=2.0)
    text = str(caught.value)
    assert "20,000 parameters" in text and "3,206,400,000 bytes" in text
    assert "got 2 GiB" in text and "L-BFGS" in text and not calls


def test_what_is_free_is_the_limit(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda device: 1e4)
    with pytest.raises(MemoryError, match=r"inverse Hessian of 40 parameters"):
        minimize(rosenbrock, valley(40))
    assert minimize(rosenbrock, valley(4)).success
    assert devices.available_memory(torch.device("cpu")) > 1e6


def test_memory_that_runs_out_is_told():
    def full(x):
        if (x != valley(2)).any():
            raise RuntimeError("DefaultCPUAllocator: tried to allocate 800 bytes")
        return rosenbrock(x)

    with pytest.raises(MemoryError, match=r"Memory ran out with 2 parameters, tried to allocate"):
        minimize(full, valley(2))


def writes_to_x(x):
    x -= 3.0
    return x.square().sum(), 2 * x


def through_grad(x):
    x.requires_grad_()
    value = (x - 3.0).square().sum()
    value.backward()
    return value.detach(), x.grad


class OneBuffer:
    def __init__(self):
        self.gradient = torch.empty(2, dtype=F64)

    def __call__(self, x):
        torch.mul(x - 3.0, 2.0, out=self.gradient)
        return (x - 3.0).square().sum(), self.gradient


@pytest.mark.parametrize("function", [writes_to_x, through_grad, OneBuffer()])
def test_what_a_function_does_with_its_vectors_is_its_own_business(function):
    start = torch.tensor([0.0, 1.0], dtype=F64)
    found = minimize(function, start)
    assert found.success and found.x.tolist() == pytest.approx([3.0, 3.0])
    assert not found.x.requires_grad and start.tolist() == [0.0, 1.0]
    assert found.nfev == minimize(lambda x: ((x - 3).square().sum(), 2 * (x - 3)), start).nfev


@pytest.mark.parametrize("made", [np.asarray, list, tuple])
def test_a_gradient_may_be_of_numpy_or_plain_numbers(made):
    def function(x):
        value, gradient = rosenbrock(x)
        return float(value), made(gradient.numpy())

    one, other = (minimize(own, [-1.2, 1.0]) for own in (function, rosenbrock))
    assert torch.equal(one.x, other.x) and one.nfev == other.nfev


@pytest.mark.parametrize(
    ("gradient", "got"),
    [(None, "None"), ("ab", "'ab'"), ([1.0, 2.0, 3.0], r"\[3\]"), (3.0, "3.0")],
)
def test_a_gradient_of_another_kind_is_refused(gradient, got):
    with pytest.raises(ValueError, match=rf"must be a vector \[2\], got {got}\.$"):
        minimize(lambda x: (x.sum(), gradient), [0.0, 1.0])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_differentiates_within_an_evaluation(mode):
    with mode():
        found = minimize(through_grad, torch.tensor([0.0, 1.0]))
    assert found.x.tolist() == pytest.approx([3.0, 3.0])
