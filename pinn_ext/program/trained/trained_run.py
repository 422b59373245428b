"""A trained network with its system: fields and derivatives anywhere, in numpy or torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from pinn_ext.checks import ArgumentError, brief, check_number
from pinn_ext.derivatives.autograd import fields_and_derivatives
from pinn_ext.derivatives.taylor import attach
from pinn_ext.networks import FieldNetwork
from pinn_ext.schema import Config
from pinn_ext.slabs import SlabNetworks
from pinn_ext.systems import System

PIECE = 1 << 15
"""Points that go through the network at a time, so that memory does not grow with their number."""


class FieldDerivatives(NamedTuple):
    """Derivatives of u and v at N points; all in physical units, as the fields.

    Attributes:
        time: by the time `[N, 2]`.
        gradient: along each axis `[N, d, 2]`.
        laplacian: sum of the unmixed second derivatives in space `[N, 2]`.

    Example:
        >>> from pinn_ext import systems
        >>> from pinn_ext.networks import FieldNetwork
        >>> system = systems.create("brusselator")
        >>> run = TrainedRun(FieldNetwork(system), system, Config(), Path("checkpoint.pt"))
        >>> found = run.derivatives([[0.5, 0.5], [1.0, 0.5]], 0.25)
        >>> found.time.shape, found.gradient.shape, found.laplacian.shape
        ((2, 2), (2, 2, 2), (2, 2))
    """

    time: Any
    gradient: Any
    laplacian: Any


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A network that was trained by the program, with its system.

    Attributes:
        network: `[N, d + 1]`, positions and time, to u and v `[N, 2]`; in evaluation mode, its
            parameters without gradients. Of a run in slabs of time the networks of all slabs as
            one.
        system: equation, domain, data and, where there is one, the exact solution.
        config: of the run.
        file: the checkpoint that was read.

    Example:
        >>> from pinn_ext import systems
        >>> from pinn_ext.networks import FieldNetwork
        >>> system = systems.create("brusselator")
        >>> run = TrainedRun(FieldNetwork(system), system, Config(), Path("checkpoint.pt"))
        >>> run.fields([[0.0, 0.0]], 0.0).tolist()  # given data, even before a training
        [[1.0, 1.0]]
        >>> run.grid(5).shape, run.contains([[0.5, 0.5], [3.0, 0.5]]).tolist()
        ((25, 2), [True, False])
        >>> run.points_per_side(), run.dtype, run.device.type
        (101, torch.float32, 'cpu')
        >>> run.derivatives([[0.5, 0.5]], 0.0).laplacian.shape
        (1, 2)
    """

    network: FieldNetwork | SlabNetworks
    system: System
    config: Config
    file: Path

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type that fields are computed in."""
        return self.network.centre.dtype

    @property
    def device(self) -> torch.device:
        """Where fields are computed."""
        return self.network.centre.device

    def fields(self, x: Any, t: Any) -> Any:
        """Return u and v at positions and times, in the float type of the network.

        Outside of the domain and the time interval the network answers too, untrained.

        Args:
            x: positions `[N, d]`, or `[N]` in one dimension.
            t: times `[N]`, or one number for all.

        Returns:
            `[N, 2]`: a tensor on the device of `x` if that is a tensor, differentiable in `x` and
            `t` where they require it; otherwise an array.

        Raises:
            ArgumentError: if a shape is wrong, or something is not finite.
        """
        inputs = self._inputs(x, t)
        with torch.set_grad_enabled(torch.is_grad_enabled() and inputs.requires_grad):
            return _like(x, self._in_pieces(self.network, inputs))

    def derivatives(self, x: Any, t: Any) -> FieldDerivatives:
        """Return the derivatives of u and v at positions and times.

        They are exact, by Taylor mode where the network allows it. As results they are constants:
        nothing leads back to `x` and `t`.

        Args:
            x: positions `[N, d]`, or `[N]` in one dimension.
            t: times `[N]`, or one number for all.

        Returns:
            Tensors on the device of `x` if that is a tensor, otherwise arrays.

        Raises:
            ArgumentError: as `fields`.
        """
        inputs = self._inputs(x, t).detach()
        # Data of hard conditions are differentiated by reverse passes, which a caller's `no_grad`
        # or `inference_mode` would turn into zeros.
        with torch.inference_mode(False), torch.enable_grad():
            flat = self._in_pieces(self._derivatives, inputs.clone())
        axes = self.system.dimension
        time, gradient, laplacian = flat.split((1, axes, 1), dim=1)
        return FieldDerivatives(*(_like(x, a) for a in (time[:, 0], gradient, laplacian[:, 0])))

    def _derivatives(self, inputs: Tensor) -> Tensor:
        """Return the derivatives `[N, d + 2, 2]`: by time, along each axis, the Laplacian."""
        inputs = inputs.clone().requires_grad_()
        network = self.network
        if isinstance(network, FieldNetwork) and network.has_jet:
            outputs = attach(network.jet(inputs))
        else:
            outputs = network(inputs)
        u, v, d = fields_and_derivatives(outputs, inputs)
        columns = [
            torch.stack([d.time(field), *d.gradient(field), d.laplacian(field)], dim=1)
            for field in (u, v)
        ]
        return torch.stack(columns, dim=2).detach()

    def grid(self, per_side: int | None = None) -> np.ndarray:
        """Return the points of a regular grid on the box of the system, its sides included.

        On a disk, an L or a ring some of them lie outside of the domain: `contains` says which.

        Args:
            per_side: points along each side; None takes 1001 in one dimension, 101 in two and 31
                in three.

        Returns:
            `[n^d, d]`, float64; the last coordinate changes fastest, so that fields of a grid in
            the plane are `reshape(n, n)` with `[i, j]` at x_i, y_j.

        Raises:
            ArgumentError: if it is no whole number of at least 2.
        """
        count = self.points_per_side(per_side)
        sides = [
            np.linspace(low, high, count)
            for low, high in zip(self.system.lower, self.system.upper, strict=True)
        ]
        return np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, len(sides))

    def points_per_side(self, per_side: int | None = None) -> int:
        """Return how many points `grid` has along each side."""
        if per_side is None:
            return {1: 1001, 2: 101}.get(self.system.dimension, 31)
        return int(check_number("grid", per_side, 2, integer=True))

    def contains(self, x: ArrayLike) -> np.ndarray:
        """Return which positions `[N, d]` lie in the domain or on its boundary, `[N]` bool."""
        points = np.array(x, dtype=np.float64).reshape(-1, self.system.dimension)
        return self.system.geometry.contains(torch.from_numpy(points)).numpy()

    def _inputs(self, x: Any, t: Any) -> Tensor:
        """Return positions and times `[N, d + 1]` as the network takes them."""
        axes = self.system.dimension
        places, times = self._tensor("x", x), self._tensor("t", t)
        if places.ndim == 1 and axes == 1:
            places = places[:, None]
        if places.ndim != 2 or places.shape[1] != axes:
            raise ArgumentError("x", f"have shape [N, {axes}]", list(places.shape))
        if times.ndim == 2 and times.shape[1] == 1:
            times = times[:, 0]
        if times.numel() == 1:
            times = times.reshape(1).expand(len(places))
        if times.shape != places.shape[:1]:
            raise ArgumentError(
                "t", f"be a number or have shape [{len(places)}]", list(times.shape)
            )
        return torch.cat((places, times[:, None]), dim=1)

    def _tensor(self, name: str, value: Any) -> Tensor:
        """Return numbers as a tensor in the network's float type and place."""
        if isinstance(value, Tensor):
            given = value
        else:
            try:
                given = torch.from_numpy(np.array(value, dtype=np.float64))
            except (TypeError, ValueError):
                raise ArgumentError(name, "hold numbers", brief(value)) from None
        moved = given.to(device=self.device, dtype=self.dtype)
        if not bool(torch.isfinite(moved).all()):
            bad = int((~torch.isfinite(moved)).sum())
            raise ArgumentError(name, "be finite", f"{bad} that are not")
        return moved

    @staticmethod
    def _in_pieces(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        if len(inputs) <= PIECE:
            return function(inputs)
        return torch.cat([function(piece) for piece in inputs.split(PIECE)])


def _like(given: Any, values: Tensor) -> Any:
    """Return values where and as what the positions came."""
    if isinstance(given, Tensor):
        return values.to(given.device)
    return values.detach().cpu().numpy()
