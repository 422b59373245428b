"""The rules of damping by their formulas."""

import pytest
import torch

from solvers.gauss_newton import (
    BoldStart,
    GainRatio,
    LineSearch,
    Nielsen,
    TargetRatio,
)
from solvers.gauss_newton.damping import by_name
from solvers.gauss_newton.damping.rule import Attempt


def bowl(gains):
    """Attempts whose gain ratio is a function of the damping, of predicted fall 1."""
    return lambda damping, fraction: Attempt(
        damping, fraction, torch.ones(1), torch.ones(1), 1.0 - gains(damping), gains(damping), 1.0
    )


def test_nielsen_follows_the_formula():
    rule = Nielsen()
    for gain in (0.1, 0.5, 0.9, 1.0, 3.0):
        _, memory = rule.search(bowl(lambda _, gain=gain: gain), {"damping": 1.0}, 1e-15)
        assert memory["damping"] == pytest.approx(max(1 / 3, 1 - (2 * gain - 1) ** 3))
    attempts, memory = rule.search(
        bowl(lambda damping: 1.0 if damping > 50 else -1.0), {"damping": 1.0}, 1e-15
    )
    assert [each.damping for each in attempts] == [1.0, 2.0, 8.0, 64.0]
    assert memory["damping"] == pytest.approx(64 / 3)


def test_gain_ratio_rises_and_falls():
    rule, start = GainRatio(), {"damping": 1.0}
    found = [
        rule.search(bowl(lambda _, gain=gain: gain), start, 1e-15)[1]["damping"]
        for gain in (0.1, 0.5, 0.9)
    ]
    assert found == pytest.approx([2.0, 1.0, 1 / 3])
    assert rule.search(bowl(lambda _: 1.0), start, 0.9)[1]["damping"] == 0.9


def test_target_ratio_takes_the_boldest_step_that_reaches_the_target():
    rule = TargetRatio(initial=1.0)
    memory = rule.start()

    def boldest(limit):
        return rule.search(bowl(lambda damping: 0.9 if damping >= limit else 0.01), memory, 1e-15)

    attempts, after = boldest(0.1)  # down: 1, 1/3, 1/9, and 1/27 fails
    assert attempts[-1].damping == pytest.approx(1 / 9) == after["damping"]
    assert len(attempts) == 4
    attempts, _ = boldest(1e-9)
    assert len(attempts) == rule.count and attempts[-1].damping == pytest.approx(3.0**-5)
    attempts, _ = boldest(5.0)  # up
    assert [each.damping for each in attempts] == [1.0, 3.0, 9.0]
    attempts, _ = boldest(1e9)  # none reaches it: the lowest of the sweep
    assert len(attempts) == rule.count and attempts[-1].gain_ratio == pytest.approx(0.01)
    attempts, _ = rule.search(bowl(lambda damping: 1.0 if damping > 1e12 else -1.0), memory, 1e-15)
    assert attempts[-1].accepted and attempts[-1].damping > 1e12 and len(attempts) < 20


def test_target_ratio_raises_its_target_once_the_damping_has_settled():
    rule = TargetRatio(initial=1.0, window=5)
    memory = rule.start()
    for _ in range(10):
        _, memory = rule.search(bowl(lambda _: 0.9), memory, 1e-300)
        assert not memory["settled"]
    for _ in range(5):
        held = memory["damping"]
        _, memory = rule.search(bowl(lambda d, held=held: 0.3 if d >= held else 0.0), memory, 0.0)
    assert memory["settled"] and memory["past"] == []
    attempts, _ = rule.search(bowl(lambda d: 0.3 if d < 2 * held else 0.6), memory, 0.0)
    assert attempts[-1].gain_ratio == 0.6


def sweeps(rule, memory, gains, least=1e-14):
    """Return the memory after one search, and whether it was a sweep."""
    attempts, memory = rule.search(bowl(gains), memory, least)
    return memory, len(attempts) > 1


def test_a_bold_start_goes_on_where_the_damping_fell():
    rule = BoldStart(steps=4)
    memory = rule.start()
    for _ in range(12):
        memory, sweep = sweeps(rule, memory, lambda _: 0.9)
    assert not memory["calm"] and memory["damping"] == pytest.approx(1e-14, rel=1e-6)
    memory, sweep = sweeps(rule, memory, lambda damping: 0.9 if damping > 0.5 else 0.0)
    assert sweep and not memory["calm"], "decided for good"


def test_a_bold_start_calms_down_where_the_damping_stayed():
    rule = BoldStart(steps=4)
    memory = rule.start()
    for step in range(4):
        assert not memory["calm"] and memory["steps"] == step
        memory, _ = sweeps(rule, memory, lambda damping: 0.9 if damping >= 1e-4 else 0.0)
    assert memory["calm"] and 1e-4 <= memory["damping"] < 4e-4
    before = memory["damping"]
    memory, sweep = sweeps(rule, memory, lambda _: 0.9)
    assert not sweep, "Nielsen's rule tries one step where it is accepted"
    assert memory["damping"] == pytest.approx(before * (1 - 0.8**3))


def test_a_bold_start_calms_down_at_once_where_much_damping_is_needed():
    rule = BoldStart()
    memory, _ = sweeps(rule, rule.start(), lambda damping: 0.9 if damping > 50 else -1.0)
    assert memory["calm"] and memory["damping"] > 50
    memory, _ = sweeps(rule, rule.start(), lambda damping: 0.9 if damping > 0.2 else -1.0)
    assert not memory["calm"], "a damping below 1 decides nothing yet"
    with pytest.raises(ValueError, match="`steps` must be at least 1, got 0"):
        BoldStart(steps=0)


def test_a_bold_start_goes_on_from_the_memory_of_nielsens_rule():
    rule, gains = BoldStart(), lambda damping: 0.8 if damping > 3e-3 else -0.1
    former = {"damping": 1e-3}
    memory = by_name.saved_memory(rule, former)
    for _ in range(5):
        attempts, memory = rule.search(bowl(gains), memory, 1e-15)
        wanted, former = Nielsen().search(bowl(gains), former, 1e-15)
        assert [a.damping for a in attempts] == [a.damping for a in wanted]
        assert memory["damping"] == former["damping"]


def test_a_memory_that_a_rule_cannot_follow_is_refused():
    with pytest.raises(ValueError, match="`state` must hold the memory of Nielsen, got"):
        by_name.saved_memory(Nielsen(), BoldStart().start())
    memory = BoldStart().start()
    assert by_name.saved_memory(BoldStart(), memory) == memory


def test_line_search_goes_to_the_minimum_of_the_parabola():
    # cost(t) = cost - slope t + curvature t^2 / 2, slope 1, the model's curvature 1.
    def attempt(damping, t):
        reduction = t - 5.0 * t**2 / 2
        return Attempt(0.0, t, torch.ones(1), None, 1 - reduction, reduction, t - t**2 / 2)

    attempts, _ = LineSearch().search(attempt, LineSearch().start(), 0.0)
    assert [each.fraction for each in attempts] == pytest.approx([1.0, 0.2])
    assert attempts[-1].accepted
