"""Schnakenberg's reaction: spots grow out of a small bump."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pinn_ext.references.cases.problem import Gradients, Problem, bump


@dataclass(frozen=True, kw_only=True)
class Schnakenberg(Problem):
    """`u_t = e1 lap u + k (a - u + u^2 v)`, `v_t = e2 lap v + k (b - u^2 v)` on [0, 1]^2.

    The start is the uniform state `u = a + b`, `v = b / (a + b)^2`, which is unstable, and a bump
    of u at (1/3, 1/2). Ruuth's box has no flux through its sides; this one is periodic, and so is
    the bump.

    Attributes:
        e1: diffusion of u.
        e2: diffusion of v.
        a: feed of u.
        b: feed of v.
        k: rate of the reaction.
        height: of the bump.
    """

    source_of_case: ClassVar[str] = (
        "Schnakenberg 1979, J. Theor. Biol. 81:389; parameters and bump of "
        "Ruuth 1995, J. Math. Biol. 34:148, made periodic"
    )

    e1: float = 0.05
    e2: float = 1.0
    a: float = 0.1305
    b: float = 0.7695
    k: float = 100.0
    height: float = 1e-3
    lower: tuple[float, ...] = (0.0, 0.0)
    upper: tuple[float, ...] = (1.0, 1.0)
    final_time: float = 1.0

    @property
    def diffusion(self) -> tuple[complex, ...]:
        """Coefficients of u and v."""
        return self.e1, self.e2

    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return feeds, loss and reaction, as `Problem.source`."""
        u, v = state
        turnover = u * u * v
        return self.k * np.stack([self.a - u + turnover, self.b - turnover])

    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return the uniform state and a bump, as `Problem.u0`."""
        return self.a + self.b + self.height * bump(x, (1.0 / 3.0, 0.5), 100.0, 1.0)

    def v0(self, x: np.ndarray) -> np.ndarray:
        """Return the uniform state, as `Problem.v0`."""
        return np.full(len(x), self.b / (self.a + self.b) ** 2)


PATTERN = Schnakenberg()
"""A pattern of spots."""
