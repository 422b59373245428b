"""`docs/evidence/index.html` is what its rows say, and they are those of its studies."""

import math
import re
from pathlib import Path

import evidence_advice
import evidence_excerpts
import evidence_rows
import evidence_scores
import pytest
import write_evidence

from pinn_ext.program.study import study_file
from pinn_ext.reports.study.records import append_row
from tests.reports.study.rows import job, row

FOLDER = write_evidence.FOLDER


@pytest.fixture(scope="module")
def studies():
    return {name: write_evidence.read(name, FOLDER) for name in write_evidence.STUDIES}


def test_the_page_is_made_of_the_rows():
    fresh = write_evidence.text() == write_evidence.PAGE.read_text("utf-8")
    assert fresh, "rows or words have changed: run `python docs/write_evidence.py`"


def test_quoted_tables_are_made_of_the_rows():
    for path, content in write_evidence.quotes().items():
        fresh = content == path.read_text("utf-8")
        assert fresh, f"{path.name} is stale: run `python docs/write_evidence.py`"


def test_every_system_and_strategy_that_was_run_is_named_on_it(studies):
    text = write_evidence.PAGE.read_text("utf-8")
    for study in studies.values():
        run = {row[axis] for row in study.rows.values() for axis in ("system", "strategy")}
        for name in run:
            assert re.search(rf"<t[dh][^>]*>(<button[^>]*>)?{name}<", text), name


def test_the_screening_and_the_advice_share_runs(studies):
    """Two strategies are in both, as the same jobs; where both have a row it is the same result."""
    advice, screening = studies["advice"].rows, studies["screening"].rows
    shared = [name for name in advice if name in screening]
    assert shared
    for name in shared:
        assert advice[name]["overrides"] == screening[name]["overrides"]
        assert advice[name]["worst"] == pytest.approx(screening[name]["worst"], rel=1e-3)


def test_rows_were_run_as_their_study_says(studies):
    for name, study in studies.items():
        common = study_file.read(FOLDER / f"{name}.yaml").common
        for own in study.rows.values():
            assert set(common) <= set(own["overrides"])
            assert f"seed={own['seed']}" in own["overrides"]


def test_what_lies_there_is_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*/rows.jsonl")) < 6_000_000
    assert write_evidence.PAGE.stat().st_size < 500_000


# ---- from rows made by hand ---------------------------------------------------------------------

STUDY = """
title: {name}
systems: [gray_scott, brusselator]
strategies: {{fixed: , fixed_physical: [training=default], field_scale: , auto: , random: , ema: }}
seeds: {seeds}
contenders: [fixed, auto]
"""
ERRORS = {
    "fixed": (0.1, 0.2),
    "fixed_physical": (0.4, 0.8),
    "field_scale": (0.1, 0.1),
    "auto": (0.2, 0.1),
    "random": (1.0, 1.0),
    "ema": (0.1, 0.05),
}
STEPS = """
title: advice
systems: [gray_scott, brusselator]
strategies:
  fixed_physical: [training=default]
  fixed:
  hard: [training=default]
  gauss_newton: [training=default]
seeds: [0]
"""
STEP_ERRORS = {
    "fixed_physical": (0.4, 0.8),
    "fixed": (0.1, 0.2),
    "hard": (0.1, 0.02),
    "gauss_newton": (0.01, 0.02),
}


@pytest.fixture
def folder(tmp_path):
    for name, seeds in (("screening", "[0]"), ("contenders", "[1, 2]")):
        (tmp_path / f"{name}.yaml").write_text(STUDY.format(name=name, seeds=seeds))
        (tmp_path / name).mkdir()
        for strategy, errors in ERRORS.items():
            for system, error in zip(("gray_scott", "brusselator"), errors, strict=True):
                own = job(system, strategy, int(name == "contenders"))
                append_row(tmp_path / name, row(own, error, held_out=error))
    (tmp_path / "advice.yaml").write_text(STEPS)
    (tmp_path / "advice").mkdir()
    for strategy, errors in STEP_ERRORS.items():
        for system, error in zip(("gray_scott", "brusselator"), errors, strict=True):
            own = row(job(system, strategy, 0), error)
            append_row(tmp_path / "advice", {**own, "core_seconds": 3.0})
    return tmp_path


def test_ratios_are_those_of_medians(folder):
    study = write_evidence.read("contenders", folder)
    own = write_evidence.against(study, "ema")
    assert own.ratios == {"gray_scott": 1.0, "brusselator": 0.25} and own.seeds == (1, 1)
    assert own.mean == pytest.approx(0.5) and own.worst == ("gray_scott", 1.0)
    assert (own.count(0, 1 / 1.2), own.count(1.2, math.inf)) == (1, 0)


