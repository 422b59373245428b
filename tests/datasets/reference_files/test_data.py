"""Times of a reference, its samples, and the error of other fields."""

import numpy as np
import pytest

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.reference_files import FieldErrors, ReferenceData, field_errors

draw = np.random.default_rng(0)
T = np.array([0.0, 0.1, 0.3])
STEADY = ReferenceData(draw.random((5, 2)), T, *draw.random((2, 3, 5)), source="a.csv")
MOVING = ReferenceData(draw.random((6, 2)), T[[0, 0, 1, 1, 1, 2]], *draw.random((2, 6)))
both = pytest.mark.parametrize("data", [STEADY, MOVING], ids=["steady", "moving"])


@both
def test_times_outside(data):
    assert data.covers(0.3) and data.covers([0, 0.1, 0.2, 0.3 + 1e-12]) and not data.covers(0.31)
    assert data.outside([0.5, 0.1, -0.1]).tolist() == [0.5, -0.1]
    assert data.times.tolist() == T.tolist() and data.dimension == 2
    assert not data.covers(np.nan)


def test_some_of_the_times(data=STEADY):
    some = data.at([0.3, 0.1 + 1e-13])
    np.testing.assert_array_equal(some.t, T[1:])
    np.testing.assert_array_equal(some.u, data.u[1:])
    assert some.x is data.x and some.source == "a.csv"
    one = MOVING.at(0.1)
    np.testing.assert_array_equal(one.v, MOVING.v[2:5])
    np.testing.assert_array_equal(one.x, MOVING.x[2:5])


@both
def test_a_time_that_is_not_there(data):
    with pytest.raises(ArgumentError) as caught:
        data.at([0.1, 0.22])
    assert str(caught.value) == (
        "`times` must be of the 3 times of the file, 0 to 0.3, got 0.22, nearest to 0.3."
    )
    with pytest.raises(ArgumentError, match="`times` must be finite numbers, got nan"):
        data.at(np.nan)


def test_samples():
    x, t, fields = STEADY.samples()
    assert x.shape == (15, 2) and fields.shape == (15, 2)
    np.testing.assert_array_equal(fields[7], [STEADY.u[1, 2], STEADY.v[1, 2]])
    np.testing.assert_array_equal(x[7], STEADY.x[2])
    assert t[7] == 0.1
    np.testing.assert_array_equal(MOVING.samples()[2][:, 1], MOVING.v)


@both
def test_errors_are_those_by_hand(data):
    given = data.samples()[2] + 0.1 * np.random.default_rng(1).standard_normal((data.u.size, 2))
    u, v = given[:, 0] - data.u.ravel(), given[:, 1] - data.v.ravel()
    by_hand = (
        np.sqrt((u**2).sum() / (data.u**2).sum()),
        np.sqrt((v**2).sum() / (data.v**2).sum()),
        np.sqrt(((u**2).sum() + (v**2).sum()) / ((data.u**2).sum() + (data.v**2).sum())),
    )
    np.testing.assert_allclose(field_errors(data, given), by_hand, rtol=1e-14)
    assert field_errors(data, data.samples()[2]) == FieldErrors(0.0, 0.0, 0.0)


def test_a_field_that_is_zero_has_no_relative_error():
    one = ReferenceData(np.zeros((1, 1)), np.zeros(1), np.zeros((1, 1)), np.ones((1, 1)))
    assert field_errors(one, [[1.0, 1.0]]) == FieldErrors(np.inf, 0.0, 1.0)
    assert np.isnan(field_errors(one, [[0.0, 1.0]]).u)


def test_fields_of_another_shape():
    with pytest.raises(ArgumentError) as caught:
        field_errors(STEADY, np.ones((15, 3)))
    assert str(caught.value) == "`fields` must have shape [15, 2], got [15, 3]."
