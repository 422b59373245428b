"""The cases of `pinn_ext.references.cases`: equations against transcriptions, starts, numbers."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pinn_ext.references import names, recipes
from pinn_ext.references.cases import (
    fitzhugh_nagumo,
    gray_scott,
    predator_prey,
    scalar,
    schnakenberg,
    schroedinger,
)

# What is left of the rates without diffusion, with the numbers of the papers written out.
TRANSCRIBED = {
    "allen_cahn/jaxpi": lambda u: [5 * u - 5 * u**3],
    "fitzhugh_nagumo/pulses": lambda u, v: [
        u - u**3 / 3 - v,
        0.08 * (u + 0.7 - 0.8 * v),
    ],
    "ginzburg_landau/jaxpi": lambda u, v: [
        10 * u - 10 * (u**2 + v**2) * (u - 1.5 * v),
        10 * v - 10 * (u**2 + v**2) * (v + 1.5 * u),
    ],
    "gray_scott/jaxpi": lambda u, v: [
        40 * (1 - u) - 1000 * u * v**2,
        -100 * v + 1000 * u * v**2,
    ],
    "gray_scott/pinnacle": lambda u, v: [
        0.04 * (1 - u) - u * v**2,
        -0.1 * v + u * v**2,
    ],
    "lambda_omega/spirals": lambda u, v: [
        (1 - u**2 - v**2) * u - (1 - (u**2 + v**2)) * v,
        (1 - u**2 - v**2) * v + (1 - (u**2 + v**2)) * u,
    ],
    "predator_prey/waves": lambda u, v: [
        u * (1 - u) - u * v / (u + 0.4),
        2 * u * v / (u + 0.4) - 0.6 * v,
    ],
    "schnakenberg/pattern": lambda u, v: [
        100 * (0.1305 - u + u**2 * v),
        100 * (0.7695 - u**2 * v),
    ],
    "schroedinger/raissi": lambda u, v: [-(u**2 + v**2) * v, (u**2 + v**2) * u],
}
# Those with first derivatives meet closed forms in test_etdrk4.py.
WITH_GRADIENTS = {"burgers/raissi", "burgers_2d/periodic", "kdv/jaxpi"}
DIFFUSION = {
    "allen_cahn/jaxpi": (1e-4,),
    "burgers/raissi": (0.01 / np.pi,),
    "burgers_2d/periodic": (0.02, 0.02),
    "fitzhugh_nagumo/pulses": (1, 0),
    "ginzburg_landau/jaxpi": (0.004,),
    "gray_scott/jaxpi": (0.2, 0.1),
    "gray_scott/pinnacle": (1e-5, 5e-6),
    "kdv/jaxpi": (0,),
    "lambda_omega/spirals": (1,),
    "predator_prey/waves": (1, 1),
    "schnakenberg/pattern": (0.05, 1),
    "schroedinger/raissi": (0.5j,),
}
DOMAIN = {
    "gray_scott/jaxpi": ([-1, -1], [1, 1], 2),
    "gray_scott/pinnacle": ([-1, -1], [1, 1], 200),
    "ginzburg_landau/jaxpi": ([-1, -1], [1, 1], 1),
    "schroedinger/raissi": ([-5], [5], np.pi / 2),
    "allen_cahn/jaxpi": ([-1], [1], 1),
    "kdv/jaxpi": ([-1], [1], 1),
    "burgers/raissi": ([-1], [1], 1),
}


def problem_of(name):
    return recipes.find(name).problem


def test_every_case_is_transcribed():
    assert set(TRANSCRIBED) | WITH_GRADIENTS == set(names()) == set(DIFFUSION)


@pytest.mark.parametrize("name", TRANSCRIBED)
def test_sources_are_those_of_the_papers(name):
    problem = problem_of(name)
    fields = np.random.default_rng(0).uniform(0.1, 1.5, (len(problem.fields), 7))
    found = problem.fields_of(problem.source(problem.joined_state(fields), None))
    assert found == pytest.approx(np.stack(TRANSCRIBED[name](*fields)), rel=1e-13)


@pytest.mark.parametrize("name", DIFFUSION)
def test_diffusion_is_that_of_the_papers(name):
    assert problem_of(name).diffusion == pytest.approx(DIFFUSION[name])


@pytest.mark.parametrize("name", DOMAIN)
def test_boxes_and_times_are_those_of_the_papers(name):
    problem = problem_of(name)
    assert (list(problem.lower), list(problem.upper), problem.final_time) == DOMAIN[name]


@pytest.mark.parametrize("name", DIFFUSION)
def test_starts_are_finite_doubles_and_periodic_unless_said_otherwise(name):
    problem = problem_of(name)
    x = np.random.default_rng(0).uniform(problem.lower, problem.upper, (40, problem.dimension))
    x[:20, 0], x[20:, 0] = problem.lower[0], problem.upper[0]
    x[20:, 1:] = x[:20, 1:]
    start = problem.start(x)
    assert start.shape == (len(problem.fields), 40) and start.dtype == float
    assert start[:, :20] == pytest.approx(start[:, 20:], abs=2e-4 if problem.kinked else 1e-9)
    step = np.eye(problem.dimension)[0] * 1e-5
    left = (problem.start(x[:20] + step) - start[:, :20]) / 1e-5
    right = (start[:, 20:] - problem.start(x[20:] - step)) / 1e-5
    width = problem.upper[0] - problem.lower[0]
    kink = np.abs(left - right).max() * width
    assert kink > 1e-6 if problem.kinked else kink < 1e-2


def test_starts_of_the_papers():
    x = np.array([[0.3, -0.2]])
    u, v = gray_scott.JAXPI.start(x)[:, 0]
    assert u == pytest.approx(1 - np.exp(-10 * (0.35**2 + 0.18**2)))
    assert v == pytest.approx(np.exp(-10 * (0.25**2 + 0.22**2)))
    u, v = problem_of("ginzburg_landau/jaxpi").start(x)[:, 0]
    assert (u, v) == pytest.approx((-2 * np.exp(-3.25), 3 * np.exp(-3.25)))
    assert schroedinger.RAISSI.start(x[:, :1])[:, 0] == pytest.approx([2 / np.cosh(0.3), 0])
    assert scalar.ALLEN_CAHN.u0(x[:, :1])[0] == pytest.approx(0.09 * np.cos(0.3 * np.pi))


@pytest.mark.parametrize(
    ("problem", "state"),
    [
        (fitzhugh_nagumo.PULSES, fitzhugh_nagumo.PULSES.rest),
        (predator_prey.WAVES, predator_prey.WAVES.peace),
        (schnakenberg.PATTERN, (0.9, 0.7695 / 0.81)),
    ],
)
def test_uniform_states_stay(problem, state):
    rates = problem.source(np.array(state)[:, None], None)
    assert np.abs(rates).max() < 1e-12


def test_the_peace_of_predator_and_prey_is_medvinskys():
    assert predator_prey.WAVES.peace == pytest.approx((6 / 35, 116 / 245))


def test_cases_are_plain_numbers_and_frozen():
    for name in names():
        problem = problem_of(name)
        assert all(isinstance(value, float) for value in problem.parameters.values()), name
        with pytest.raises(dataclasses.FrozenInstanceError):
            problem.final_time = 1.0


def test_a_scalar_case_has_no_second_field():
    with pytest.raises(NotImplementedError, match="field u only"):
        scalar.KDV.v0(np.zeros((1, 1)))


def test_nothing_of_torch_is_loaded():
    code = "import sys, pinn_ext.references.__main__; print('torch' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "False", done.stderr
