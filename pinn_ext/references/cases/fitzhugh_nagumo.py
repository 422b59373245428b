"""FitzHugh-Nagumo with feedback: two pulses run around a ring and put each other out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pinn_ext.references.cases.problem import Gradients, Problem, bump


@dataclass(frozen=True, kw_only=True)
class FitzHughNagumo(Problem):
    """`u_t = u_xx + u - u^3 / 3 - v`, `v_t = eps (u + a - b v)` on a periodic interval.

    Excitable: the state of rest is stable, and the start adds to it a bump of u that sends a pulse
    to either side. They meet at the ends of the interval, which are one place. No closed form is
    known with feedback (b eps > 0).

    Attributes:
        a: threshold of recovery.
        b: loss of recovery.
        eps: slowness of recovery.
        height: of the bump of u in the start.
        steepness: of that bump, in 1 / length^2.
        diffusion_v: diffusion of v, 0 in FitzHugh's and Nagumo's cable.
    """

    source_of_case: ClassVar[str] = (
        "FitzHugh 1961, Biophys. J. 1:445 (a = 0.7, b = 0.8, eps = 0.08) with Nagumo's cable (1962)"
    )

    a: float = 0.7
    b: float = 0.8
    eps: float = 0.08
    height: float = 2.5
    steepness: float = 0.08
    diffusion_v: float = 0.0
    lower: tuple[float, ...] = (-30.0,)
    upper: tuple[float, ...] = (30.0,)
    final_time: float = 40.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """Coefficients of u and v."""
        return 1.0, self.diffusion_v

    @property
    def rest(self) -> tuple[float, float]:
        """The state of rest: the real root of `u - u^3 / 3 = (u + a) / b`, and its v."""
        roots = np.roots([-1.0 / 3.0, 0.0, 1.0 - 1.0 / self.b, -self.a / self.b])
        u = float(roots[np.argmin(np.abs(roots.imag))].real)
        return u, (u + self.a) / self.b

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return excitation and recovery, as `Problem.source`."""
        u, v = state
        return np.stack([u - u**3 / 3.0 - v, self.eps * (u + self.a - self.b * v)])

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return rest and a bump in the middle, as `Problem.u0`."""
        period = self.upper[0] - self.lower[0]
        return self.rest[0] + self.height * bump(x, (0.0,), self.steepness, period)

    def v0(self, x: np.ndarray) -> np.ndarray:
        """Return rest, as `Problem.v0`."""
        return np.full(len(x), self.rest[1])


PULSES = FitzHughNagumo()
"""Two pulses on a ring."""
