"""A lambda-omega system, the normal form of oscillating reactions, with a plane wave."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.systems.system import Derivatives, System, check_boundary, columns


class LambdaOmega(System):
    """`u_t = lap u + (1 - r^2) u - (w - b r^2) v`, `v_t = lap v + (w - b r^2) u + (1 - r^2) v`.

    With `r^2 = u^2 + v^2` (Kopell and Howard 1973). The plane wave
    `(u, v) = R (cos theta, sin theta)`, `theta = (w - b R^2) t - k (x + y)`, `R^2 = 1 - 2 k^2` is
    exact (checked symbolically). The box is one wavelength `2 pi / k` of each axis.

    Args:
        wave_number: k along each axis, dimensionless, below `1 / sqrt 2`.
        frequency: w, dimensionless.
        slope: b, how the frequency falls with the amplitude, dimensionless.
        boundary: `"periodic"` (default) or `"dirichlet"`.
    """

    name: ClassVar[str] = "lambda_omega"
    boundaries: ClassVar[tuple[str, ...]] = ("periodic", "dirichlet")
    default_nodes: ClassVar[int] = 25

    def __init__(
        self,
        wave_number: float = 0.5,
        frequency: float = 1.0,
        slope: float = 1.0,
        boundary: str | None = None,
    ) -> None:
        self.boundary = check_boundary(self, boundary)
        check_number("wave_number", wave_number, 0, open_low=True)
        if 2.0 * wave_number**2 >= 1.0:
            wanted = "be below 1 / sqrt 2 = 0.7071, beyond which there is no plane wave"
            raise ArgumentError("wave_number", wanted, wave_number)
        check_number("frequency", frequency)
        check_number("slope", slope)
        self.wave_number = float(wave_number)
        self.frequency, self.slope = float(frequency), float(slope)
        length = 2.0 * math.pi / self.wave_number
        self.lower, self.upper = (0.0, 0.0), (length, length)

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return diffusion, growth to the limit cycle and rotation along it."""
        square = u * u + v * v
        growth, rotation = 1.0 - square, self.frequency - self.slope * square
        du = d.laplacian(u) + growth * u - rotation * v
        dv = d.laplacian(v) + rotation * u + growth * v
        return du, dv

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the plane wave `[N, 2]`."""
        square = 1.0 - 2.0 * self.wave_number**2
        phase = (self.frequency - self.slope * square) * t - self.wave_number * x.sum(dim=-1)
        radius = math.sqrt(square)
        return columns(radius * torch.cos(phase), radius * torch.sin(phase))
