"""Stored states carried on to any time, and evaluated at any point."""

from __future__ import annotations

import numpy as np

from pinn_ext.references.cases.problem import Problem
from pinn_ext.references.etdrk4 import Coefficients, Integrator
from pinn_ext.references.fourier import FourierGrid


class Carried:
    """A solution between stored states.

    The states' own modes are stepped on a grid of 3/2 as many nodes, so that all of them are kept.

    Args:
        problem: equation, box and start.
        times: [T], rising from 0.
        values: stored fields [T, fields, nodes, …].
        step: of the integrator.
    """

    def __init__(
        self, problem: Problem, times: np.ndarray, values: np.ndarray, step: float
    ) -> None:
        self._problem, self._times, self._values = problem, np.asarray(times), values
        nodes = values.shape[-1]
        self._stored = FourierGrid(problem.lower, problem.upper, nodes, not problem.joined)
        self._integrator = Integrator(problem, 3 * nodes // 2, step)

    def _state(self, number: int) -> np.ndarray:
        if number == 0:
            return self._integrator.start()
        state = self._problem.joined_state(self._values[number].astype(float))
        return self._stored.on(self._integrator.grid, self._stored.spectrum(state))

    def at(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Return the fields [fields, N] at points x [N, d] and times t [N] of the problem."""
        found = np.empty((len(self._problem.fields), len(x)))
        moments, rows = np.unique(t, return_inverse=True)
        before = np.searchsorted(self._times, moments * (1.0 + 1e-12), side="right") - 1
        for number in np.unique(before):
            spectrum, steps = self._state(int(number)), 0
            for place in np.flatnonzero(before == number):
                chosen = rows == place
                ahead = moments[place] - self._times[number]
                if number == 0 and ahead == 0.0:
                    found[:, chosen] = self._problem.start(self._inside(x[chosen]))
                    continue
                whole = int(ahead / self._integrator.step + 1e-9)
                spectrum, steps = self._steps(spectrum, whole - steps), whole
                there = self._part(spectrum, ahead - whole * self._integrator.step)
                values = self._integrator.grid.at(there, x[chosen])
                found[:, chosen] = self._problem.fields_of(values)
        return found

    def _inside(self, x: np.ndarray) -> np.ndarray:
        """Return points in the box itself, as starts are formulas and not periodic ones."""
        return np.clip(x, self._problem.lower, self._problem.upper)

    def _steps(self, spectrum: np.ndarray, count: int) -> np.ndarray:
        coefficients = self._integrator.coefficients(self._integrator.step)
        for _ in range(count):
            spectrum = self._integrator.one_step(spectrum, coefficients)
        return spectrum

    def _part(self, spectrum: np.ndarray, duration: float) -> np.ndarray:
        """Return the modes after a part of a step, whose coefficients nobody needs again."""
        if duration <= 1e-9 * self._integrator.step:
            return spectrum
        coefficients = Coefficients(self._integrator.linear, duration)
        return self._integrator.one_step(spectrum, coefficients)
