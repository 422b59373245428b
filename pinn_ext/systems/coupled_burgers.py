"""Coupled viscous Burgers equations in one dimension, periodic wave or Dirichlet front."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import check_number
from pinn_ext.systems.system import Derivatives, System, check_boundary, columns


class CoupledBurgers(System):
    """`u_t = u_xx - eta u u_x - alpha (u v)_x`, `v_t = v_xx - xi v v_x - beta (u v)_x`.

    Periodic on [-pi, pi]: eta = xi = -2, alpha = beta = 1 and the exact solution
    `u = v = exp(-t) sin x`. Dirichlet on [-5, 5]: a front `u = a (1 - tanh((a c / 2)(x - c a t)))`,
    `v = kappa u` with `kappa = (eta - 2 beta) / (xi - 2 alpha)` and `c = eta + 2 alpha kappa`,
    here eta = 2, xi = 4, alpha = 1/2, beta = 1/4, so that v is half of u.

    Args:
        amplitude: the height a of the front, dimensionless; None is 1/2. Dirichlet only.
        boundary: `"periodic"` (default) or `"dirichlet"`.
    """

    name: ClassVar[str] = "coupled_burgers"
    boundaries: ClassVar[tuple[str, ...]] = ("periodic", "dirichlet")
    default_nodes: ClassVar[int] = 48

    def __init__(self, amplitude: float | None = None, boundary: str | None = None) -> None:
        self.boundary = check_boundary(self, boundary)
        if amplitude is not None:
            check_number("amplitude", amplitude, 0, open_low=True)
            if self.periodic:
                raise ValueError(
                    f"`amplitude` belongs to the Dirichlet front, got {amplitude} with "
                    "boundary periodic."
                )
        self.amplitude = 0.5 if amplitude is None else float(amplitude)
        half = math.pi if self.periodic else 5.0
        self.lower, self.upper = (-half,), (half,)
        if self.periodic:
            self.eta, self.xi, self.alpha, self.beta = -2.0, -2.0, 1.0, 1.0
        else:
            self.eta, self.xi, self.alpha, self.beta = 2.0, 4.0, 0.5, 0.25

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return diffusion minus self-advection and cross-advection of u and v."""
        (u_x,), (v_x,) = d.gradient(u), d.gradient(v)
        cross = u * v_x + v * u_x
        du = d.laplacian(u) - self.eta * u * u_x - self.alpha * cross
        dv = d.laplacian(v) - self.xi * v * v_x - self.beta * cross
        return du, dv

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the decaying sine or the travelling front `[N, 2]`."""
        x = x[..., 0]
        if self.periodic:
            wave = torch.exp(-t) * torch.sin(x)
            return columns(wave, wave)
        a = self.amplitude
        kappa = (self.eta - 2 * self.beta) / (self.xi - 2 * self.alpha)
        c = self.eta + 2 * self.alpha * kappa
        u = a * (1 - torch.tanh(0.5 * a * c * (x - c * a * t)))
        return columns(u, kappa * u)
