"""The independent method: its differences, and that it agrees with the modes."""

import numpy as np
import pytest

from pinn_ext.references import lines
from pinn_ext.references.build import relative
from pinn_ext.references.cases import (
    burgers_2d,
    fitzhugh_nagumo,
    ginzburg_landau,
    gray_scott,
    lambda_omega,
    predator_prey,
    scalar,
    schnakenberg,
)
from pinn_ext.references.etdrk4 import Integrator
from tests.references.exact import PROBLEMS

# Problem, nodes of the differences, nodes and step of the modes, final time, neighbours.
QUICK = {
    "fitzhugh_nagumo": (fitzhugh_nagumo.PULSES, 384, 256, 0.02, 4.0, 5),
    "predator_prey": (predator_prey.WAVES, 192, 192, 0.05, 20.0, 5),
    "lambda_omega": (lambda_omega.SPIRALS, 96, 96, 0.05, 1.0, 5),
    "kdv": (scalar.KDV, 256, 256, 5e-4, 0.2, 5),
    "allen_cahn": (scalar.ALLEN_CAHN, 512, 512, 2e-3, 0.2, 5),
    "gray_scott": (
        gray_scott.GrayScott(e1=0.05, e2=0.03, b=1.0, d=2.0, c=20.0, s=20.0, final_time=0.1),
        *(64, 72, 2e-3, 0.1, 8),
    ),
}
SLOW = {
    "ginzburg_landau": (ginzburg_landau.JAXPI, 256, 192, 2e-3, 0.1, 8),
    "burgers_2d": (burgers_2d.PERIODIC, 96, 96, 2e-3, 0.2, 8),
    "gray_scott": (gray_scott.JAXPI, 128, 128, 5e-4, 0.1, 8),
    "schnakenberg": (schnakenberg.PATTERN, 64, 64, 1e-3, 0.05, 8),
}


def agree(problem, nodes, modes, step, time, reach):
    integrator = Integrator(problem, modes, step)
    (spectrum,) = integrator.states([time])
    wanted = integrator.fields(spectrum, nodes)
    found = lines.solve(problem, nodes, [time], reach=reach)
    assert relative(found, wanted[None]).max() < 1e-5


@pytest.mark.parametrize("name", QUICK)
def test_the_methods_agree(name):
    agree(*QUICK[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_the_methods_agree_on_larger_grids(name):
    agree(*SLOW[name])


@pytest.mark.parametrize("name", ["burgers_2d", "gray_scott", "kdv"])
def test_differences_reach_closed_forms_too(name):
    problem, time = PROBLEMS[name][0], 0.02
    nodes = 64 if problem.dimension == 2 else 384
    (found,) = lines.solve(problem, nodes, [time])
    points = Integrator(problem, nodes, 1.0).grid.points
    wanted = problem.fields_at(points, time)
    assert np.abs(found.reshape(wanted.shape) - wanted).max() < 1e-6


@pytest.mark.parametrize("reach", [1, 2, 5])
@pytest.mark.parametrize("derivative", [1, 2])
def test_stencils_are_exact_on_polynomials_and_on_no_more(reach, derivative):
    weights, j = lines.stencil(derivative, reach), np.arange(-reach, reach + 1.0)
    for power in range(2 * reach + 1):
        wanted = {1: 1.0, 2: 2.0}[derivative] * (power == derivative)
        assert weights @ j**power == pytest.approx(wanted, abs=1e-9)
    assert abs(weights @ j ** (2 * reach + derivative)) > 0.5


def test_classical_stencils():
    assert lines.stencil(1, 1).tolist() == [-0.5, 0, 0.5]
    assert lines.stencil(2, 2) == pytest.approx(np.array([-1, 16, -30, 16, -1]) / 12)


def test_an_integrator_that_gives_up_is_quoted(monkeypatch):
    class Failed:
        success, message = False, "step size too small"

    monkeypatch.setattr(lines.integrate, "solve_ivp", lambda *_, **__: Failed())
    with pytest.raises(RuntimeError, match="DOP853 gave up on AllenCahn: step size too small"):
        lines.solve(scalar.ALLEN_CAHN, 16, [0.1])
