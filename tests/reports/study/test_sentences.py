"""Paragraphs that follow from numbers made by hand, and tables beside them."""

import math
from dataclasses import replace

import pytest

from pinn_ext.reports.study import sentences, tables
from pinn_ext.reports.study.results import choose, gather
from tests.reports.study.rows import job, product, study


def cases_of(errors, contenders=()):
    record, rows = study(errors, contenders)
    return gather(record, rows)


def said(errors, contenders=(), tuned=None):
    record, rows = study(errors, contenders)
    (case,) = gather(record, rows)
    return sentences.of_case(case, contenders, record.fixed, tuned)


EIGHT = [0.10, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17]


def scaled(factor):
    return [factor * error for error in EIGHT]


def test_fixed_weights_win():
    text = said({("a", "fixed"): EIGHT, ("a", "ema"): scaled(1.3)}, ("fixed", "ema"))
    assert "Fixed weights win by 1.30x against ema, the best adaptive strategy on 4 other" in text
    assert "though so few pairs" not in text and "as their ranges overlap" in text
    assert "fixed over 8 paired seeds: better than ema by 1.30x (p = 0.0078)." in text


def test_they_lose():
    errors = {("a", "fixed"): EIGHT, ("a", "ema"): scaled(0.5), ("a", "ntk"): scaled(3.0)}
    text = said(errors, ("fixed", "ema", "ntk"))
    assert "smallest median (relative L2 error of the worse field) is that of ema" in text
    assert "Fixed weights lose by 2.00x to ema" in text
    assert "worse than ema by 2.00x (p = 0.016); better than ntk by 3.00x (p = 0.016)" in text


def test_twelve_seeds_have_six_to_compare_on():
    errors = [0.1 + 0.01 * i for i in range(12)]
    text = said({("a", "fixed"): errors, ("a", "ema"): [2 * e for e in errors]})
    assert "told apart over 6 seeds (Wilcoxon p = 0.031)" in text


def test_a_tie_and_a_few_seeds():
    text = said({("a", "fixed"): [0.1, 0.2], ("a", "ema"): [0.1, 0.2]}, ("fixed", "ema"))
    assert "end alike" in text and "on the same seeds, which flatters it" in text
    assert "With 2 paired seeds no test tells contenders apart (smallest p 0.5)." in text
    assert "over one seed, which tells nothing apart" in said(
        {("a", "fixed"): [0.1], ("a", "ema"): [0.2]}
    )


def test_failures_are_counted_and_named():
    errors = {("a", "fixed"): [0.1, 0.1, "absent"], ("a", "ema"): ["failed", "failed", 0.2]}
    text = said(errors)
    assert "No adaptive strategy has a finite median error here, so fixed weights win." in text
    assert "Runs without a result: ema (2 of 3)." in text
    assert "One run of these strategies is to come." in text
    assert said({("a", "fixed"): ["failed"]}) == "No strategy has a finite median error here."


def test_a_failure_of_both_is_said_of_both():
    lucky = [0.1, "failed", 0.1, "failed", 0.1]  # fails on the seeds that have not chosen it
    text = said({("a", "fixed"): ["failed"] * 5, ("a", "ema"): lucky})
    assert "Fixed weights fail, as does ema, the best adaptive strategy on 3 other seeds." in text


def test_the_tuned_grid_is_fixed_weights_too():
    errors = {("a", "fixed"): [0.2], ("a", "tuned_fixed"): [0.1], ("a", "ema"): [0.4]}
    text = said(errors, tuned="tuned_fixed")
    assert "Fixed weights win by 2.00x" in text
    assert "Fixed weights tuned on a grid (tuned_fixed) win by 4.00x against ema" in text


def test_nothing_learnt_is_said():
    assert "No training has 1, so nothing has been learnt here." in said({("a", "ema"): [1.5]})


def test_without_a_solution_the_held_out_score_decides():
    (case,) = cases_of({("a", "fixed"): [None, None], ("a", "ema"): [None, None]})
    assert case.key == "held_out" and "held-out score" in sentences.of_case(
        case, (), ("fixed",), None
    )


def test_the_best_is_chosen_on_other_seeds():
    errors = {
        ("a", "lucky"): [0.1, 0.9, 0.1, 0.9],  # the best on seeds 0 and 2
        ("a", "steady"): [0.2, 0.2, 0.2, 0.2],
    }
    (case,) = cases_of(errors)
    choice = choose(case, ["lucky", "steady"])
    assert choice.entry.strategy == "lucky"
    assert choice.chosen_on == (0, 2) and choice.seeds == (1, 3) and choice.on_others
    assert not choose(cases_of({("a", "x"): [0.1, 0.2]})[0], ["x"]).on_others
    assert choose(case, ["nobody"]) is None


def test_over_all_cases():
    values = {"fixed": [0.1], "ema": [0.2], "ntk": [0.4]}
    few = cases_of(product("abc", values, values))
    text = sentences.overall(few, tuple(values))
    assert "fixed 1.00, ema 2.00, ntk 3.00" in text
    assert "cannot tell pairs apart" in text and "Friedman" in text
    many = cases_of(product("abcdefghij", values, values))
    text = sentences.overall(many, tuple(values))
    assert "fixed is told apart from ntk (p = 0.0059)" in text
    assert sentences.overall(many, ("fixed",)) == ""
    assert sentences.overall(many, ("fixed", "rba")) == "No case has runs of all contenders yet."


def test_tables():
    values = {"fixed": [0.1, 0.3], "ema": [0.2, "failed"]}
    cases = cases_of(product("ab", values, values), ("fixed", "ema"))
    table = tables.of_case(cases[0])
    assert [row[0].text for row in table.rows] == ["fixed", "ema"]
    assert table.rows[0][1].number == pytest.approx(0.2) and table.rows[1][1].number == math.inf
    assert table.rows[1][2].text == "2.00e-01 … failed" and table.rows[1][6].text == "1 of 2"
    by_rank = tables.of_ranks(cases, ["fixed", "ema"])
    assert [c.text for c in by_rank.rows[0]] == ["fixed", "1.00", "1.00", "1.00", "1", "1"]
    assert by_rank.rows[1][2].text == "failed"
    assert tables.table_csv(by_rank).decode().splitlines()[1] == "fixed,1.0,1.0,1.0,1.0,1.0"
    assert tables.of_tests(cases, ("fixed",)) is None
    head, first = tables.of_tests(cases, ("fixed", "ema")).head, tables.summary_csv(cases)
    assert head[-1] == "told apart" and first.decode().count("\n") == 5


def test_weights_in_other_units_are_fixed_too():
    record, rows = study({("a", "fixed"): [0.1], ("a", "physical"): [0.3], ("a", "ema"): [0.2]})
    own = (job("a", "fixed"), job("a", "ema"), job("a", "physical"))
    units = replace(own[2], overrides=("training=default", "problem.scaling=none"))
    record = replace(record, jobs=(*own[:2], units))
    assert record.fixed == ("fixed", "physical")
    (case,) = gather(record, rows)
    text = sentences.of_case(case, (), record.fixed, None)
    assert "Fixed weights (physical) lose by 1.50x to ema, the best adaptive" in text


@pytest.mark.parametrize(
    ("overrides", "moves"),
    [
        ((), False),
        (("training=adaptive_ema",), True),
        (("training=gauss_newton", "training.loss.adaptive.enabled=true"), True),
        (("training=adaptive_ema", "training=default"), False),
    ],
)
def test_the_last_override_says_whether_weights_move(overrides, moves):
    assert replace(job(), overrides=overrides).moves_weights is moves
