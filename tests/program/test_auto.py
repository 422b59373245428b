"""`training=adaptive_auto`: pilots in the program, what is said of them, and going on in them."""

import pytest

from tests.program.conftest import SMALL, read_report, read_rows
from tests.program.test_resume import parameters

OPTIONS = "training.loss.adaptive.options"
PILOTS = [f"+{OPTIONS}.diagnosis=false", f"+{OPTIONS}.margin=1"]
"""Pilots whatever the gradients say; whoever is ahead takes over."""
BARE = [*SMALL, "training=adaptive_auto", "problem.conditions=soft", "dtype=float64"]
AUTO = [*BARE, *PILOTS]


def without_seconds(report):
    rows = [{**row, "seconds": 0} for row in report["pilots"]]
    return rows, report["choice"], report["strategy"]


def test_pilots_are_printed_and_reported(run):
    done = run(*AUTO, "training.epochs=24", f"+{OPTIONS}.budget_part=0.3")
    assert done.status == 0, done.err
    assert "Strategy: auto" in done.out
    assert "6 pilots of 4 candidates take 21 of 72 iterations" in done.out
    for number, name in enumerate(["field_scale", "fixed", "equal_init", "ema"], start=1):
        assert f"Pilot {number} of 6 ({name}): score " in done.out
    content = read_report(done.folder)
    assert content["strategy"] == "auto" and content["epochs"] == 24
    winner = content["choice"].split(",")[0]
    assert f"chosen: {winner}, as its score" in done.out
    assert f"Chosen: {winner}, as its score" in done.out
    assert "With fixed weights the 24 epochs would take about" in done.out
    assert [row["iterations"] for row in content["pilots"]][:4] == [6, 6, 6, 6]
    assert content["seconds_fixed"] > 0
    header, *rows = read_rows(done.folder)
    assert [row[header.index("epoch")] for row in rows] == [str(n) for n in range(1, 25)]


def test_hard_conditions_need_no_pilots(run):
    """The terms' gradients are of like size: the run is that of fixed weights, bit for bit."""
    recipe = [*SMALL, "dtype=float64", "training.epochs=6"]
    done, alone = run(*recipe, "training=adaptive_auto"), run(*recipe)
    content = read_report(done.folder)
    assert content["choice"].startswith("fixed, as the weighted gradients of the terms are ")
    assert not [row for row in content["pilots"] if row["round"]]
    assert (parameters(done.folder) == parameters(alone.folder)).all()


def test_the_winner_trains_as_if_alone(run):
    """10 epochs: one common, one for each of two candidates, so that nine are the winner's."""
    done = run(*AUTO, "training.epochs=10")
    winner = read_report(done.folder)["choice"].split(",")[0]
    recipe = "training=default" if winner == "fixed" else f"training=adaptive_{winner}"
    alone = run(*SMALL, recipe, "problem.conditions=soft", "dtype=float64", "training.epochs=9")
    assert (parameters(done.folder) == parameters(alone.folder)).all()


def kill_and_resume(run, run_killed, arguments, step):
    """Return the folder of a run that was killed at a step and resumed."""
    folder = f"broken-{step}"
    run_killed(step, *arguments, f"hydra.run.dir={folder}")
    resumed = run(f"training.resume={folder}")
    assert resumed.status == 0, resumed.err
    return folder


def same_end(one, other):
    assert read_rows(one) == read_rows(other)
    assert (parameters(one) == parameters(other)).all()
    assert without_seconds(read_report(one)) == without_seconds(read_report(other))


@pytest.mark.slow
def test_killed_in_the_pilots_it_goes_on_bit_for_bit(run, run_killed):
    """In the common period, in the second pilot, and at its end."""
    arguments = [*AUTO, "training.epochs=10", "training.lbfgs_iterations=5"]
    whole = run(*arguments)
    for step in (2, 8, 10):
        same_end(kill_and_resume(run, run_killed, arguments, step), whole.folder)


@pytest.mark.slow
def test_killed_in_either_round_it_goes_on_bit_for_bit(run, run_killed):
    arguments = [*AUTO, "training.epochs=24", f"+{OPTIONS}.budget_part=0.3"]
    whole = run(*arguments)
    for step in (4, 7, 14, 17, 19, 22, 40):
        same_end(kill_and_resume(run, run_killed, arguments, step), whole.folder)


@pytest.mark.parametrize("epochs", [2, 4])
def test_too_few_epochs(run, epochs):
    refused = run(*AUTO, f"training.epochs={epochs}")
    assert refused.status == 2 and refused.folder is None
    assert (
        "`training.epochs` must be at least 5 for training.loss.adaptive.strategy=auto (three of "
        f"them are for its pilots), got {epochs}." in refused.err
    )


def test_options_are_read_and_refused(run):
    key = OPTIONS
    refused = run(*AUTO, f"+{key}.candidates=[ema,emma]")
    assert refused.status == 2
    assert f"`{key}.candidates[1].strategy` must be one of " in refused.err
    done = run(*AUTO, "training.epochs=10", f"+{key}.candidates=[ema]", f"+{key}.budget_part=0.5")
    names = {row["candidate"] for row in read_report(done.folder)["pilots"]}
    assert done.status == 0 and names == {"fixed", "field_scale", "ema"}


def test_two_epochs_of_stages(run):
    done = run(*SMALL, "training=adaptive_multi_stage", "training.epochs=2")
    assert done.status == 0, done.err
    rows = read_rows(done.folder)
    column = rows[0].index("weight_PI_loss1")
    assert rows[1][column] == "1.0" != rows[2][column]  # scaled fields, no conditions to weigh
    refused = run(
        *SMALL, "training=adaptive_multi_stage", "+training.loss.adaptive.options.stages=[]"
    )
    assert refused.status == 2
    assert "`training.loss.adaptive.options.stages` must be a list of at least one" in refused.err
