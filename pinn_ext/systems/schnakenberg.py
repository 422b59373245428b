"""Schnakenberg's reaction, which makes Turing patterns, with a manufactured solution."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from pinn_ext.checks import check_number
from pinn_ext.systems.manufactured import ManufacturedSystem


class Schnakenberg(ManufacturedSystem):
    """`u_t = d_u lap u + g (a - u + u^2 v) + s_u`, `v_t = d_v lap v + g (b - u^2 v) + s_v`.

    Schnakenberg 1979, J. Theor. Biol. 81. The steady state `u = a + b`, `v = b / (a + b)^2` is all
    that is known in closed form: the solution, waves around it, is manufactured, see
    `ManufacturedSystem`.

    Args:
        a: supply of u, dimensionless.
        b: supply of v, dimensionless.
        rate: g, dimensionless.
        boundary: `"periodic"` (default) or `"dirichlet"`.
    """

    name: ClassVar[str] = "schnakenberg"
    diffusion = (0.01, 0.1)
    amplitudes = (0.3, 0.2)

    def __init__(
        self, a: float = 0.1, b: float = 0.9, rate: float = 2.0, boundary: str | None = None
    ) -> None:
        super().__init__(boundary)
        self.a = float(check_number("a", a, 0))
        self.b = float(check_number("b", b, 0, open_low=True))
        self.rate = float(check_number("rate", rate, 0, open_low=True))
        self.means = (self.a + self.b, self.b / (self.a + self.b) ** 2)

    def reaction(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return supply, decay of u and the turnover of v into u."""
        turnover = u * u * v
        return self.rate * (self.a - u + turnover), self.rate * (self.b - turnover)
