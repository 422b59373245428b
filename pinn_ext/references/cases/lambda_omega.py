"""The lambda-omega system: four spirals, of either turn in equal number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pinn_ext.references.cases.problem import Gradients, Problem


@dataclass(frozen=True, kw_only=True)
class LambdaOmega(Problem):
    """`A_t = lap A + (1 - r^2) A + i (w0 - b r^2) A` for A = u + i v, r = |A|, periodic.

    In fields: `u_t = lap u + (1 - r^2) u - (w0 - b r^2) v`,
    `v_t = lap v + (w0 - b r^2) u + (1 - r^2) v`. The start `sin X + i sin Y`, X and Y one turn over
    the square, has four zeros, around which spirals wind up: a periodic square has as many of
    either turn.

    Attributes:
        w0: turn of small amplitudes.
        b: by how much it slows with the amplitude.
    """

    source_of_case: ClassVar[str] = (
        "Kopell and Howard 1973, Stud. Appl. Math. 52:291; Greenberg 1981, "
        "SIAM J. Appl. Math. 39:301 (spirals)"
    )
    joined: ClassVar[bool] = True

    w0: float = 1.0
    b: float = 1.0
    lower: tuple[float, ...] = (-20.0, -20.0)
    upper: tuple[float, ...] = (20.0, 20.0)
    final_time: float = 20.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """The coefficient of A."""
        return (1.0,)

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return growth, saturation and turn, as `Problem.source`."""
        size = state.real**2 + state.imag**2
        return state * (1.0 - size + 1j * (self.w0 - self.b * size))

    def _turns(self, x: np.ndarray) -> np.ndarray:
        width = np.asarray(self.upper) - np.asarray(self.lower)
        return 2.0 * np.pi * (x - np.asarray(self.lower)) / width

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return the sine of x, as `Problem.u0`."""
        return np.sin(self._turns(x)[:, 0])

    def v0(self, x: np.ndarray) -> np.ndarray:
        """Return the sine of y, as `Problem.v0`."""
        return np.sin(self._turns(x)[:, 1])


SPIRALS = LambdaOmega()
"""Four spirals."""
