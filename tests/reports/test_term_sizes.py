"""Raw terms that differ by more than 1e6 are named, those that do not count are not."""

import math

import pytest

from pinn_ext.reports import term_sizes

NAMES = ["PI_loss1", "PI_loss2", "BC_loss1"]


def row(*losses, weights=(1.0, 1.0, 1.0), phase="epochs"):
    return {
        "phase": phase,
        **dict(zip(NAMES, losses, strict=True)),
        **{f"weight_{name}": w for name, w in zip(NAMES, weights, strict=True)},
    }


def apart(*rows, dtype="float32"):
    return term_sizes.of_history(rows, NAMES, dtype)


def test_both_ends_are_looked_at():
    found = apart(row(2.0, 1e-7, 1.0), row(5e-9, 5e-9, 5e-9), row(1e-3, 1e-9, 2e-2))
    assert found["start"] == {
        "smallest": "PI_loss2",
        "smallest_loss": 1e-7,
        "largest": "PI_loss1",
        "largest_loss": 2.0,
        "ratio": pytest.approx(2e7),
    }
    assert (found["end"]["largest"], found["end"]["smallest"]) == ("BC_loss1", "PI_loss2")
    assert found["end"]["ratio"] == pytest.approx(2e7)


@pytest.mark.parametrize(("ratio", "said"), [(0.99e6, False), (1.01e6, True)])
def test_from_which_ratio_on(ratio, said):
    found = apart(row(1.0, ratio, 1.0), row(ratio, 1.0, 1.0))
    assert [pair is not None for pair in found.values()] == [said, said]


def test_a_single_row_is_the_start_and_no_row_is_neither():
    assert apart() == {"start": None, "end": None}
    found = apart(row(1.0, 1e-7, 1.0))
    assert found["start"] is not None and found["end"] is None


@pytest.mark.parametrize("loss", [0.0, math.nan, math.inf])
def test_a_term_without_a_size_does_not_count(loss):
    assert apart(row(1.0, loss, 2.0), row(1.0, loss, 2.0)) == {"start": None, "end": None}


def test_a_term_that_is_not_trained_on_does_not_count():
    """Gauss-Newton measures the Runge-Kutta terms, whose floor it leaves far behind."""
    first, last = row(1.0, 1.0, 1.0), row(1e-13, 2e-13, 1e-6, weights=(1, 1, 0))
    assert apart(first, last) == {"start": None, "end": None}
    assert apart(first, {**last, "weight_BC_loss1": 1.0})["end"]["largest"] == "BC_loss1"


@pytest.mark.parametrize(
    ("dtype", "phase", "limit"),
    [
        ("float32", "epochs", 2.0**-46),
        ("float64", "epochs", 2.0**-104),
        ("float32", "gauss_newton", 2.0**-104),
    ],
)
def test_what_is_solved_to_rounding_does_not_count(dtype, phase, limit):
    """A residual that has fallen to eps of what it was cannot fall further."""
    first = row(3.0, 1.0, 1.0)
    for factor, said in ((0.9, False), (1.1, True)):
        last = row(3.0 * factor * limit, 1e-3, 1e-3, phase=phase)
        assert (apart(first, last, dtype=dtype)["end"] is not None) is said


def test_a_ratio_beyond_the_floats_stays_a_number():
    found = apart(row(1e200, 1e-200, 1.0))
    assert math.isfinite(found["start"]["ratio"])


def test_the_line():
    found = apart(row(2.0, 1e-7, 1.0), row(1e-3, 1e-9, 2e-2))
    assert term_sizes.lines(found, "none") == [
        "Raw loss terms differ by more than 1e+06: at the start PI_loss1 (2.0e+00) is 2.0e+07 "
        "times PI_loss2 (1.0e-07), at the end BC_loss1 (2.0e-02) is 2.0e+07 times PI_loss2 "
        "(1.0e-09); where units are the reason, set problem.scaling=fields "
        "(docs/SCALING_GUIDE.md)."
    ]
    assert "set problem.scales (" in term_sizes.lines(found, "fields")[0]
    (only,) = term_sizes.lines({**found, "start": None}, "none")
    assert "at the start" not in only and "at the end" in only
    assert term_sizes.lines({"start": None, "end": None}, "none") == []
