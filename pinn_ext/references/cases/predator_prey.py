"""Predator and prey of Rosenzweig and MacArthur with diffusion, beyond the Hopf point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pinn_ext.references.cases.problem import Gradients, Problem


@dataclass(frozen=True, kw_only=True)
class PredatorPrey(Problem):
    """`u_t = u_xx + u (1 - u) - u v / (u + h)`, `v_t = v_xx + k u v / (u + h) - m v`.

    Prey u and predator v on a periodic interval. Where they are at peace, `u = m h / (k - m)`,
    `v = (1 - u) (u + h)`, they do not stay: small differences grow into waves of the limit cycle.
    The start is that state and waves of v of the interval's length.

    Attributes:
        h: prey at which the predator eats half of what it can.
        k: its growth by eating.
        m: its death.
        height: of the waves of v in the start.
    """

    source_of_case: ClassVar[str] = (
        "Medvinsky et al. 2002, SIAM Rev. 44:311 (k = 2, h = 0.4, m = 0.6); "
        "Garvie 2007, Bull. Math. Biol. 69:931, kinetics (i)"
    )

    h: float = 0.4
    k: float = 2.0
    m: float = 0.6
    height: float = 0.1
    lower: tuple[float, ...] = (0.0,)
    upper: tuple[float, ...] = (200.0,)
    final_time: float = 60.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """Coefficients of u and v."""
        return 1.0, 1.0

    @property
    def peace(self) -> tuple[float, float]:
        """The uniform state in which both live: 6/35 and 116/245 with Medvinsky's numbers."""
        u = self.m * self.h / (self.k - self.m)
        return u, (1.0 - u) * (u + self.h)

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return growth, eating and death, as `Problem.source`."""
        u, v = state
        eaten = u * v / (u + self.h)
        return np.stack([u * (1.0 - u) - eaten, self.k * eaten - self.m * v])

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return the uniform state, as `Problem.u0`."""
        return np.full(len(x), self.peace[0])

    def v0(self, x: np.ndarray) -> np.ndarray:
        """Return the uniform state and a wave, as `Problem.v0`."""
        turn = 2.0 * np.pi * (x[:, 0] - self.lower[0]) / (self.upper[0] - self.lower[0])
        return self.peace[1] + self.height * (np.cos(turn) + 0.5 * np.sin(2.0 * turn))


WAVES = PredatorPrey()
"""Waves of the limit cycle."""
