"""The comparison of jobs: which are planned."""

from pinn_ext.reports import planned_jobs


def test_planned_jobs_are_hydras():
    assert planned_jobs.expand(["training=a,b", "seed=range(0,2)"]) == [
        ["training=a", "seed=0"],
        ["training=a", "seed=1"],
        ["training=b", "seed=0"],
        ["training=b", "seed=1"],
    ]
