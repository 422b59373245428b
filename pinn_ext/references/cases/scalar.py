"""Scalar problems on which accuracy records stand: Allen-Cahn, Korteweg-de Vries, Burgers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pinn_ext.references.cases.problem import Gradients, Problem


@dataclass(frozen=True, kw_only=True)
class AllenCahn(Problem):
    """`u_t = e u_xx + k (u - u^3)` on a periodic [-1, 1], from `x^2 cos(pi x)`.

    Attributes:
        e: diffusion.
        k: rate of the reaction.
    """

    source_of_case: ClassVar[str] = (
        "Raissi, Perdikaris and Karniadakis 2019, J. Comput. Phys. 378:686, section 3.2.1; "
        "jaxpi, example allen_cahn"
    )
    fields: ClassVar[tuple[str, ...]] = ("u",)
    kinked: ClassVar[bool] = True

    e: float = 1e-4
    k: float = 5.0
    lower: tuple[float, ...] = (-1.0,)
    upper: tuple[float, ...] = (1.0,)
    final_time: float = 1.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """The coefficient of u."""
        return (self.e,)

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return the reaction, as `Problem.source`."""
        return self.k * (state - state**3)

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return `x^2 cos(pi x)`, as `Problem.u0`."""
        return x[:, 0] ** 2 * np.cos(np.pi * x[:, 0])


@dataclass(frozen=True, kw_only=True)
class KortewegDeVries(Problem):
    """`u_t + u u_x + mu^2 u_xxx = 0` on a periodic [-1, 1], from `cos(pi x)`.

    Attributes:
        mu: square root of the dispersion.
    """

    source_of_case: ClassVar[str] = (
        "Zabusky and Kruskal 1965, Phys. Rev. Lett. 15:240; jaxpi, example kdv"
    )
    fields: ClassVar[tuple[str, ...]] = ("u",)

    mu: float = 0.022
    lower: tuple[float, ...] = (-1.0,)
    upper: tuple[float, ...] = (1.0,)
    final_time: float = 1.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """There is none."""
        return (0.0,)

    @property
    def dispersion(self) -> float:  # type: ignore[override]
        """The coefficient of the third derivative."""
        return -(self.mu**2)

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return the transport of the field by itself, as `Problem.source`."""
        (u_x,) = d.gradient(0)
        return -state * u_x

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return `cos(pi x)`, as `Problem.u0`."""
        return np.cos(np.pi * x[:, 0])


@dataclass(frozen=True, kw_only=True)
class Burgers(Problem):
    """`u_t + u u_x = nu u_xx` on [-1, 1] with u = 0 at both ends, from `-sin(pi x)`.

    The start is odd and of period 2, so that the problem on the interval is the periodic one.

    Attributes:
        nu: viscosity.
    """

    source_of_case: ClassVar[str] = (
        "Basdevant et al. 1986, Comput. Fluids 14:23; Raissi, Perdikaris and Karniadakis 2019"
    )
    fields: ClassVar[tuple[str, ...]] = ("u",)

    nu: float = 0.01 / np.pi
    lower: tuple[float, ...] = (-1.0,)
    upper: tuple[float, ...] = (1.0,)
    final_time: float = 1.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """The coefficient of u."""
        return (self.nu,)

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return the transport of the field by itself, as `Problem.source`."""
        (u_x,) = d.gradient(0)
        return -state * u_x

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return `-sin(pi x)`, as `Problem.u0`."""
        return -np.sin(np.pi * x[:, 0])

    def exact(self, x: np.ndarray, t: np.ndarray, panels: int = 800) -> np.ndarray:
        """Return the solution by Cole's and Hopf's transformation and the trapezoidal rule.

        u is the mean of the start at `x - sqrt(4 nu t) s` with the weights
        `exp(-cos(pi (x - sqrt(4 nu t) s)) / (2 pi nu) - s^2)`: smooth in s and gone at |s| = 10, so
        that the trapezoidal rule converges faster than any power. All weights are positive.

        Args:
            x: places [N, 1].
            t: times [N], 0 or more.
            panels: of the rule on [-10, 10].

        Returns:
            [1, N].
        """
        s = np.linspace(-10.0, 10.0, panels + 1)
        found = np.empty(len(x))
        for rows in np.array_split(np.arange(len(x)), max(len(x) * panels // 2_000_000, 1)):
            y = np.pi * (x[rows, :1] - np.sqrt(4.0 * self.nu * t[rows, None]) * s)
            power = -np.cos(y) / (2.0 * np.pi * self.nu) - s**2
            weights = np.exp(power - power.max(axis=1, keepdims=True))
            found[rows] = -np.sum(weights * np.sin(y), axis=1) / np.sum(weights, axis=1)
        return found[None]


ALLEN_CAHN = AllenCahn()
KDV = KortewegDeVries()
BURGERS = Burgers()
