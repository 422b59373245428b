"""Gray-Scott in the two settings that networks are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pinn_ext.references.cases.problem import Gradients, Problem


@dataclass(frozen=True, kw_only=True)
class GrayScott(Problem):
    """`u_t = e1 lap u + b (1 - u) - c u v^2`, `v_t = e2 lap v - d v + c u v^2` on [-1, 1]^2.

    The start is `u = 1 - exp(-s |x - p|^2)`, `v = exp(-s |x + p|^2)` with p = (-0.05, -0.02).
    Its continuation over the box's sides has a jump of the size of `exp(-s)`: 1e-4 in jaxpi's case,
    nothing in PINNacle's.

    Attributes:
        e1: diffusion of u.
        e2: diffusion of v.
        b: feed of u.
        d: total loss of v.
        c: rate of the reaction.
        s: steepness of the start.
    """

    source_of_case: ClassVar[str] = (
        "jaxpi (Wang, Sankaran, Wang and Perdikaris 2023, arXiv:2308.08468), example grey_scott; "
        "PINNacle (Hao et al. 2023, arXiv:2306.08827), class GrayScottEquation"
    )

    e1: float
    e2: float
    b: float
    d: float
    c: float
    s: float
    lower: tuple[float, ...] = (-1.0, -1.0)
    upper: tuple[float, ...] = (1.0, 1.0)

    @property
    def kinked(self) -> bool:  # type: ignore[override]
        """Whether the start's Gaussians reach the sides of the box, measured by rounding."""
        return self.s < 36.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """Coefficients of u and v."""
        return self.e1, self.e2

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return feed, loss and reaction, as `Problem.source`."""
        u, v = state
        turnover = self.c * u * v * v
        return np.stack([self.b * (1.0 - u) - turnover, turnover - self.d * v])

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return 1 without a Gaussian around (-0.05, -0.02), as `Problem.u0`."""
        return 1.0 - np.exp(-self.s * ((x[:, 0] + 0.05) ** 2 + (x[:, 1] + 0.02) ** 2))

    def v0(self, x: np.ndarray) -> np.ndarray:
        """Return a Gaussian around (0.05, 0.02), as `Problem.v0`."""
        return np.exp(-self.s * ((x[:, 0] - 0.05) ** 2 + (x[:, 1] - 0.02) ** 2))


JAXPI = GrayScott(e1=0.2, e2=0.1, b=40.0, d=100.0, c=1000.0, s=10.0, final_time=2.0)
"""The case of jaxpi."""

PINNACLE = GrayScott(e1=1e-5, e2=5e-6, b=0.04, d=0.1, c=1.0, s=80.0, final_time=200.0)
"""The case of PINNacle, which sets no boundary condition: here the box is periodic."""
