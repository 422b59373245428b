"""`docs/evidence/index.html` is what its rows say, and they are those of its studies."""

import math
import re
from pathlib import Path

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


def test_every_system_and_strategy_that_was_run_is_named_on_it(studies):
    text = write_evidence.PAGE.read_text("utf-8")
    for study in studies.values():
        run = {row[axis] for row in study.rows.values() for axis in ("system", "strategy")}
        for name in run:
            assert re.search(rf"<t[dh][^>]*>(<button[^>]*>)?{name}<", text), name


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


@pytest.fixture
def folder(tmp_path):
    for name, seeds in (("screening", "[0]"), ("contenders", "[1, 2]")):
        (tmp_path / f"{name}.yaml").write_text(STUDY.format(name=name, seeds=seeds))
        (tmp_path / name).mkdir()
        for strategy, errors in ERRORS.items():
            for system, error in zip(("gray_scott", "brusselator"), errors, strict=True):
                own = job(system, strategy, int(name == "contenders"))
                append_row(tmp_path / name, row(own, error))
    return tmp_path


def test_ratios_are_those_of_medians(folder):
    study = write_evidence.read("contenders", folder)
    own = write_evidence.against(study, "ema")
    assert own.ratios == {"gray_scott": 1.0, "brusselator": 0.25} and own.seeds == (1, 1)
    assert own.mean == pytest.approx(0.5) and own.worst == ("gray_scott", 1.0)
    assert (own.count(0, 1 / 1.2), own.count(1.2, math.inf)) == (1, 0)


def test_answers_follow_from_the_numbers(folder):
    screening, final = (write_evidence.read(name, folder) for name in write_evidence.STUDIES)
    said = "\n".join(write_evidence.answers(screening, final))
    assert "errors 4.00 times smaller than the same weights in physical units" in said
    assert "3 have a smaller geometric mean" not in said and "2 have a smaller" in said
    assert "ema 0.50 (from 0.25 to 1.00)" in said
    assert "auto, cost of its pilots included: 1.00 times the error of fixed" in said
    assert "1.41 times that of field_scale (at worst 2.00)" in said
    assert "What to do first: scale inputs and fields; then let ema move the weights" in said


def test_what_is_missing_is_said(folder):
    final = write_evidence.read("contenders", folder)
    assert write_evidence.missing(final) == (
        "contenders: 12 of 24 runs are done. Without all of their runs: seed 2: all strategies."
    )
    screening = write_evidence.read("screening", folder)
    assert "all 12 runs are done" in write_evidence.missing(screening)


def test_the_second_study_answers_once_it_is_whole(folder):
    screening, final = (write_evidence.read(name, folder) for name in write_evidence.STUDIES)
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
