"""The Brusselator with its travelling exponential solution, in two dimensions."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import check_number
from pinn_ext.systems.system import Derivatives, System, check_boundary, columns


class Brusselator(System):
    """Brusselator reaction and diffusion on `[0, side]^2`, Dirichlet data.

    `u_t = B + u^2 v - (A + 1) u + D lap u` and `v_t = A u - u^2 v + D lap v` with A = 1, B = 0.
    For diffusion D = 1/4 the pair `u = exp(-x - y - t/2)`, `v = exp(x + y + t/2)` is exact
    (checked symbolically). The fields differ in size by up to
    `exp(2 (2 side + 1/2))`, which is what makes loss weights matter.

    Args:
        side: length of the square, dimensionless.
        boundary: only `"dirichlet"`.
    """

    name: ClassVar[str] = "brusselator"
    boundaries: ClassVar[tuple[str, ...]] = ("dirichlet",)
    default_nodes: ClassVar[int] = 17
    constants: ClassVar[tuple[str, ...]] = ("feed", "decay", "diffusion")
    feed, decay, diffusion = 0.0, 1.0, 0.25

    def __init__(self, side: float = 2.0, boundary: str | None = None) -> None:
        check_number("side", side, 0, open_low=True)
        self.boundary = check_boundary(self, boundary)
        self.lower, self.upper = (0.0, 0.0), (float(side), float(side))

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return the reaction and diffusion of u and v."""
        turnover = u * u * v
        du = self.feed + turnover - (self.decay + 1.0) * u + self.diffusion * d.laplacian(u)
        dv = self.decay * u - turnover + self.diffusion * d.laplacian(v)
        return du, dv

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the exponential solution `[N, 2]`."""
        phase = x.sum(dim=-1) + 0.5 * t
        return columns(torch.exp(-phase), torch.exp(phase))
