"""The integrator reaches closed forms, has order 4, and keeps what the equation keeps."""

import numpy as np
import pytest

from pinn_ext.references.cases import burgers_2d, scalar, schroedinger
from pinn_ext.references.etdrk4 import Coefficients, Integrator
from tests.references.exact import PROBLEMS, Breather, GinzburgLandauWave


def error(problem, nodes, step, time):
    """Return the largest relative L2 error of the fields at a time, after the closed form."""
    integrator = Integrator(problem, nodes, step)
    (spectrum,) = integrator.states([time])
    found = integrator.fields(spectrum).reshape(len(problem.fields), -1)
    wanted = problem.fields_at(integrator.grid.points, time)
    return max(np.linalg.norm(found - wanted, axis=1) / np.linalg.norm(wanted, axis=1))


@pytest.mark.parametrize("name", PROBLEMS)
def test_closed_forms_are_reached(name):
    assert error(*PROBLEMS[name]) < 1e-9


@pytest.mark.slow
def test_the_breather_comes_back_after_its_focus():
    # What a processor rounds grows through the focus: 2e-10 on one, 1.1e-8 on another.
    assert error(Breather(), 1024, 2.5e-5, np.pi / 2) < 1e-7


def test_quadrature_and_modes_agree_on_burgers():
    problem, time = scalar.BURGERS, 0.3
    integrator = Integrator(problem, 1024, 5e-4)
    (spectrum,) = integrator.states([time])
    x = integrator.grid.points
    wanted = problem.exact(x, np.full(len(x), time))
    assert np.abs(integrator.fields(spectrum) - wanted).max() < 1e-9


@pytest.mark.parametrize(
    ("problem", "nodes", "step", "time"),
    [(GinzburgLandauWave(e=0.05), 16, 0.01, 0.4), (Breather(), 768, 2e-3, 0.1)],
    ids=["decaying", "oscillating"],
)
def test_the_order_is_4(problem, nodes, step, time):
    errors = [error(problem, nodes, step / parts, time) for parts in (1, 2, 4)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert orders == pytest.approx(4.0, abs=0.1)


def test_coefficients_are_those_of_the_limit_without_a_linear_part():
    # Runge-Kutta's own weights, 1/6, 1/3 (twice 1/6 in `middle`), 1/6, and half a step.
    c = Coefficients(np.array([0.0, -1e-13, -1e-7]), 0.1)
    for values, wanted in [(c.half, 1 / 2), (c.first, 1 / 6), (c.middle, 1 / 6), (c.last, 1 / 6)]:
        assert values == pytest.approx(np.full(3, 0.1 * wanted), rel=1e-7)


@pytest.mark.parametrize("z", [-3.0, -40.0, 2j, 50j])
def test_coefficients_are_those_of_the_formulas(z):
    c = Coefficients(np.array([z]), 1.0)
    e = np.exp(z)
    assert c.half[0] == pytest.approx((np.exp(z / 2) - 1) / z, rel=1e-12)
    assert c.first[0] == pytest.approx((-4 - z + e * (4 - 3 * z + z**2)) / z**3, rel=1e-12)
    assert c.middle[0] == pytest.approx((2 + z + e * (z - 2)) / z**3, rel=1e-12)
    assert c.last[0] == pytest.approx((-4 - 3 * z - z**2 + e * (4 - z)) / z**3, rel=1e-12)


def test_schroedinger_keeps_mass_and_energy():
    integrator = Integrator(schroedinger.RAISSI, 1024, 2e-4)

    def kept(spectrum):
        h = integrator.grid.values(spectrum)[0]
        slope = integrator.grid.values(1j * integrator.grid.waves[0] * spectrum[0])
        size = np.abs(h) ** 2
        return np.array([size.mean(), (np.abs(slope) ** 2 - size**2).mean()])

    first, later = (kept(s) for s in integrator.states([0.0, 0.3]))
    assert later == pytest.approx(first, rel=2e-8)


def test_burgers_keeps_the_mean():
    integrator = Integrator(scalar.Burgers(nu=0.05), 128, 1e-3)
    start = integrator.start()
    start[0, 0] = 0.2
    assert integrator.advance(start, 0.5)[0, 0] == pytest.approx(0.2, rel=1e-14)


def test_a_step_that_breaks_says_so():
    integrator = Integrator(burgers_2d.PERIODIC, 48, 0.5)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"0\.5.*shorten"):
        list(integrator.states([100.0]))


def test_a_time_is_met_by_equal_steps_that_are_not_longer():
    integrator = Integrator(scalar.ALLEN_CAHN, 64, 0.1)
    integrator.advance(integrator.start(), 0.25)
    assert list(integrator._known) == [pytest.approx(0.25 / 3)]
    integrator.advance(integrator.start(), 0.3)  # three steps and no fourth for rounding
    assert list(integrator._known)[-1] == pytest.approx(0.1)
