"""What the callback says of settings that cannot be met in the training at hand."""

import warnings

import pytest

from pinn_ext import AdaptiveWeights

STAGES = {"stages": [{"strategy": "fixed", "until_epoch": 5}, {"strategy": "ema"}]}


def test_a_stage_that_the_training_is_too_short_for_is_told_once(problem):
    model = problem.poisson()
    adaptive = AdaptiveWeights("multi_stage", options=STAGES, period=2, verbose=0)
    with pytest.warns(RuntimeWarning) as record:
        problem.train(model, adaptive, iterations=10)
    told = [str(one.message) for one in record if "In a training" in str(one.message)]
    assert told == [
        "In a training of 10 iterations stage 1 of 2 would last until update 5 of 5, so that the "
        "stages after it never begin."
    ]


def test_a_training_that_is_long_enough_is_not_talked_about(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adaptive = AdaptiveWeights("multi_stage", options=STAGES, period=2, verbose=0)
        problem.train(problem.poisson(), adaptive, iterations=12)


def test_scales_of_another_length_are_refused_although_nobody_reads_them(problem):
    adaptive = AdaptiveWeights("ema", field_scales=[1.0], verbose=0)
    with pytest.raises(ValueError, match=r"`field_scales` must hold one number for each of 2 loss"):
        problem.train(problem.poisson(), adaptive, iterations=2)


def test_pilots_say_when_they_take_more_than_their_part(problem, capsys):
    adaptive = AdaptiveWeights("auto", options={"budget_part": 0.01}, period=2)
    problem.train(problem.poisson(), adaptive, iterations=20)
    assert "take 6 of 20 iterations, more than budget_part=0.01 of them, as 3 periods are the" in (
        capsys.readouterr().out
    )
