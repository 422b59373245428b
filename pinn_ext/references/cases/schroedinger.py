"""The focusing nonlinear Schroedinger equation with Raissi's start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pinn_ext.references.cases.problem import Gradients, Problem


@dataclass(frozen=True, kw_only=True)
class Schroedinger(Problem):
    """`h_t = i (h_xx / 2 + |h|^2 h)` for h = u + i v on a periodic interval.

    In fields: `u_t + v_xx / 2 + (u^2 + v^2) v = 0`, `v_t - u_xx / 2 - (u^2 + v^2) u = 0`. The start
    is `h = 2 sech x`, whose continuation over the ends of the interval has a kink of slope
    `4 sech b tanh b`, b the half width. On the whole line the solution is Satsuma and Yajima's
    breather of period pi / 2; on [-5, 5] it differs from that by 7e-3.
    """

    source_of_case: ClassVar[str] = (
        "Raissi, Perdikaris and Karniadakis 2019, J. Comput. Phys. 378:686, section 3.1.1"
    )
    joined: ClassVar[bool] = True
    kinked: ClassVar[bool] = True

    lower: tuple[float, ...] = (-5.0,)
    upper: tuple[float, ...] = (5.0,)
    final_time: float = math.pi / 2

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """The coefficient of h."""
        return (0.5j,)

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return the focusing term, as `Problem.source`."""
        return 1j * (state.real**2 + state.imag**2) * state

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return `2 sech x`, as `Problem.u0`."""
        return 2.0 / np.cosh(x[:, 0])

    def v0(self, x: np.ndarray) -> np.ndarray:
        """Return 0, as `Problem.v0`."""
        return np.zeros(len(x))


RAISSI = Schroedinger()
"""The case of Raissi, Perdikaris and Karniadakis."""
