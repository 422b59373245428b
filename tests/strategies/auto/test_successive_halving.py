"""Plans of successive halving, scores, and the course of a race: no model anywhere."""

import itertools
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinn_ext.strategies.auto import successive_halving
from pinn_ext.strategies.auto.race import Race

quick = settings(max_examples=200, deadline=None, derandomize=True, database=None)
LABELS = ["fixed", "field_scale", "equal_init", "ema"]


@quick
@given(
    candidates=st.integers(1, 12),
    periods=st.integers(5, 400),
    part=st.floats(0.05, 0.5),
    factor=st.integers(2, 4),
)
def test_plans(candidates, periods, part, factor):
    rounds = successive_halving.plan(candidates, periods, part, factor)
    if candidates == 1:
        assert rounds == []
        return
    spent = 1 + sum(one.candidates * one.periods for one in rounds)  # one period is common
    assert spent <= max(3, part * periods + 1e-6)
    assert all(one.periods >= 1 for one in rounds)
    assert 2 <= rounds[0].candidates <= candidates
    for one, after in itertools.pairwise(rounds):
        assert after.candidates == -(-one.candidates // factor)
    assert rounds[-1].candidates <= factor
    # Nobody is left out for whom there would be room, and no room is left for a longer round.
    if rounds[0].candidates < candidates:
        sizes, count = 0, rounds[0].candidates + 1
        while count > 1:
            sizes, count = sizes + count, -(-count // factor)
        assert 1 + sizes > part * periods
    assert spent + min(one.candidates for one in rounds) > part * periods - 1e-6


def test_two_candidates_at_ten_periods_and_at_the_least():
    for periods in range(successive_halving.LEAST, 11):
        assert successive_halving.plan(4, periods) == [(2, 1)]
    assert successive_halving.plan(4, 20) == [(3, 1), (2, 1)]
    assert successive_halving.plan(4, 24) == [(4, 1), (2, 1)]
    assert successive_halving.plan(4, 50) == [(4, 2), (2, 3)]


def test_scores():
    start, scales, conditions = [4.0, 2.0], [2.0, 0.5], [False, True]
    # (1 / 4 + 10 * 1 / 0.25) / (4 / 4 + 10 * 2 / 0.25)
    score = successive_halving.scaled_score([1.0, 1.0], start, scales, conditions)
    assert score == pytest.approx(40.25 / 81)
    assert successive_halving.scaled_score([1.0, 1.0], [0.0, 0.0]) == 2.0
    assert successive_halving.geometric_score([1.0, 8.0], start) == pytest.approx(1.0)
    assert successive_halving.geometric_score([1.0, 8.0], [4.0, 0.0]) == pytest.approx(0.25)
    for bad in (math.nan, math.inf):
        assert successive_halving.scaled_score([bad, 1.0], start) == math.inf
        assert successive_halving.geometric_score([bad, 1.0], start) == math.inf


@quick
@given(
    losses=st.lists(st.floats(0, 1e100), min_size=1, max_size=5),
    factor=st.sampled_from([2.0, 1e-3, 1e6]),
)
def test_scores_do_not_see_a_common_unit(losses, factor):
    start = [1.0 + i for i in range(len(losses))]
    own = successive_halving.scaled_score(losses, start)
    other = successive_halving.scaled_score(
        [factor * x for x in losses], [factor * x for x in start]
    )
    assert other == pytest.approx(own, rel=1e-9)


def test_ranking_leaves_out_what_is_not_finite():
    assert successive_halving.ranking([2.0, math.nan, 1.0, math.inf, 1.0]) == [2, 4, 0]


def test_who_takes_over():
    takes_over = successive_halving.takes_over
    assert takes_over([0.1], [0.21], 2.0) and not takes_over([0.1], [0.19], 2.0)
    # Twice ahead of ten times and five times: advantage log(50) / 2, spread log 2.
    assert takes_over([0.01, 0.02], [0.1, 0.1], 2.0)
    # 20 times ahead, then 1.25 behind: advantage log(16) / 2 = 1.39, spread log 25 = 3.2.
    assert not takes_over([0.01, 0.25], [0.2, 0.2], 2.0)
    assert takes_over([5.0, 0.1], [0.9], 2.0)  # the last of both count
    assert not takes_over([math.nan], [1.0], 1.0) and takes_over([9.0], [math.inf], 2.0)
    assert not takes_over([], [], 1.0)


def play(race, score, broken=()):
    """Return the candidates in the order of their blocks, and how long each was."""
    blocks = []
    while race.chosen is None:
        if race.next is not None:
            race.live, race.next = race.next, None
        if race.live in broken:
            race.broken[race.live] = "loss term a is not finite at step 3"
        length = 1
        while not race.period_over(score(race.live, race.own[race.live])):
            length += 1
        blocks.append((race.live, length))
        race.end_block()
    return blocks


def begun(periods=50, order=(0, 1, 2, 3), margin=1.0):
    race = Race(LABELS, 10, margin)
    race.begin(order, periods, 0.3, 2)
    race.common_period_over()
    return race


def test_a_race():
    race = begun()
    assert (race.pilots, race.periods, race.periods_of_others) == (6, 15, 9)
    scores = {0: 0.5, 1: 0.4, 2: 0.9, 3: 0.1}
    blocks = play(race, lambda c, own: scores[c])
    assert blocks == [(0, 2), (1, 2), (2, 2), (3, 2), (0, 3), (3, 3)]
    assert race.chosen == 3 and race.next is None and not race.under_way
    assert race.own == [6, 3, 3, 6]
    assert (
        race.reason
        == "its score 1.000e-01 after 60 iterations is the best, before fixed with 5.000e-01"
    )
    rows = [(r["candidate"], r["round"], r["iterations"], r["kept"]) for r in race.rows]
    assert rows == [
        ("fixed", 1, 30, True),
        ("field_scale", 1, 30, False),
        ("equal_init", 1, 30, False),
        ("ema", 1, 30, True),
        ("fixed", 2, 60, False),
        ("ema", 2, 60, True),
    ]
    assert race.rows[1]["why"] == "place 2 of 4"


def test_the_incumbent_goes_first_and_stays_in_doubt():
    """Half as large a score is not enough for a margin of 3, a quarter is."""
    scores = {0: 0.8, 1: 0.4, 2: 0.2, 3: 0.9}
    race = begun(order=(1, 0, 2, 3), margin=3.0)
    assert (race.live, race.incumbent) == (1, 1)
    blocks = play(race, lambda c, own: scores[c])
    assert blocks == [(1, 2), (0, 2), (2, 2), (3, 2), (1, 3), (2, 3)]
    assert race.chosen == 1 and race.next == 1
    reason = "equal_init with 2.000e-01 is not clearly better than its score 4.000e-01"
    assert race.reason == f"{reason} after 60 iterations"
    assert [row["kept"] for row in race.rows[-2:]] == [True, False]
    race = begun(order=(1, 0, 2, 3), margin=3.0)
    play(race, lambda c, own: {**scores, 2: 0.1}[c])
    assert race.chosen == 2


def test_where_nobody_is_before_the_incumbent_the_race_is_over():
    race = begun(order=(1, 0, 2, 3))
    assert len(play(race, lambda c, own: 0.1 if c == 1 else 0.2)) == 4
    assert race.chosen == 1 and race.own == [3, 3, 3, 3]


def test_an_incumbent_that_breaks_down_is_replaced():
    race = begun(order=(1, 0, 2, 3), margin=100.0)
    play(race, lambda c, own: [0.3, 0.0, 0.2, 0.1][c], broken={1})
    assert race.chosen == 3


def test_those_for_whom_there_is_no_room_are_named():
    race = begun(10)
    play(race, lambda c, own: 1.0)
    assert race.chosen == 0 and race.next == 0  # of equals, the incumbent
    left_out = [row for row in race.rows if row["round"] == 0]
    assert [row["candidate"] for row in left_out] == ["equal_init", "ema"]
    assert "room for 2 candidates" in left_out[0]["why"]


def test_who_breaks_down_is_out():
    race = begun()
    blocks = play(race, lambda c, own: 1.0, broken={1, 2, 3})
    assert blocks == [(0, 2), (1, 1), (2, 1), (3, 1)]  # one finished: nothing more to find out
    assert race.chosen == 0
    assert race.rows[1]["score"] is None and "not finite" in race.rows[1]["why"]
    race = begun()
    play(race, lambda c, own: math.nan)
    assert race.chosen == 0 and "no pilot" in race.reason


def test_the_last_one_cannot_be_lost():
    race = begun()
    assert race.can_drop()
    race.broken |= {1: "", 2: "", 3: ""}
    assert not race.can_drop()


def test_nothing_to_choose_from():
    race = Race(LABELS, 10)
    race.begin([2], 50, 0.3, 2)
    assert (race.chosen, race.live, race.under_way) == (2, 2, False)


SCORES = {0: 0.5, 1: 0.4, 2: 0.9, 3: 0.1}


def middle(at):
    """Return a race after so many periods."""
    race = begun()
    for _ in range(at):
        if race.next is not None:
            race.live, race.next = race.next, None
        if race.under_way and race.period_over(SCORES[race.live]):
            race.end_block()
    return race


@pytest.mark.parametrize("at", range(1, 15))
def test_the_middle_of_a_race_survives_saving(at):
    whole, state = begun(), middle(at).state_dict()
    play(whole, lambda c, own: SCORES[c])
    other = Race(LABELS, 10)
    other.load_state_dict(state)
    assert json.dumps(other.state_dict()) == json.dumps(state)
    play(other, lambda c, own: SCORES[c])
    assert other.rows == whole.rows and other.chosen == whole.chosen
    with pytest.raises(ValueError, match="must be of the candidates a, got fixed"):
        Race(["a"], 10).load_state_dict(state)


@pytest.mark.parametrize("at", [1, 8, 11])
def test_a_state_from_before_there_was_an_incumbent_goes_on(at):
    state = middle(at).state_dict()
    del state["incumbent"], state["courses"]
    other = Race(LABELS, 10)
    other.load_state_dict(state)
    play(other, lambda c, own: SCORES[c])
    assert other.chosen == 3
