"""`Reference.evaluate`: at nodes, between nodes, between times, and what it refuses."""

import functools

import numpy as np
import pytest

from pinn_ext.checks import ArgumentError
from pinn_ext.references import load
from pinn_ext.references.carry import Carried
from pinn_ext.references.etdrk4 import Integrator
from tests.references.exact import PROBLEMS

CHEAP = ["allen_cahn/jaxpi", "burgers_2d/periodic", "fitzhugh_nagumo/pulses"]


@functools.cache
def reference(name):
    return load(name)


def nodes(ref, every=5):
    """Return some nodes [N, d], and their places in the grid."""
    places = np.arange(0, len(ref.axes[0]), every)
    index = np.stack(np.meshgrid(*[places] * len(ref.axes), indexing="ij"), -1)
    index = index.reshape(-1, len(ref.axes))
    return np.stack([axis[i] for axis, i in zip(ref.axes, index.T, strict=True)], 1), index


@pytest.mark.parametrize("name", CHEAP)
def test_stored_values_come_back_at_nodes(name):
    ref = reference(name)
    x, index = nodes(ref)
    found = ref.evaluate(x, ref.times[1])
    wanted = ref.values[(1, slice(None), *index.T)]
    assert found.shape == wanted.shape and found.dtype == float
    assert found == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("name", CHEAP)
def test_time_0_is_the_formula(name):
    ref = reference(name)
    problem = ref.problem
    x = np.random.default_rng(0).uniform(problem.lower, problem.upper, (20, problem.dimension))
    assert np.array_equal(ref.evaluate(x, 0.0), problem.start(x).T)


@pytest.mark.parametrize("name", ["fitzhugh_nagumo/pulses", "predator_prey/waves"])
def test_between_times_it_is_the_solution(name):
    ref = reference(name)
    problem, step = ref.problem, ref.about["step"]
    time = 0.613 * ref.times[1]
    fine = Integrator(problem, 384, step)
    (spectrum,) = fine.states([time])
    x = np.random.default_rng(0).uniform(problem.lower, problem.upper, (30, problem.dimension))
    wanted = problem.fields_of(fine.grid.at(spectrum, x)).T
    assert ref.evaluate(x, time) == pytest.approx(wanted, abs=1e-7)


def test_a_state_carried_from_the_former_stored_time_meets_the_next():
    ref = reference("burgers_2d/periodic")
    x, index = nodes(ref, 9)
    end = ref.times[2]
    found = ref.evaluate(x, end * (1 - 1e-8))
    assert found == pytest.approx(ref.values[(2, slice(None), *index.T)], abs=1e-6)


def test_points_may_have_times_of_their_own_in_any_order():
    ref = reference("fitzhugh_nagumo/pulses")
    draw = np.random.default_rng(3)
    x, t = draw.uniform(-30, 30, (12, 1)), draw.uniform(0, 11, 12)
    t[3] = t[8] = 0.0
    t[5] = t[9]
    found = ref.evaluate(x, t)
    one_by_one = np.concatenate([ref.evaluate(x[i : i + 1], t[i]) for i in range(12)])
    assert found == pytest.approx(one_by_one, abs=1e-12)


def test_both_ends_are_one_place():
    ref = reference("fitzhugh_nagumo/pulses")
    left, right = ref.evaluate(np.array([[-30.0], [30.0]]), 2.0)
    assert left == pytest.approx(right, abs=1e-12)


@pytest.mark.parametrize("name", ["gray_scott", "kdv", "burgers_2d"])
def test_closed_forms_are_carried(name):
    problem, nodes, step, end = PROBLEMS[name]
    integrator = Integrator(problem, nodes, step)
    x = integrator.grid.points
    shape = (len(problem.fields), *[nodes] * problem.dimension)
    times = np.array([0.0, 0.5 * end])
    values = np.stack([problem.fields_at(x, t).reshape(shape) for t in times])
    draw = np.random.default_rng(0).uniform(problem.lower, problem.upper, (9, problem.dimension))
    for part in (0.21, 0.5, 0.77):
        found = Carried(problem, times, values, step).at(draw, np.full(9, part * end))
        assert found == pytest.approx(problem.fields_at(draw, part * end), abs=2e-9)


def test_burgers_is_evaluated_by_quadrature_at_the_points_themselves():
    ref = reference("burgers/raissi")
    near_the_front = np.array([[-1e-3], [0.0], [1e-3], [0.4567]])
    found = ref.evaluate(near_the_front, 0.777)
    exact = ref.problem.exact(near_the_front, np.full(4, 0.777), panels=3000)
    assert found == pytest.approx(exact.T, abs=1e-12)
    assert found[1, 0] == pytest.approx(0.0, abs=1e-12) and found[0, 0] > 0.1 > found[2, 0]


@pytest.mark.parametrize(
    ("x", "t", "words"),
    [
        (np.zeros(3), 0.1, r"`x` of fitzhugh.* shape \[N, 1\], got shape \[3\]"),
        (np.zeros((3, 2)), 0.1, r"`x` .* shape \[N, 1\], got shape \[3, 2\]"),
        (np.zeros((3, 1)), [0.1, 0.2], r"`t` .* each of 3 points, got shape \[2\]"),
        (np.zeros((3, 1)), np.zeros((3, 1)), r"`t` .* each of 3 points, got shape \[3, 1\]"),
        (np.array([[0.0], [31.0]]), 0.1, r"`x` .* box from \[-30.0\] to \[30.0\], got \[31.0\]"),
        (np.array([[np.nan]]), 0.1, r"`x` .* got \[nan\]"),
        (np.zeros((1, 1)), 41.0, r"`t` .* lie in \[0, 40\], got 41"),
        (np.zeros((1, 1)), -0.1, r"`t` .* got -0\.1"),
        (np.zeros((1, 1)), np.nan, r"`t` .* got nan"),
    ],
)
def test_what_does_not_fit_is_refused(x, t, words):
    with pytest.raises(ArgumentError, match=words):
        reference("fitzhugh_nagumo/pulses").evaluate(x, t)


def test_no_points_give_no_rows():
    assert reference("fitzhugh_nagumo/pulses").evaluate(np.zeros((0, 1)), 1.0).shape == (0, 2)
