"""The rule of jaxpi2 for the step in pseudo-time, against figures worked out by hand."""

import math

import pytest

from pinn_ext.dde.pseudo_time.step_rule import Change, StepRule, inverse_step, shrink


def change(residual=3.0, field=0.5, product=1.0, first_loss=1.0, loss=1.0):
    return Change(residual, field, product, first_loss, loss)


def test_the_shrink_factor_goes_down_half_a_cosine():
    assert shrink(1.0, 1.0) == shrink(1.0, 0.02) == shrink(1.0, 50.0) == 1.0
    assert shrink(10.0, 1e-9) == pytest.approx(0.1)
    # three decades of a way from two to six: a quarter of it
    quarter = 0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2
    assert shrink(1.0, 1e-3) == pytest.approx(quarter, rel=1e-4)
    assert shrink(0.0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        (change(), 6.0),
        (change(residual=1e9), 100.0),
        (change(residual=0.0), 1e-2),
        (change(field=0.0), 100.0),
        (change(first_loss=1e4, loss=1.0), 6.0 * 0.55),
    ],
)
def test_what_one_look_proposes(own, wanted):
    assert inverse_step(own) == pytest.approx(wanted, rel=1e-6)


def test_steps_follow_as_a_running_average_and_given_ones_stay():
    rule = StepRule([None, 0.25, None])
    assert rule.inverse == [1.0, 4.0, 1.0]
    rule.look([change(), change(), None])
    assert rule.inverse == pytest.approx([0.9 + 0.6, 4.0, 1.0])
    rule.look([change(residual=1.0), change(), None])
    assert rule.inverse == pytest.approx([0.9 * 1.5 + 0.2, 4.0, 1.0])
    rule.look([change(residual=math.nan), None, change(loss=math.inf)])
    assert rule.inverse == pytest.approx([0.9 * 1.5 + 0.2, 4.0, 1.0])


def test_a_sign_is_doubted_after_three_looks_in_a_row_and_once():
    rule = StepRule([None, 1.0])
    against, along = change(product=-1.0), change()
    looks = [against, against, along, against, against, against, against]
    assert [rule.look([along, own]) for own in looks] == [[], [], [], [], [], [1], []]
