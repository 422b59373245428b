"""Options of least squares of a wrong kind or out of range: one sentence that names them."""

import numpy as np
import pytest
import torch

from solvers import least_squares

NAN = float("nan")


def shifted(x):
    return x - 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("geodesic", ["no", 1, 0.0, [True]]),
        ("ftol", ["a", True, -1.0, NAN, [1e-8], float("inf")]),
        ("xtol", ["a", True, -1.0, NAN]),
        ("gtol", ["a", True, -1.0, NAN]),
        ("max_nfev", ["a", True, -1, 2.5, NAN]),
        ("max_iterations", ["a", True, -1, 2.5, NAN]),
        ("memory_limit_gb", ["a", True, 0, -1.0, NAN]),
        ("chunk_rows", ["a", True, 0, 2.5, NAN]),
        ("diff_step", ["a", True, 0, -1.0, NAN, float("inf")]),
        ("f_scale", ["a", True, 0, -1.0, NAN, float("inf")]),
        ("callback", [3, "print"]),
    ],
)
def test_a_wrong_option_is_named(name, values):
    more = {"jac": "2-point"} if name == "diff_step" else {}
    for value in values:
        with pytest.raises(ValueError, match=f"^`{name}` must be .*, got ") as caught:
            least_squares(shifted, [3.0], **{name: value}, **more)
        assert len(str(caught.value)) < 150


@pytest.mark.parametrize("number", [np.float32(1e-6), np.float64(1e-6), 0, np.int64(0), None])
def test_numbers_of_any_kind_are_taken(number):
    assert least_squares(shifted, [3.0], ftol=number).success


@pytest.mark.parametrize("limit", [50, 50.0, np.int64(50), float("inf"), None])
def test_limits_are_whole_or_infinite(limit):
    assert least_squares(shifted, [3.0], max_nfev=limit, max_iterations=limit).success


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, [1.0]), "`residual` must be a function, got 3"),
        ((shifted, "a"), "`x0` must be a vector of numbers, got 'a'"),
        ((shifted, None), "`x0` must be a vector of numbers, got None"),
        ((lambda x: "x", [1.0]), "`residual` must return a vector of numbers, got a str"),
        ((lambda x: None, [1.0]), "`residual` must return a vector of numbers, got a NoneType"),
    ],
)
def test_what_is_minimised_from_where(arguments, message):
    with pytest.raises(ValueError, match=message):
        least_squares(*arguments)


def test_the_residual_may_be_a_number():
    fit = least_squares(lambda x: torch.sin(x[0]), [0.3])
    assert fit.success and abs(float(fit.x)) < 1e-8
