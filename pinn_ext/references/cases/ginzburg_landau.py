"""The complex Ginzburg-Landau equation in jaxpi's setting, and its plane waves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pinn_ext.references.cases.problem import Gradients, Problem


@dataclass(frozen=True, kw_only=True)
class GinzburgLandau(Problem):
    """`A_t = e lap A + k A - k (1 + i w) |A|^2 A` for A = u + i v on [-1, 1]^2.

    The start is `A = 10 (y + i x) exp(-25 |x|^2)`. A plane wave `R exp(i (q.x - k w R^2 t))` with
    `R^2 = 1 - e |q|^2 / k` is exact. The sign of w is that of jaxpi's code; the other one turns v
    around, with the same |A|.

    Attributes:
        e: diffusion.
        k: rate of growth.
        w: nonlinear turn.
    """

    source_of_case: ClassVar[str] = (
        "jaxpi (Wang, Sankaran, Wang and Perdikaris 2023, arXiv:2308.08468), "
        "example ginzburg_landau"
    )
    joined: ClassVar[bool] = True

    e: float = 0.004
    k: float = 10.0
    w: float = 1.5
    lower: tuple[float, ...] = (-1.0, -1.0)
    upper: tuple[float, ...] = (1.0, 1.0)
    final_time: float = 1.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """The coefficient of A."""
        return (self.e,)

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return growth, saturation and turn, as `Problem.source`."""
        size = state.real**2 + state.imag**2
        return state * (self.k - self.k * (1.0 + 1j * self.w) * size)

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return `10 y exp(-25 |x|^2)`, as `Problem.u0`."""
        return 10.0 * x[:, 1] * np.exp(-25.0 * np.sum(x**2, axis=1))

    def v0(self, x: np.ndarray) -> np.ndarray:
        """Return `10 x exp(-25 |x|^2)`, as `Problem.v0`."""
        return 10.0 * x[:, 0] * np.exp(-25.0 * np.sum(x**2, axis=1))


JAXPI = GinzburgLandau()
"""The case of jaxpi."""
