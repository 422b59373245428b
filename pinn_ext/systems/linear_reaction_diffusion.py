"""Linear coupled reaction and diffusion in one dimension, one field a hundred times the other."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import check_number
from pinn_ext.systems.system import Derivatives, System, check_boundary, columns


class LinearReactionDiffusion(System):
    """`u_t = d u_xx - a u + v`, `v_t = d v_xx - b v`, periodic on [-pi, pi].

    Exact: `u = (exp(-(a + d) t) + exp(-(b + d) t)) cos x`, `v = (a - b) exp(-(b + d) t) cos x`
    (checked symbolically). With a - b = 0.01 the
    field v is 200 times smaller than u.

    Args:
        a: decay rate of u, dimensionless.
        b: decay rate of v, dimensionless, different from a.
        diffusion: the common diffusion constant d, dimensionless.
        boundary: only `"periodic"`.
    """

    name: ClassVar[str] = "linear_reaction_diffusion"
    boundaries: ClassVar[tuple[str, ...]] = ("periodic",)
    default_nodes: ClassVar[int] = 48

    def __init__(
        self,
        a: float = 0.11,
        b: float = 0.10,
        diffusion: float = 0.5,
        boundary: str | None = None,
    ) -> None:
        check_number("a", a)
        check_number("b", b)
        check_number("diffusion", diffusion, 0, open_low=True)
        if a == b:
            raise ValueError(
                f"`a` and `b` must differ (v is proportional to a - b), got {a} twice."
            )
        self.a, self.b, self.diffusion = float(a), float(b), float(diffusion)
        self.boundary = check_boundary(self, boundary)
        self.lower, self.upper = (-math.pi,), (math.pi,)

    def rhs(self, u: Tensor, v: Tensor, d: Derivatives) -> tuple[Tensor, Tensor]:
        """Return diffusion, decay and the coupling of u to v."""
        du = self.diffusion * d.laplacian(u) - self.a * u + v
        dv = self.diffusion * d.laplacian(v) - self.b * v
        return du, dv

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the two decaying cosines `[N, 2]`."""
        shape = torch.cos(x[..., 0])
        slow = torch.exp(-(self.b + self.diffusion) * t)
        fast = torch.exp(-(self.a + self.diffusion) * t)
        return columns((fast + slow) * shape, (self.a - self.b) * slow * shape)
