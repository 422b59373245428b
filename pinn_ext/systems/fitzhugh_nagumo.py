"""FitzHugh-Nagumo equations of an excitable medium, with a manufactured solution."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from pinn_ext.checks import check_number
from pinn_ext.systems.manufactured import ManufacturedSystem


class FitzHughNagumo(ManufacturedSystem):
    """`u_t = d_u lap u + u - u^3 - v + s_u`, `v_t = d_v lap v + eps (u - a_1 v - a_0) + s_v`.

    FitzHugh 1961, with diffusion as in Aranson and Kramer's review of patterns; u is fast, v slow.
    With feedback of v nothing is known in closed form: the solution is manufactured, see
    `ManufacturedSystem`.

    Args:
        rate: eps, dimensionless.
        damping: a_1, dimensionless.
        threshold: a_0, dimensionless.
        boundary: `"periodic"` (default) or `"dirichlet"`.
    """

    name: ClassVar[str] = "fitzhugh_nagumo"
    diffusion = (0.02, 0.01)
    means = (0.0, 0.0)
    amplitudes = (1.0, 0.3)

    def __init__(
        self,
        rate: float = 0.2,
        damping: float = 0.5,
        threshold: float = 0.1,
        boundary: str | None = None,
    ) -> None:
        super().__init__(boundary)
        self.rate = float(check_number("rate", rate, 0, open_low=True))
        self.damping = float(check_number("damping", damping))
        self.threshold = float(check_number("threshold", threshold))

    def reaction(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return excitation of u, and recovery of v."""
        return u - u**3 - v, self.rate * (u - self.damping * v - self.threshold)
