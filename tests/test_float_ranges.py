"""What a float type holds: the ends themselves, 0, and nothing beyond."""

import numpy as np
import pytest

from pinn_ext.checks import ArgumentError, check_fits, check_numbers_fit


@pytest.mark.parametrize("float_type", ["float32", "float64"])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_ends_are_those_of_numpy(float_type, sign):
    kind = np.finfo(float_type)
    for number in (float(kind.tiny), float(kind.max), 0.0, 1):
        assert check_fits("a", sign * number, float_type) == sign * number
    if float_type == "float32":
        for number in (float(kind.tiny) / 2, float(kind.max) * 2):
            with pytest.raises(ArgumentError, match="`a` must be a number that float32 holds"):
                check_fits("a", sign * number, float_type)


def test_a_whole_number_beyond_any_float():
    with pytest.raises(ArgumentError, match="that float64 holds"):
        check_fits("a", 10**400, "float64")
    assert check_fits("a", 10**400, "bfloat16") == 10**400  # unknown ones are not looked at


def test_powers_must_fit_too():
    assert check_fits("a", 1.8e19, "float32", power=2) == 1.8e19
    with pytest.raises(ArgumentError, match="`a` must have a power of 2 that float32 holds"):
        check_fits("a", 1.9e19, "float32", power=2)


class Options:
    def __init__(self, **given):
        vars(self).update(given)


def test_all_numbers_of_an_object_are_looked_at():
    check_numbers_fit(Options(name="x", switch=True, rate=0.5, steps=(1, 2.0)), "float32", "o")
    with pytest.raises(ArgumentError, match=r"`o\.rate` must be .* got 1e-40"):
        check_numbers_fit(Options(rate=1e-40), "float32", "o")
    with pytest.raises(ArgumentError, match=r"`o\.steps` must be .* got 1e\+40"):
        check_numbers_fit(Options(steps=[1.0, 1e40]), "float32", "o")
