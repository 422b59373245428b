"""Hard conditions: network outputs that meet initial and boundary data by construction."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pinn_ext.checks import ArgumentError
from pinn_ext.derivatives.precomputed import Precomputed, differentiate
from pinn_ext.derivatives.taylor import Jet
from pinn_ext.systems import System


@dataclass(frozen=True)
class PrecomputedConditions(Precomputed):
    """All of the constrained expression at fixed inputs but the network.

    Attributes:
        data: the data part with derivatives, k = 2.
        bubble: the factor of the network with derivatives, k = 1.
    """

    data: Jet
    bubble: Jet

    def jet(self) -> Jet:
        """Return the data part with derivatives."""
        return self.data


class ConditionValues(NamedTuple):
    """The constrained expression at some inputs, all of it but the network.

    Attributes:
        data: the data part `[N, 2]`.
        bubble: the factor of the network `[N, 1]`.
    """

    data: Tensor
    bubble: Tensor


class HardConditions(nn.Module):
    """Constrained expression `P f + bubble * N` around a network output N.

    On a box with Dirichlet data, `P f` is the Boolean sum of the projections of the data f onto
    the initial slice and onto each pair of opposite sides (transfinite interpolation, Gordon
    1971; theory of functional connections, Mortari 2017), and the bubble vanishes there. On a
    periodic box only the initial data is left: `f(x, 0) + (t / T) N`. The data is evaluated on
    the initial slice and on the boundary only.

    Args:
        system: gives the box, the time interval and the data.

    Raises:
        ArgumentError: if the conditions cannot be built in, as the domain is not the box, or its
            sides are not all periodic or all with given values.
    """

    def __init__(self, system: System) -> None:
        super().__init__()
        if why := system.needs_soft:
            raise ArgumentError("conditions", f"be soft {why}", "hard")
        self.system = system
        axes = 0 if system.periodic else system.dimension
        # A choice per axis: None keeps the coordinate, 0 and 1 put it on the lower, upper side.
        # The time axis has one side, its start.
        choices = [(None, 0, 1)] * axes + [(None, 0)]
        self._corners = [c for c in itertools.product(*choices) if any(k is not None for k in c)]

    def forward(
        self,
        inputs: Tensor,
        raw: Tensor,
        precomputed: Precomputed | ConditionValues | None = None,
    ) -> Tensor:
        """Return the constrained fields.

        Args:
            inputs: positions and times `[N, dimension + 1]`.
            raw: network output in the units of the fields `[N, 2]`.
            precomputed: the data part at the inputs, if it is there already, or, for inputs that
                need no gradient, all values.

        Returns:
            u and v `[N, 2]`.
        """
        values = self.values(inputs, precomputed)
        return values.data + values.bubble * raw

    def values(
        self, inputs: Tensor, precomputed: Precomputed | ConditionValues | None = None
    ) -> ConditionValues:
        """Return data part and bubble, differentiable in the inputs unless they are given so.

        Args:
            inputs: positions and times `[N, dimension + 1]`.
            precomputed: as for `forward`.

        Returns:
            What is given, if that is all.
        """
        if isinstance(precomputed, ConditionValues):
            return precomputed
        data = self.data_part(inputs) if precomputed is None else precomputed(inputs)
        return ConditionValues(data, self.bubble(inputs)[:, None])

    def bubble(self, inputs: Tensor) -> Tensor:
        """Return the factor `[N]` that vanishes at t = 0 and on the boundary, at most 1."""
        factor = inputs[:, -1] / self.system.final_time
        if not self.system.periodic:
            for s in self._box(inputs):  # not prod(): its derivatives are slow
                factor = factor * (4.0 * s * (1.0 - s))
        return factor

    def jet(
        self, inputs: Tensor, raw: Jet, units: Tensor, precomputed: Precomputed | None = None
    ) -> Jet:
        """Return the constrained fields with their derivatives.

        Args:
            inputs: positions and times `[N, dimension + 1]`.
            raw: network output, k = 2.
            units: what it is multiplied with to be in the units of the fields `[2]`.
            precomputed: the data part at the inputs, if it is there already.

        Returns:
            u and v and their derivatives.
        """
        precomputed = differentiate(self.data_part, inputs) if precomputed is None else precomputed
        if isinstance(precomputed, PrecomputedConditions):
            bubble = precomputed.bubble
        else:
            bubble = self.bubble_jet(inputs)
        # The units go into the factor without gradient: as cheap as can be in the backward pass.
        return precomputed.jet() + bubble.times(units) * raw

    def bubble_jet(self, inputs: Tensor) -> Jet:
        """Return the bubble with its derivatives, k = 1."""
        time = inputs[:, -1] / self.system.final_time
        first = inputs.new_zeros(inputs.shape[1], len(inputs))
        first[-1] = 1.0 / self.system.final_time
        bubble, laplacian = time, torch.zeros_like(time)
        if not self.system.periodic:
            ends = zip(self.system.lower, self.system.upper, strict=True)
            for axis, (s, (low, high)) in enumerate(zip(self._box(inputs), ends, strict=True)):
                factor, slope = 4.0 * s * (1.0 - s), (4.0 - 8.0 * s) / (high - low)
                laplacian = laplacian * factor - 8.0 / (high - low) ** 2 * bubble
                first = first * factor
                first[axis] = bubble * slope
                bubble = bubble * factor
        return Jet(bubble[:, None], first[..., None], laplacian[:, None])

    def data_part(self, inputs: Tensor) -> Tensor:
        """Return `P f` `[N, 2]`, the fields of a network that outputs zero."""
        return self.data_terms(inputs).sum(dim=0)

    def data_terms(self, inputs: Tensor) -> Tensor:
        """Return the terms `[K, N, 2]` whose sum is the data part, one for each projection."""
        points, weights = [], []
        unit = self._box(inputs)
        for corner in self._corners:
            moved = list(inputs.unbind(dim=1))
            weight = torch.ones_like(moved[0])
            for axis, side in enumerate(corner[:-1]):
                if side is not None:
                    end = self.system.upper[axis] if side else self.system.lower[axis]
                    moved[axis] = torch.full_like(moved[axis], end)
                    weight = weight * (unit[axis] if side else 1.0 - unit[axis])
            if corner[-1] is not None:
                moved[-1] = torch.zeros_like(moved[-1])
            fixed_axes = sum(side is not None for side in corner)
            points.append(torch.stack(moved, dim=1))
            weights.append(weight if fixed_axes % 2 else -weight)
        data = self._data(points).reshape(len(points), len(inputs), 2)
        return torch.stack(weights)[..., None] * data

    def _data(self, points: list[Tensor]) -> Tensor:
        """Return the data `[K N, 2]` at the points of all projections, the initial slice first."""
        if not self.system.starts_anew:
            stacked = torch.cat(points)
            return self.system.data(stacked[:, :-1], stacked[:, -1])
        # The start is asked for once at each position: what it costs grows with the slabs before,
        # and on the boundary it is the data.
        start = self.system.at_start(points[0][:, :-1])
        if len(points) == 1:
            return start
        rest = torch.cat(points[1:])
        return torch.cat((start, self.system.data(rest[:, :-1], rest[:, -1])))

    def _box(self, inputs: Tensor) -> list[Tensor]:
        """Return the positions in units of the box, for each axis `[N]` in [0, 1]."""
        sides = _sides(self.system, inputs.dtype)
        return [
            (x - low) / width
            for x, (low, width) in zip(inputs[:, :-1].unbind(dim=1), sides, strict=True)
        ]


def _sides(system: System, dtype: torch.dtype) -> list[tuple[float, float]]:
    """Return lower end and width of the box along each axis, as numbers of a floating-point type.

    They go into operations as they are: a tensor of them would be a copy to the device each time.
    """
    ends = list(zip(system.lower, system.upper, strict=True))
    return [_side(low, high, dtype) for low, high in ends]


@functools.lru_cache(maxsize=256)
def _side(low: float, high: float, dtype: torch.dtype) -> tuple[float, float]:
    start, end = torch.tensor((low, high), dtype=dtype, device="cpu")
    return start.item(), (end - start).item()


def periodic_features(system: System, inputs: Tensor) -> Tensor:
    """Return features of position that repeat with the box.

    Args:
        system: gives the box.
        inputs: positions and times `[N, dimension + 1]`.

    Returns:
        Cosine and sine of every position over the box and the time as it came,
        `[N, 2 dimension + 1]`.
    """
    angles = [
        2.0 * math.pi * (inputs[:, axis : axis + 1] - low) / width
        for axis, (low, width) in enumerate(_sides(system, inputs.dtype))
    ]
    return torch.cat((*map(torch.cos, angles), *map(torch.sin, angles), inputs[:, -1:]), dim=1)


def periodic_slopes(system: System, features: Tensor) -> Tensor:
    """Return derivatives of `periodic_features`, those of the time feature left zero.

    Args:
        system: gives the box.
        features: `[N, 2 dimension + 1]`.

    Returns:
        `[dimension + 2, N, 2 dimension + 1]`: along each axis, along time, and the Laplacian.
    """
    axes = system.dimension
    slopes = features.new_zeros(axes + 2, *features.shape)
    for axis, (low, high) in enumerate(zip(system.lower, system.upper, strict=True)):
        pair, factor = slice(axis, axes + axis + 1, axes), 2.0 * math.pi / (high - low)
        slopes[axis, :, axis] = features[:, axes + axis] * -factor
        slopes[axis, :, axes + axis] = features[:, axis] * factor
        slopes[-1, :, pair] = features[:, pair] * -(factor**2)
    return slopes
