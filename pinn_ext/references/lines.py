"""The independent method: central differences in space and scipy's integrators in time."""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

import numpy as np
from scipy import integrate, ndimage

from pinn_ext.references.cases.problem import Problem


def stencil(derivative: int, reach: int) -> np.ndarray:
    """Return the central weights of order `2 reach` for a derivative on a grid of spacing 1.

    Fornberg 1988, Math. Comput. 51:699, the closed form for equal spacing.

    Args:
        derivative: 1 or 2.
        reach: neighbours to either side.

    Returns:
        [2 reach + 1], of neighbours from the left to the right.
    """
    j = np.arange(1, reach + 1)
    size = [factorial(reach) ** 2 / (factorial(reach - i) * factorial(reach + i)) for i in j]
    signs = np.where(j % 2 == 1, 1.0, -1.0)
    if derivative == 1:
        right = signs * size / j
        return np.concatenate([-right[::-1], [0.0], right])
    right = 2.0 * signs * size / j**2
    return np.concatenate([right[::-1], [-2.0 * right.sum()], right])


class Differences:
    """Derivatives of a state [components, *grid] by central differences of order `2 reach`."""

    def __init__(self, state: np.ndarray, spacings: Sequence[float], reach: int) -> None:
        self._state, self._spacings = state, spacings
        self._weights = [stencil(derivative, reach) for derivative in (1, 2)]

    def _along(self, values: np.ndarray, axis: int, derivative: int) -> np.ndarray:
        weights = self._weights[derivative - 1] / self._spacings[axis] ** derivative
        return ndimage.correlate1d(values, weights, axis=axis, mode="wrap")

    def gradient(self, component: int) -> list[np.ndarray]:
        """Return the derivatives of a component [*grid] along each axis."""
        one = self._state[component]
        return [self._along(one, axis, 1) for axis in range(len(self._spacings))]

    def laplacian(self, component: int) -> np.ndarray:
        """Return the Laplacian [*grid] of a component."""
        axes = range(len(self._spacings))
        return np.sum([self._along(self._state[component], axis, 2) for axis in axes], axis=0)

    def third(self, component: int) -> np.ndarray:
        """Return the third derivative [nodes] of a component along its only axis."""
        return self._along(self._along(self._state[component], 0, 2), 0, 1)


def solve(
    problem: Problem,
    nodes: int,
    times: Sequence[float],
    *,
    reach: int = 5,
    tolerance: float = 1e-9,
    method: str = "DOP853",
) -> np.ndarray:
    """Solve a problem on a grid by the method of lines.

    Shares with the spectral method the problem's formulas and nothing else.

    Args:
        problem: equation, box and start.
        nodes: along each axis.
        times: rising, at which the fields are wanted.
        reach: neighbours to either side; the order in space is twice that.
        tolerance: of the integrator, relative and absolute.
        method: of `scipy.integrate.solve_ivp`.

    Returns:
        [T, fields, *grid] at the nodes of a `FourierGrid` of that size.

    Raises:
        RuntimeError: if the integrator gives up, with its own words.
    """
    pairs = zip(problem.lower, problem.upper, strict=True)
    axes = [low + (high - low) * np.arange(nodes) / nodes for low, high in pairs]
    spacings = [axis[1] - axis[0] for axis in axes]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
    grid = (-1, *[nodes] * len(axes))
    start = problem.joined_state(problem.start(points))

    def rates(_: float, flat: np.ndarray) -> np.ndarray:
        state = flat.reshape(grid)
        d = Differences(state, spacings, reach)
        found = problem.source(state, d)
        for component, coefficient in enumerate(problem.diffusion):
            if coefficient:
                found[component] += coefficient * d.laplacian(component)
            if problem.dispersion:
                found[component] += problem.dispersion * d.third(component)
        return found.ravel()

    done = integrate.solve_ivp(
        rates,
        (0.0, times[-1]),
        start.ravel(),
        method=method,
        t_eval=times,
        rtol=tolerance,
        atol=tolerance,
    )
    if not done.success:
        raise RuntimeError(f"scipy's {method} gave up on {type(problem).__name__}: {done.message}")
    return np.stack([problem.fields_of(flat.reshape(grid)) for flat in done.y.T])
