"""Murray's model of the Belousov-Zhabotinsky reaction, with its travelling front."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import check_number
from pinn_ext.systems.system import Derivatives, System, check_boundary, columns


class BelousovZhabotinsky(System):
    """`u_t = u_xx + u (1 - u - r v)`, `v_t = v_xx - b u v` with `b = 1 - r`.

    Murray, Mathematical Biology (1989), section 12.2, with the front
    `u = (1 + exp(s (x - 5 s t)))^-2`, `v = 1 - u`, `s = sqrt(b / 6)` (checked symbolically). On
    [-15, 15], Dirichlet data.

    Args:
        ratio: r, dimensionless, in (0, 1).
        boundary: only `"dirichlet"`.
    """

    name: ClassVar[str] = "belousov_zhabotinsky"
    boundaries: ClassVar[tuple[str, ...]] = ("dirichlet",)
    default_nodes: ClassVar[int] = 61
    lower, upper, final_time = (-15.0,), (15.0,), 4.0

    def __init__(self, ratio: float = 0.5, boundary: str | None = None) -> None:
        self.boundary = check_boundary(self, boundary)
        self.ratio = float(check_number("ratio", ratio, 0, 1, open_low=True, open_high=True))

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return diffusion, growth of u and consumption of v."""
        du = d.laplacian(u) + u * (1.0 - u - self.ratio * v)
        dv = d.laplacian(v) - (1.0 - self.ratio) * u * v
        return du, dv

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the travelling front `[N, 2]`."""
        s = math.sqrt((1.0 - self.ratio) / 6.0)
        u = torch.sigmoid(s * (5.0 * s * t - x[..., 0])) ** 2
        return columns(u, 1.0 - u)