def test_answers_follow_from_the_numbers(folder):
    steps, screening, final = (write_evidence.read(n, folder) for n in write_evidence.STUDIES)
    said = "\n".join(write_evidence.answers(screening, final, steps))
    assert "errors 4.00 times smaller than the same weights in physical units" in said
    assert "3 have a smaller geometric mean" not in said and "2 have a smaller" in said
    assert "ema 0.50 (from 0.25 to 1.00)" in said
    assert "auto, cost of its pilots included: 1.00 times the error of fixed" in said
    assert "1.41 times that of field_scale (at worst 2.00)" in said
    assert "Where conditions stay loss terms, once inputs and fields are scaled: let ema" in said
    assert (
        "What to do first: let the program scale fields and inputs (errors 4 times smaller" in said
    )


def test_steps_are_held_against_the_first_and_the_one_before(folder):
    study = write_evidence.read("advice", folder)
    scaled, hard, last = evidence_advice.steps(study)
    assert (scaled.name, hard.name, last.name) == ("fixed", "hard", "gauss_newton")
    assert 1 / scaled.today.mean == pytest.approx(4.0)
    assert hard.before.ratios == pytest.approx({"gray_scott": 1.0, "brusselator": 0.1})
    assert last.today.ratios == pytest.approx({"gray_scott": 0.025, "brusselator": 0.025})
    assert last.seconds == 3.0
    said = evidence_advice.sentence(study)
    assert "(brusselator) at least 40, elsewhere from 40 (gray_scott) to 40 (gray_scott)." in said
    assert "Single steps lose" not in said
    assert "The one of hard and gauss_newton with the smaller held-out score gains" in said
    assert said.endswith("at least 4 (gray_scott).")
    table = evidence_advice.of_systems(study)
    assert [cell.text for cell in table.rows[0]][-1] == "40"
    assert "| and conditions built into the output" in evidence_excerpts.advice(study)


def test_the_best_is_chosen_on_other_seeds(tmp_path):
    (tmp_path / "screening.yaml").write_text(STUDY.format(name="screening", seeds="[0, 1]"))
    (tmp_path / "screening").mkdir()
    errors = {"fixed": (0.1, 0.4), "auto": (0.3, 0.2), "random": (0.2, 0.1)}
    for strategy, by_seed in errors.items():
        for seed, error in enumerate(by_seed):
            append_row(tmp_path / "screening", row(job("brusselator", strategy, seed), error))
    own = evidence_rows.against_best_elsewhere(write_evidence.read("screening", tmp_path), "auto")
    # On seed 0 the best of seed 1, random, has 0.2, on seed 1 that of seed 0, fixed, 0.4.
    assert own.ratios == pytest.approx({"brusselator": (0.3 / 0.2 + 0.2 / 0.4) / 2})
    assert own.seeds == (2, 2)


@pytest.mark.filterwarnings("ignore:An input array is constant")  # curves made by hand
def test_scores_at_the_end_are_held_against_errors(folder):
    study = write_evidence.read("screening", folder)
    for name in evidence_scores.SCORES:
        found = evidence_scores.at_the_end(study, name)
        assert (found.correlation, found.regret, found.runs) == (pytest.approx(1), 1, 10)
    table = evidence_scores.of_foresight(study)
    assert len(table.rows) == 8 + len(evidence_scores.SCORES)
    assert "| the true error |" in evidence_excerpts.score(study)


def test_what_is_missing_is_said(folder):
    final = write_evidence.read("contenders", folder)
    assert write_evidence.missing(final) == (
        "contenders: 12 of 24 runs are done. Without all of their runs: seed 2: all strategies."
    )
    screening = write_evidence.read("screening", folder)
    assert "all 12 runs are done" in write_evidence.missing(screening)


def test_the_second_study_answers_once_it_is_whole(folder):
    _, screening, final = (write_evidence.read(name, folder) for name in write_evidence.STUDIES)
    assert write_evidence.latest(screening, final) is final
    path = folder / "contenders" / "rows.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "gray_scott.soft.epochs.auto" not in line))
    partly = write_evidence.read("contenders", folder)
    assert write_evidence.latest(screening, partly) is screening


def test_a_system_that_was_given_up_is_named(folder):
    append_row(folder / "screening", row(job("schnakenberg", "ema"), 0.9))
    said = write_evidence.left_out(write_evidence.read("screening", folder))
    assert said == (
        "schnakenberg was given up: the smallest error of its 1 runs is 0.9, that of no training 1."
    )


def test_without_rows_there_is_a_page(tmp_path):
    for name in write_evidence.STUDIES:
        (tmp_path / f"{name}.yaml").write_text(STUDY.format(name=name, seeds="[0]"))
    text = write_evidence.text(Path(tmp_path))
    assert "No job has been run yet." in text and "What to do first" not in text
