"""Reactions without a known solution, with a source that makes a decaying wave their solution."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from pinn_ext.systems.system import Derivatives, System, check_boundary, columns


class ManufacturedSystem(System):
    """`u_t = d_u lap u + f(u, v) + s_u`, v alike with g and s_v, on [-1, 1]^2.

    The sources s (functions of x and t) are those that make
    `u = u_0 + u_1 exp(-t) cos(pi x) cos(pi y)`, `v = v_0 + v_1 exp(-t) sin(pi x) cos(pi y)` exact:
    the method of manufactured solutions (Roache 2002, J. Fluids Eng. 124). Without them nothing in
    closed form is known of these reactions but their steady states.

    Attributes:
        diffusion: d_u and d_v.
        means: u_0 and v_0.
        amplitudes: u_1 and v_1.
    """

    boundaries: ClassVar[tuple[str, ...]] = ("periodic", "dirichlet")
    default_nodes: ClassVar[int] = 25
    lower, upper = (-1.0, -1.0), (1.0, 1.0)
    diffusion: tuple[float, float]
    means: tuple[float, float]
    amplitudes: tuple[float, float]

    def __init__(self, boundary: str | None = None) -> None:
        self.boundary = check_boundary(self, boundary)

    @abstractmethod
    def reaction(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return f and g, each `[N]`."""

    def rhs(
        self, u: Tensor, v: Tensor, d: Derivatives, x: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return diffusion, reaction and source at positions `[N, 2]` and times `[N]`."""
        f, g = self.reaction(u, v)
        source_u, source_v = self._sources(x, t)
        du, dv = self.diffusion
        return du * d.laplacian(u) + f + source_u, dv * d.laplacian(v) + g + source_v

    def exact(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the decaying waves `[N, 2]`."""
        u, v = self._waves(x, t)
        return columns(self.means[0] + u, self.means[1] + v)

    def _waves(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the part of u and of v that decays, each an eigenfunction of the Laplacian."""
        x, y = x.unbind(dim=-1)
        common = torch.exp(-t) * torch.cos(math.pi * y)
        u, v = self.amplitudes
        return u * common * torch.cos(math.pi * x), v * common * torch.sin(math.pi * x)

    def _sources(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        wave_u, wave_v = self._waves(x, t)
        f, g = self.reaction(self.means[0] + wave_u, self.means[1] + wave_v)
        # The time derivative of a wave is -1, its Laplacian -2 pi^2 times the wave.
        decay_u, decay_v = (2.0 * math.pi**2 * own - 1.0 for own in self.diffusion)
        return decay_u * wave_u - f, decay_v * wave_v - g
