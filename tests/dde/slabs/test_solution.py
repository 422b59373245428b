"""One solution over all times: continuous for any networks, in any order, with derivatives."""

import deepxde as dde
import numpy as np
import pytest
import torch

from tests.dde.slabs import small


@pytest.fixture
def solution():
    return small.untrained()


def places(count=40):
    return np.random.default_rng(0).random((count, 2))


def test_it_is_continuous_with_its_slopes(solution):
    x = places()[:, :1]
    for number in (0, 1):
        at_edge = np.hstack((x, np.full_like(x, small.EDGES[number + 1])))
        for operator in (None, lambda x, u: dde.grad.hessian(u, x, i=0, j=0)):
            ends = [solution.models[number + k].predict(at_edge, operator) for k in (0, 1)]
            scale = 1.0 if operator is None else 100.0
            np.testing.assert_allclose(*ends, rtol=0, atol=1e-14 * scale)


def test_it_is_the_network_of_the_time(solution):
    x = places()
    found = solution.predict(x)
    for row, (_, time) in zip(found, x, strict=True):
        number = np.searchsorted(small.EDGES[1:-1], time)
        own = solution.models[number].predict(x[[np.flatnonzero(x[:, 1] == time)[0]]])
        np.testing.assert_allclose(row, own[0], rtol=1e-13)


def test_operators_go_through_all_slabs(solution):
    x = places()
    found = solution.predict(x, operator=small.heat)
    for number, (low, high) in enumerate(zip(small.EDGES, small.EDGES[1:], strict=False)):
        rows = (x[:, 1] > low) & (x[:, 1] < high)
        own = solution.models[number].predict(x[rows], operator=small.heat)
        np.testing.assert_allclose(found[rows], own, rtol=1e-10)
    several = solution.predict(x, operator=lambda x, u: [small.heat(x, u), u])
    np.testing.assert_allclose(several[:, :1], found, rtol=1e-13)
    np.testing.assert_allclose(several[:, 1:], solution.predict(x), rtol=1e-13)


def test_a_position_is_evaluated_once_for_all_times(solution):
    samples = []
    for model in solution.models:
        model.net.register_forward_hook(lambda net, given, _: samples.append(len(given[0])))
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 7), np.linspace(0, 1, 31)), axis=-1)
    solution.predict(grid.reshape(-1, 2))
    assert sum(samples) == 7 * 31 + 2 * 7


def test_points_of_all_kinds(solution):
    x = places(5)
    found = solution.predict(x)
    np.testing.assert_array_equal(solution.predict(torch.as_tensor(x)), found)
    np.testing.assert_array_equal(solution.predict(x.tolist()), found)
    assert solution.predict(np.empty((0, 2))).shape == (0, 1)
    edge = [[0.3, 1.0 + 1e-7], [0.3, -1e-7]]  # as float32 makes them
    assert np.isfinite(solution.predict(edge)).all()


@pytest.mark.parametrize(
    "x, said",
    [
        ([0.5, 0.5], r"shape \[M, 2\], got shape \[2\]"),
        ([[0.5]], r"shape \[M, 2\], got shape \[1, 1\]"),
        ([[0.5, 1.5]], r"times in \[0, 1\], which is trained, got 1\.5"),
        ([[0.5, np.nan]], r"times in \[0, 1\], which is trained, got nan"),
    ],
)
def test_points_outside_are_refused(solution, x, said):
    with pytest.raises(ValueError, match=said):
        solution.predict(x)
