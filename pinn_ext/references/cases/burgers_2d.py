"""The coupled Burgers equations in two dimensions, with a vortex that no potential has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pinn_ext.references.cases.problem import Gradients, Problem


@dataclass(frozen=True, kw_only=True)
class Burgers2D(Problem):
    """`u_t + u u_x + v u_y = nu lap u`, `v_t + u v_x + v v_y = nu lap v` on a periodic square.

    The start is the vortex of Taylor and Green with a shear flow across it,
    `u = sin X cos Y`, `v = -cos X sin Y + sin X / 2` (X, Y one turn over the square). As its curl
    is not 0, the transformation of Cole and Hopf does not apply.

    Attributes:
        nu: viscosity.
    """

    source_of_case: ClassVar[str] = (
        "own case; the vortex is that of Taylor and Green 1937, Proc. R. Soc. A 158:499"
    )

    nu: float = 0.02
    lower: tuple[float, ...] = (0.0, 0.0)
    upper: tuple[float, ...] = (1.0, 1.0)
    final_time: float = 1.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """Coefficients of u and v."""
        return self.nu, self.nu

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return the transport of both fields by both, as `Problem.source`."""
        u, v = state
        (u_x, u_y), (v_x, v_y) = d.gradient(0), d.gradient(1)
        return -np.stack([u * u_x + v * u_y, u * v_x + v * v_y])

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return `sin X cos Y`, as `Problem.u0`."""
        turns = 2.0 * np.pi * x
        return np.sin(turns[:, 0]) * np.cos(turns[:, 1])

    def v0(self, x: np.ndarray) -> np.ndarray:
        """Return `-cos X sin Y + sin X / 2`, as `Problem.v0`."""
        turns = 2.0 * np.pi * x
        sine = np.sin(turns[:, 0])
        return -np.cos(turns[:, 0]) * np.sin(turns[:, 1]) + 0.5 * sine


PERIODIC = Burgers2D()
"""A vortex under a shear flow."""
