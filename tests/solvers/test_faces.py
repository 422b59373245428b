"""What `solvers` itself hands on, and what the former places of its modules still do."""

import subprocess
import sys

import pytest
import torch

import solvers
from solvers import gauss_newton, rk4, semidiscrete, stability, tableaus


def test_least_squares_is_there_too():
    assert solvers.least_squares is gauss_newton.least_squares
    assert "least_squares" in solvers.__all__
    fit = solvers.least_squares(lambda x: x - torch.tensor([1.0, 2.0]), [0.0, 0.0])
    assert fit.success and fit.x.tolist() == pytest.approx([1.0, 2.0])


def test_other_names_are_refused_as_by_any_module():
    with pytest.raises(AttributeError, match="module 'solvers' has no attribute 'least_square'"):
        _ = solvers.least_square


def test_import_solvers_alone_loads_no_torch():
    code = "import solvers, sys; sys.exit('torch' in sys.modules or 'solvers.rk4' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_former_places_have_what_they_had():
    assert tableaus.Tableau is rk4.Tableau and tableaus.RK4 is rk4.RK4
    assert tableaus.find("rk4") is tableaus.RK4 and "heun" in tableaus.names()
    assert tableaus.HEUN is rk4.HEUN and tableaus.THREE_EIGHTHS is rk4.THREE_EIGHTHS
    assert semidiscrete.SemiDiscrete is rk4.SemiDiscrete
    assert stability.stable_step is rk4.stable_step and stability.substeps is rk4.substeps
    assert stability.UnstableOperatorError is rk4.UnstableOperatorError
    for name in ("check_operators", "spectral_abscissa", "spectral_radius"):
        assert callable(getattr(stability, name))


def test_former_names_of_the_stepper_still_serve():
    class Line:
        num_rows = 1

        def residual(self, x):
            return x - 1.0

        def linearize(self, x):
            return x - 1.0, torch.ones(1, 1)

    with pytest.warns(DeprecationWarning, match="`direction` is now `solver`"):
        stepper = gauss_newton.Stepper(Line(), torch.zeros(1), direction="dual")
    assert stepper.solver == "dual"
    with pytest.warns(DeprecationWarning, match="`path` is now `solver`"):
        assert stepper.path == "dual"
