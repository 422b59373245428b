"""Initial states from values at points: linear between them, periodic, and outside."""

import numpy as np
import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets.initial_states import InitialState, read_initial_state
from tests.datasets.meshes.made import refused

F64 = torch.float64


def plane(x):
    """Return two linear fields, which linear interpolation reproduces."""
    x = np.asarray(x)
    return np.stack([1 + 2 * x[:, 0] - x[:, -1], 3 - x[:, 0]], axis=1)


def grid(*axes):
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def scattered(count=60, seed=0):
    corners = [[0.0, 0], [1, 0], [0, 1], [1, 1]]
    return np.concatenate([np.random.default_rng(seed).random((count, 2)), corners])


@pytest.mark.parametrize(
    "x",
    [
        np.linspace(0, 1, 7)[:, None] ** 2,
        grid(np.linspace(0, 1, 4), np.linspace(0, 1, 6) ** 2),
        scattered(),
        grid(np.linspace(0, 1, 3), [0.0, 1], [0, 0.25, 1]),
    ],
    ids=["line", "grid", "scattered", "space"],
)
def test_linear_fields_are_reproduced(x):
    order = np.random.default_rng(1).permutation(len(x))
    state = InitialState(x[order], plane(x)[order], "mine.npz")
    at = torch.rand(50, x.shape[1], dtype=F64)
    torch.testing.assert_close(state(at), torch.from_numpy(plane(at)), rtol=1e-12, atol=1e-12)
    assert state(at.float()).dtype == torch.float32
    assert state.notes(at) == [] == state.notes(torch.from_numpy(x))
    torch.testing.assert_close(state(torch.from_numpy(x)), torch.from_numpy(plane(x)))


@pytest.mark.parametrize("x", [grid([0.0, 1], [0.0, 1]), scattered(5)], ids=["grid", "scattered"])
def test_outside_are_the_values_of_the_nearest_place_and_it_is_said(x):
    state = InitialState(x, plane(x), "mine.npz")
    at = torch.tensor([[0.5, 1.5], [0.5, 0.5], [-2.0, 0.25], [3.0, 3.0]], dtype=F64)
    nearest = torch.tensor([[0.5, 1.0], [0.5, 0.5], [0.0, 0.25], [1.0, 1.0]], dtype=F64)
    torch.testing.assert_close(state(at), torch.from_numpy(plane(nearest)))
    assert state.notes(at) == [
        "3 of 4 nodes lie outside of the points of mine.npz and start from the values at the "
        "nearest place of their hull."
    ]


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("jitter", [0.0, 1e-3])
def test_between_the_last_point_and_the_first_of_a_period(ends, jitter):
    """As the file has one end of the period or both, in one dimension and in two."""
    axis = np.linspace(-1, 1, 41 if ends else 40, endpoint=ends)
    x = grid(axis, np.linspace(0, 1, 5))
    x[:, 1] += jitter * np.random.default_rng(0).random(len(x)) * (x[:, 1] % 1 > 0)
    wave = np.stack([np.sin(np.pi * x[:, 0]), np.cos(np.pi * x[:, 0])], axis=1)
    state = InitialState(x, wave, "wave.npz", {0: (-1.0, 2.0)})
    at = torch.tensor([[0.99, 0.5], [-0.995, 0.3], [1.0, 0.0], [-1.0, 1.0]], dtype=F64)
    exact = torch.stack((torch.sin(torch.pi * at[:, 0]), torch.cos(torch.pi * at[:, 0])), dim=1)
    torch.testing.assert_close(state(at), exact, rtol=0, atol=2e-2)
    assert state.notes(at) == []


def test_a_file_at_its_first_time_or_at_another(tmp_path):
    axis = np.linspace(-np.pi, np.pi, 9)
    fields = np.arange(3.0)[:, None] + np.zeros(9)
    np.savez(tmp_path / "mine.npz", x=axis, t=[0.5, 1.0, 1.5], speed=fields, v=-fields)
    system, path = systems.create("coupled_burgers"), tmp_path / "mine.npz"
    at = torch.zeros(1, 1, dtype=F64)
    columns = {"u": "speed"}
    assert read_initial_state(path, system, columns)(at).tolist() == [[0.0, -0.0]]
    late = read_initial_state(path, system, columns, 1.5)
    assert late(at).tolist() == [[2.0, -2.0]] and late.source == str(path)
    assert late.digest != read_initial_state(path, system, columns).digest
    wrong = refused(read_initial_state, path, system, columns, 0.7)
    assert wrong.startswith("`time` must be of the 3 times of the file, 0.5 to 1.5, got 0.7")
    assert "`path` must" in refused(read_initial_state, path, system)
    plane = systems.create("brusselator")
    assert "have positions in 2 dimensions" in refused(read_initial_state, path, plane, columns)
    np.savez(path, x=axis, t=[0.0], u=fields[:1] * np.nan, v=fields[:1])
    assert "hold finite numbers, got nan in u" in refused(read_initial_state, path, system)
    np.savez(path, x=axis, u=fields[1], v=fields[2])  # states no time
    assert read_initial_state(path, system)(at).tolist() == [[1.0, 2.0]]


def test_points_that_no_field_can_lie_between():
    line = np.stack([np.arange(5.0), np.arange(5.0)], axis=1)
    assert "hold points that do not lie on one line" in refused(InitialState, line, line, "a.npz")
    one = np.zeros((1, 1))
    assert "hold two points" in refused(InitialState, one, np.zeros((1, 2)), "a.npz")
    cloud = np.random.default_rng(0).random((9, 3))
    assert "in space a regular grid" in refused(InitialState, cloud, cloud[:, :2], "a.npz")
