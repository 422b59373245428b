"""The Gray-Scott model: a front and a pulse in closed form, and two patterns of the literature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.references.cases import gray_scott as cases
from pinn_ext.systems.system import (
    Derivatives,
    System,
    check_boundary,
    check_case,
    columns,
    refuse_given,
)

_PATTERNS = {"jaxpi": cases.JAXPI, "pinnacle": cases.PINNACLE}
"""Problems that are known by a reference, with their numbers."""


class GrayScott(System):
    """`u_t = d_u lap u + b (1 - u) - c u v^2`, `v_t = d_v lap v - k v + c u v^2` on [-1, 1]^2.

    Exact, with Dirichlet data and c = 1 (each checked symbolically):

    - `front`: d_u = d_v = e and b = k < 1/4; `v = v_+ / (1 + exp(v_+ (n.x - s t) / sqrt(2 e)))`,
      `u = 1 - v`, n along the diagonal, `v_+- = (1 +- sqrt(1 - 4 k)) / 2`,
      `s = sqrt(e / 2) (v_+ - 2 v_-)`.
    - `pulse`: b / d_u = k / d_v; with `g = d_v / d_u` and `Q = sqrt(1 - 9 g k / 2)` the steady
      `v = 3 k / (1 + Q cosh(x sqrt(k / d_v)))`, `u = 1 - g v`.

    Known by references, periodic, from two displaced Gaussians:

    - `jaxpi`: (d_u, d_v, b, k, c) = (0.2, 0.1, 40, 100, 1000) up to t = 2 (Wang et al. 2023, arXiv
      2308.08468).
    - `pinnacle`: (1e-5, 5e-6, 0.04, 0.1, 1) up to t = 200 (Hao et al. 2023, arXiv 2306.08827),
      where `u = 1, v = 0` alone scores 9 % in both fields taken together.

    Args:
        case: one of the four; None is `front`.
        diffusion: e of the front, d_v of the pulse, dimensionless; None is 0.02 and 0.01.
        loss: k, dimensionless; None is 0.09 and 0.1. For `front` and `pulse` only, as `diffusion`.
        ratio: g of the pulse, dimensionless; None is 1/2. For `pulse` only.
        boundary: that of the case.
    """

    name: ClassVar[str] = "gray_scott"
    cases: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "front": ("dirichlet",),
        "pulse": ("dirichlet",),
        "jaxpi": ("periodic",),
        "pinnacle": ("periodic",),
    }
    without_exact: ClassVar[frozenset[str]] = frozenset(_PATTERNS)
    default_nodes: ClassVar[int] = 25
    constants: ClassVar[tuple[str, ...]] = ("du", "dv", "feed", "loss", "rate")
    lower, upper = (-1.0, -1.0), (1.0, 1.0)

    def __init__(
        self,
        case: str | None = None,
        diffusion: float | None = None,
        loss: float | None = None,
        ratio: float | None = None,
        boundary: str | None = None,
    ) -> None:
        self.case = check_case(type(self), case)
        self.boundary = check_boundary(self, boundary)
        if self.case in _PATTERNS:
            refuse_given(self, diffusion=diffusion, loss=loss, ratio=ratio)
            own = _PATTERNS[self.case]
            self.du, self.dv, self.feed, self.loss, self.rate = own.e1, own.e2, own.b, own.d, own.c
            self.final_time = own.final_time
        else:
            if self.case == "front":
                refuse_given(self, ratio=ratio)
            self._set_constants(diffusion, loss, ratio)

    def _set_constants(
        self, diffusion: float | None, loss: float | None, ratio: float | None
    ) -> None:
        front = self.case == "front"
        usual = (0.02, 0.09, 1.0) if front else (0.01, 0.1, 0.5)
        given = (diffusion, loss, ratio)
        self.dv, self.loss, self.ratio = (
            float(check_number(key, default if value is None else value, 0, open_low=True))
            for key, value, default in zip(
                ("diffusion", "loss", "ratio"), given, usual, strict=True
            )
        )
        most = 0.25 if front else 2.0 / (9.0 * self.ratio)
        if self.loss >= most:
            formula = "1/4" if front else f"2 / (9 ratio) = {most:.4g}"
            raise ArgumentError("loss", f"be below {formula} for the exact {self.case}", loss)
        self.du, self.feed, self.rate = self.dv / self.ratio, self.loss / self.ratio, 1.0
        self.final_time = 4.0 if front else 1.0

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return diffusion, feed, loss and the autocatalytic turnover of u into v."""
        turnover = self.rate * u * v * v
        du = self.du * d.laplacian(u) + self.feed * (1.0 - u) - turnover
        dv = self.dv * d.laplacian(v) - self.loss * v + turnover
        return du, dv

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the front or the pulse `[N, 2]`."""
        if self.case == "front":
            root = math.sqrt(1.0 - 4.0 * self.loss)
            high, low = 0.5 * (1.0 + root), 0.5 * (1.0 - root)
            speed = math.sqrt(0.5 * self.dv) * (high - 2.0 * low)
            along = x.sum(dim=-1) / math.sqrt(2.0)
            v = high * torch.sigmoid(high * (speed * t - along) / math.sqrt(2.0 * self.dv))
            return columns(1.0 - v, v)
        if self.case == "pulse":
            depth = math.sqrt(1.0 - 4.5 * self.ratio * self.loss)
            shape = torch.cosh(x[..., 0] * math.sqrt(self.loss / self.dv))
            v = 3.0 * self.loss / (1.0 + depth * shape)
            return columns(1.0 - self.ratio * v, v)
        return super().exact(x, t)

    def data(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the exact solution, or the two Gaussians that a pattern starts from."""
        if self.case not in _PATTERNS:
            return self.exact(x, t)
        width = _PATTERNS[self.case].s
        x, y = x.unbind(dim=-1)
        hole = torch.exp(-width * ((x + 0.05) ** 2 + (y + 0.02) ** 2))
        seed = torch.exp(-width * ((x - 0.05) ** 2 + (y - 0.02) ** 2))
        return columns(1.0 - hole, seed)
