"""The comparison of jobs: which are planned, and what is said of the winner."""

import pytest

from pinn_ext.reports import compare, planned_jobs


def row(job, strategy, worst, status="ok"):
    return {"strategy": strategy, "median": worst, "runs": 1, "overrides": "", "job": job}


@pytest.mark.parametrize(
    ("groups", "start"),
    [
        (
            [row(0, "fixed", 1e-3), row(1, "ema", 2e-3)],
            "Fixed weights win here: worst-field error 1.00e-03",
        ),
        (
            [row(0, "fixed", 1e-3), row(1, "ema", 1e-3)],
            "Fixed and adaptive weights (ema) end alike",
        ),
        (
            [row(0, "fixed", 4e-3), row(1, "ema", 2e-3), row(2, "equal_init", 3e-3)],
            "ema wins here: worst-field error 2.00e-03, 2.0 times smaller than 4.00e-03",
        ),
        ([row(1, "ema", 2e-3)], ""),
        ([row(0, "fixed", 2e-3)], ""),
    ],
)
def test_verdict(groups, start):
    assert compare.verdict(groups).startswith(start)
    assert bool(compare.verdict(groups)) == bool(start)


def test_planned_jobs_are_hydras():
    assert planned_jobs.expand(["training=a,b", "seed=range(0,2)"]) == [
        ["training=a", "seed=0"],
        ["training=a", "seed=1"],
        ["training=b", "seed=0"],
        ["training=b", "seed=1"],
    ]
