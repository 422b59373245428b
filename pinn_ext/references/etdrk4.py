"""Exponential time differencing of order 4 on Fourier modes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from pinn_ext.references.cases.problem import Problem
from pinn_ext.references.fourier import FourierGrid, SpectralDerivatives

_ON_CIRCLE = 32
_START_NODES = {1: 16384, 2: 1024}
"""Nodes along an axis on which a start is read, by dimension: its modes come without aliasing."""


class Coefficients:
    """The coefficients of ETDRK4 for one step.

    Cox and Matthews 2002, J. Comput. Phys. 176:430, eqs. (26) to (29); evaluated as means over a
    circle around each eigenvalue: Kassam and Trefethen 2005, SIAM J. Sci. Comput. 26:1214. Written
    out, they are differences of nearly equal numbers for small eigenvalues.

    Args:
        linear: eigenvalues of the linear part, of any shape, in 1 / time.
        step: in time.
    """

    def __init__(self, linear: np.ndarray, step: float) -> None:
        single, back = np.unique(linear, return_inverse=True)
        turns = np.exp(2j * np.pi * (np.arange(_ON_CIRCLE) + 0.5) / _ON_CIRCLE)
        z = step * single[:, None] + turns
        e = np.exp(z)

        def mean(values: np.ndarray) -> np.ndarray:
            found = values.mean(axis=1)
            return self._spread(found if np.iscomplexobj(single) else found.real, back, linear)

        self.half = mean((np.exp(0.5 * z) - 1.0) / z) * step
        self.first = mean((-4.0 - z + e * (4.0 - 3.0 * z + z**2)) / z**3) * step
        self.middle = mean((2.0 + z + e * (z - 2.0)) / z**3) * step
        self.last = mean((-4.0 - 3.0 * z - z**2 + e * (4.0 - z)) / z**3) * step
        self.decay, self.half_decay = np.exp(step * linear), np.exp(0.5 * step * linear)

    @staticmethod
    def _spread(values: np.ndarray, back: np.ndarray, like: np.ndarray) -> np.ndarray:
        return values[back.reshape(-1)].reshape(like.shape)


class Integrator:
    """Steps a problem's modes on a grid; those above two thirds of the grid's stay 0.

    So products of two fields bring nothing back into the modes that are kept; those of three bring
    something only from the upper part of them, where a resolved field has next to nothing.

    Args:
        problem: equation, box and start.
        nodes: along each axis.
        step: the largest step, in time.
    """

    def __init__(self, problem: Problem, nodes: int, step: float) -> None:
        self.problem, self.step = problem, step
        self.grid = FourierGrid(problem.lower, problem.upper, nodes, not problem.joined)
        self.keep = self.grid.below(nodes / 3)
        squares = np.broadcast_to(self.grid.squares, self.keep.shape)
        linear = np.stack([-d * squares for d in problem.diffusion])
        if problem.dispersion:
            linear = linear - 1j * problem.dispersion * self.grid.waves[0] ** 3
        self.linear = linear * self.keep
        self._known: dict[float, Coefficients] = {}

    def start(self) -> np.ndarray:
        """Return the modes [components, *modes] of the problem's start."""
        problem = self.problem
        nodes = max(_START_NODES[problem.dimension], self.grid.nodes)
        fine = FourierGrid(problem.lower, problem.upper, nodes, self.grid.real)
        values = problem.start(fine.points).reshape(-1, *[nodes] * problem.dimension)
        return fine.on(self.grid, fine.spectrum(problem.joined_state(values))) * self.keep

    def source(self, spectrum: np.ndarray) -> np.ndarray:
        """Return the modes of what is not linear, of a state's modes."""
        state = self.grid.values(spectrum)
        rates = self.problem.source(state, SpectralDerivatives(self.grid, spectrum))
        return self.grid.spectrum(rates) * self.keep

    def one_step(self, spectrum: np.ndarray, c: Coefficients) -> np.ndarray:
        """Return the modes a step later."""
        here = self.source(spectrum)
        halfway = c.half_decay * spectrum
        a = halfway + c.half * here
        at_a = self.source(a)
        at_b = self.source(halfway + c.half * at_a)
        at_c = self.source(c.half_decay * a + c.half * (2.0 * at_b - here))
        middle = 2.0 * c.middle * (at_a + at_b)
        return c.decay * spectrum + c.first * here + middle + c.last * at_c

    def coefficients(self, step: float) -> Coefficients:
        """Return the coefficients for a step, kept for steps equal but for rounding."""
        key = float(f"{step:.12g}")
        if key not in self._known:
            if len(self._known) > 3:  # those of single times would pile up
                self._known.pop(next(iter(self._known)))
            self._known[key] = Coefficients(self.linear, key)
        return self._known[key]

    def advance(self, spectrum: np.ndarray, duration: float) -> np.ndarray:
        """Return the modes some time later, in equal steps that are not larger than `step`.

        Args:
            spectrum: [components, *modes].
            duration: 0 or more.

        Returns:
            [components, *modes].

        Raises:
            FloatingPointError: if they are not finite any more.
        """
        if duration <= 0.0:
            return spectrum
        steps = math.ceil(duration / self.step * (1.0 - 1e-9))
        c = self.coefficients(duration / steps)
        for _ in range(steps):
            spectrum = self.one_step(spectrum, c)
        if not np.isfinite(spectrum).all():
            name = type(self.problem).__name__
            raise FloatingPointError(f"A step of {duration / steps:.3g} breaks {name}: shorten it.")
        return spectrum

    def states(self, times: Sequence[float]) -> Iterator[np.ndarray]:
        """Yield the modes [components, *modes] at rising times, from the problem's start."""
        spectrum, now = self.start(), 0.0
        for time in times:
            spectrum, now = self.advance(spectrum, time - now), time
            yield spectrum

    def fields(self, spectrum: np.ndarray, nodes: int | None = None) -> np.ndarray:
        """Return the fields [fields, *grid] of modes, on a grid of as many nodes along each axis.

        Args:
            spectrum: [components, *modes].
            nodes: of the other grid, None for this one's.
        """
        grid = self.grid
        if nodes is not None and nodes != grid.nodes:
            other = FourierGrid(grid.lower, grid.upper, nodes, grid.real)
            grid, spectrum = other, grid.on(other, spectrum)
        return self.problem.fields_of(grid.values(spectrum))
