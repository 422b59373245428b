"""Prey and predators that diffuse, with a manufactured solution."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from pinn_ext.checks import check_number
from pinn_ext.systems.manufactured import ManufacturedSystem


class PredatorPrey(ManufacturedSystem):
    """`u_t = d_u lap u + u (1 - u) - p + s_u`, `v_t = d_v lap v + k p - m v + s_v`.

    Predation is `p = u v / (u + h)`, u the prey: the Rosenzweig-MacArthur reaction in the scaling
    of Medvinsky et al. 2002 (SIAM Review 44). Nothing in closed form is known beside its steady
    states: the solution is manufactured, see `ManufacturedSystem`.

    Args:
        saturation: h, dimensionless.
        conversion: k, dimensionless.
        mortality: m, dimensionless.
        boundary: `"periodic"` (default) or `"dirichlet"`.
    """

    name: ClassVar[str] = "predator_prey"
    diffusion = (0.01, 0.02)
    means = (0.5, 0.3)
    amplitudes = (0.3, 0.15)

    def __init__(
        self,
        saturation: float = 0.3,
        conversion: float = 2.0,
        mortality: float = 0.8,
        boundary: str | None = None,
    ) -> None:
        super().__init__(boundary)
        self.saturation = float(check_number("saturation", saturation, 0, open_low=True))
        self.conversion = float(check_number("conversion", conversion, 0))
        self.mortality = float(check_number("mortality", mortality, 0))

    def reaction(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return growth of the prey less what is eaten, and what that feeds less deaths."""
        eaten = u * v / (u + self.saturation)
        return u * (1.0 - u) - eaten, self.conversion * eaten - self.mortality * v
