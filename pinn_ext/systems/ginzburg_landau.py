"""The complex Ginzburg-Landau equation, its real and imaginary part as the two fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.references.cases.ginzburg_landau import JAXPI
from pinn_ext.systems.system import (
    Derivatives,
    System,
    check_boundary,
    check_case,
    columns,
    refuse_given,
)


class GinzburgLandau(System):
    """`A_t = e lap A + k A - k (1 + 1.5 i) |A|^2 A` for `A = u + i v`, periodic on [-1, 1]^2.

    With e = 0.004 and k = 10, as in the examples of jaxpi (Wang et al. 2023, arXiv 2308.08468).

    - `plane_wave`: `A = R exp(i (pi (m x + n y) - 1.5 k R^2 t))`,
      `R^2 = 1 - e pi^2 (m^2 + n^2) / k`, is exact (checked symbolically).
    - `jaxpi`: their start, `A = 10 (y + i x) exp(-25 (x^2 + y^2))`, whose solution is known by a
      reference.

    Args:
        case: one of the two; None is `plane_wave`.
        m: waves along x, a whole number; None is 1. For `plane_wave` only.
        n: waves along y, a whole number; None is 1. For `plane_wave` only.
        boundary: only `"periodic"`.
    """

    name: ClassVar[str] = "ginzburg_landau"
    cases: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "plane_wave": ("periodic",),
        "jaxpi": ("periodic",),
    }
    without_exact: ClassVar[frozenset[str]] = frozenset({"jaxpi"})
    default_nodes: ClassVar[int] = 32
    lower, upper = (-1.0, -1.0), (1.0, 1.0)
    diffusion, rate, shift = JAXPI.e, JAXPI.k, JAXPI.w

    def __init__(
        self,
        case: str | None = None,
        m: float | None = None,
        n: float | None = None,
        boundary: str | None = None,
    ) -> None:
        self.case = check_case(type(self), case)
        self.boundary = check_boundary(self, boundary)
        if self.case != "plane_wave":
            refuse_given(self, m=m, n=n)
        modes = [1 if mode is None else mode for mode in (m, n)]
        self.modes = [
            int(check_number(key, mode, integer=True))
            for key, mode in zip("mn", modes, strict=True)
        ]
        square = sum(mode**2 for mode in self.modes)
        self.square = 1.0 - self.diffusion * math.pi**2 * square / self.rate
        if self.square <= 0.0 or not square:
            most = self.rate / (self.diffusion * math.pi**2)
            wanted = f"be such that m^2 + n^2 is above 0 and below {most:.1f}"
            raise ArgumentError("m, n", wanted, modes)

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return diffusion, growth, and saturation that turns the phase."""
        square = u * u + v * v
        du = self.diffusion * d.laplacian(u) + self.rate * (u - square * (u - self.shift * v))
        dv = self.diffusion * d.laplacian(v) + self.rate * (v - square * (v + self.shift * u))
        return du, dv

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the plane wave `[N, 2]`."""
        if self.case != "plane_wave":
            return super().exact(x, t)
        along = math.pi * (self.modes[0] * x[..., 0] + self.modes[1] * x[..., 1])
        phase = along - self.shift * self.rate * self.square * t
        radius = math.sqrt(self.square)
        return columns(radius * torch.cos(phase), radius * torch.sin(phase))

    def data(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the exact solution, or the start of `jaxpi`."""
        if self.case == "plane_wave":
            return self.exact(x, t)
        x, y = x.unbind(dim=-1)
        bump = 10.0 * torch.exp(-25.0 * (x * x + y * y))
        return columns(y * bump, x * bump)
