"""Sizes that no memory holds are refused by their key."""

import pytest


@pytest.mark.parametrize(
    "override",
    [
        "dataset.num_graphs=1000000000000000",
        "dataset.num_validation=1000000000000000000000",
        "dataset.nodes_per_side=10000000000000",
        "network.hidden=[8,10000000000000000000000000]",
        "network.hidden=[30000000,30000000]",
    ],
)
def test_refused_by_key(run, tmp_path, override):
    done = run(override)
    assert done.status == 2 and not list(tmp_path.rglob("*"))
    key = override.partition("=")[0]
    assert done.err.startswith(f"pinn-ext: `{key}` must fit this machine's memory of ")
    assert done.err.count("\n") == 1


def test_points_count_where_they_are_used(run):
    points = "training.gauss_newton.points=100000000000000"
    done = run("training=gauss_newton", points)
    assert done.status == 2 and "`training.gauss_newton.points` must fit" in done.err
