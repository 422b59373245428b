"""The sentence on what the gradients say, from histories made by hand."""

import pytest

from pinn_ext.measurements.alignment import scores
from pinn_ext.measurements.gradient_verdict import DIRECTION, SIZE, as_dict, sentence, verdict
from pinn_ext.reports.event_files import gradient_rows, gradient_table

NAMES = ["pde", "walls", "start"]


def row(step, norms, angles, names=NAMES, weights=None):
    """Return a row of a history: `angles` are the cosines of (0, 1), (0, 2), (1, 2)."""
    table = [[float(a == b) for a in range(len(norms))] for b in range(len(norms))]
    pairs = [(a, b) for a in range(len(norms)) for b in range(a + 1, len(norms))]
    for (a, b), cosine in zip(pairs, angles, strict=True):
        table[a][b] = table[b][a] = cosine
    own = {"step": step, "names": list(names), "norms": norms, "cosines": table}
    return own | scores(norms, table, weights or [1.0] * len(norms))


def history(norms, angles, count=6):
    return [row(10 * i, norms, angles) for i in range(1, count + 1)]


CASES = {
    "size": ([1.0, 50.0, 3.0], [0.1, -0.2, 0.4], True, False),
    "direction": ([1.0, 2.0, 3.0], [0.1, -0.9, 0.4], False, True),
    "both": ([1.0, 50.0, 3.0], [0.1, -0.9, 0.4], True, True),
    "neither": ([1.0, 2.0, 3.0], [0.1, -0.2, 0.4], False, False),
}
SAID = {
    "size": "The gradients differ in size (weighted gradients 50-fold apart), not in direction "
    "(cosine -0.20 between pde and start): weights can help.",
    "direction": "The gradients differ in direction (cosine -0.90 between pde and start), not "
    "in size (weighted gradients 3-fold apart): weights decide which of these terms gives way, "
    "and only a trial shows whether that helps.",
    "both": "The gradients differ in size (weighted gradients 50-fold apart) and in direction "
    "(cosine -0.90 between pde and start): weights can help with the first, and decide which of "
    "these terms gives way.",
    "neither": "The gradients differ neither in size (weighted gradients 3-fold apart) nor in "
    "direction (cosine -0.20 between pde and start): here weights have little to put right.",
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_training_suffers_from(case):
    norms, angles, size, direction = CASES[case]
    found = verdict(history(norms, angles))
    assert (found.size, found.direction, found.periods) == (size, direction, 3)
    assert found.sentence == SAID[case] == sentence(history(norms, angles))
    assert found.pair == ("pde", "start") and found.conflict == angles[1]
    assert found.alignment == pytest.approx(sum(angles) / 3)
    assert as_dict(history(norms, angles)) == {**found._asdict(), "pair": ["pde", "start"]}


@pytest.mark.parametrize(("shift", "suffers"), [(-1e-9, False), (0.0, True)])
def test_the_thresholds_belong_to_what_suffers(shift, suffers):
    found = verdict(history([1.0, SIZE + shift, 2.0], [DIRECTION - shift, 0.0, 0.0]))
    assert (found.size, found.direction) == (suffers, suffers)


def test_a_minimum_of_a_weighted_sum_is_no_verdict_against_weights():
    """There two gradients cancel, whatever the weights are, and other weights move the minimum."""
    for weight in (0.1, 1.0, 10.0):  # of (x - 1)^2 beside x^2: least at w / (1 + w)
        least = weight / (1 + weight)
        at_least = row(1, [2 * least, 2 * (1 - least)], [-1.0], ["a", "b"], [1.0, weight])
        found = verdict([at_least])
        assert found.direction and not found.size and found.size_ratio == pytest.approx(1.0)
        assert found.sentence.endswith("only a trial shows whether that helps.")


def test_medians_over_the_last_half_are_what_counts():
    start = [row(i, [1.0, 1e6, 1.0], [-1.0, -1.0, -1.0]) for i in range(5)]
    end = [row(5 + i, [1.0, 2.0, 1.0], [0.5, 0.5, 0.5]) for i in range(4)]
    spike = row(9, [1.0, 1e6, 1.0], [-1.0, -1.0, -1.0])
    found = verdict([*start, *end, spike])
    assert found.periods == 5 and not found.size and not found.direction
    assert (found.alignment, found.size_ratio, found.conflict) == (0.5, 2.0, 0.5)


def test_a_pair_counts_where_both_have_gradients():
    rows = [row(1, [1.0, 1.0, 0.0], [0.2, 0.0, 0.0]), row(2, [1.0, 1.0, 1.0], [0.2, -0.8, 0.3])]
    found = verdict([*rows, rows[0]])
    assert found.pair == ("pde", "start") and found.conflict == -0.8


@pytest.mark.parametrize(
    "rows", [[], [row(1, [1.0, 0.0, 0.0], [0.0] * 3)], [row(1, [2.0], [], ["alone"])]]
)
def test_nothing_measured_is_nothing_said(rows):
    assert verdict(rows) is None and sentence(rows) == "" and as_dict(rows) is None


def test_terms_of_before_are_left_out():
    old = history([1.0, 1e3, 1.0], [-0.9] * 3)
    found = verdict([*old, row(9, [1.0, 1.0], [0.5], ["u", "v"])])
    assert found.pair == ("u", "v") and found.periods == 1


def test_a_table_keeps_the_scores_and_one_of_version_0_1_has_none():
    rows = [row(1, [1.0, 50.0, 3.0], [0.1, -0.2, 0.4]), row(2, [1.0, 0.0, 0.0], [0.0] * 3)]
    text = gradient_table(rows)
    assert gradient_rows(text) == rows
    lines = [line.rsplit(",", 3)[0] for line in text.splitlines()]
    old = gradient_rows("\n".join(lines))
    assert old[0]["norms"] == rows[0]["norms"] and old[0]["alignment"] is None
    assert verdict(old) is None
