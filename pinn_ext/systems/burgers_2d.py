"""Burgers equations of a plane velocity, with two exact solutions by Cole and Hopf and a front."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import check_number
from pinn_ext.systems.system import Derivatives, System, check_boundary, check_case, columns


class Burgers2d(System):
    """`u_t + u u_x + v u_y = nu lap u`, and v alike.

    Exact solutions (each checked symbolically):

    - `fletcher` (Fletcher 1983): on the unit square, Dirichlet data, the oblique front
      `u = 3/4 - 1/(4 (1 + E))`, `v = 3/4 + 1/(4 (1 + E))`, `E = exp((-4 x + 4 y - t)/(32 nu))`.
    - `cole_hopf`: on the unit square, Dirichlet data, `u = -2 nu phi_x / phi`,
      `v = -2 nu phi_y / phi`, `phi = 2 + exp(-5 pi^2 nu t) sin(2 pi x) sin(pi y)`, which decays.
    - `periodic`: likewise on [-1, 1]^2, periodic, with
      `phi = 2 + exp(-2 pi^2 nu t) cos(pi x) cos(pi y)`.

    Args:
        case: one of the three; None is `fletcher`.
        viscosity: nu, dimensionless; None is 0.01 for the front and 0.05 for the others. The front
            is about 8 nu wide.
        boundary: that of the case.
    """

    name: ClassVar[str] = "burgers_2d"
    cases: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "fletcher": ("dirichlet",),
        "cole_hopf": ("dirichlet",),
        "periodic": ("periodic",),
    }
    default_nodes: ClassVar[int] = 25

    def __init__(
        self,
        case: str | None = None,
        viscosity: float | None = None,
        boundary: str | None = None,
    ) -> None:
        self.case = check_case(type(self), case)
        self.boundary = check_boundary(self, boundary)
        usual = 0.01 if self.case == "fletcher" else 0.05
        viscosity = usual if viscosity is None else viscosity
        self.viscosity = float(check_number("viscosity", viscosity, 0, open_low=True))
        low = -1.0 if self.periodic else 0.0
        self.lower, self.upper = (low, low), (1.0, 1.0)

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return diffusion minus advection by the velocity itself."""
        (u_x, u_y), (v_x, v_y) = d.gradient(u), d.gradient(v)
        du = self.viscosity * d.laplacian(u) - u * u_x - v * u_y
        dv = self.viscosity * d.laplacian(v) - u * v_x - v * v_y
        return du, dv

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the front or the decaying flow `[N, 2]`."""
        x, y = x.unbind(dim=-1)
        if self.case == "fletcher":
            step = 0.25 * torch.sigmoid((4.0 * x - 4.0 * y + t) / (32.0 * self.viscosity))
            return columns(0.75 - step, 0.75 + step)
        if self.case == "cole_hopf":
            a, b = 2.0 * math.pi, math.pi
            along, across = torch.sin(a * x), torch.sin(b * y)
            phi_x, phi_y = a * torch.cos(a * x) * across, b * along * torch.cos(b * y)
        else:
            a = b = math.pi
            along, across = torch.cos(a * x), torch.cos(b * y)
            phi_x, phi_y = -a * torch.sin(a * x) * across, -b * along * torch.sin(b * y)
        decay = torch.exp(-(a**2 + b**2) * self.viscosity * t)
        factor = -2.0 * self.viscosity * decay / (2.0 + decay * along * across)
        return columns(factor * phi_x, factor * phi_y)
