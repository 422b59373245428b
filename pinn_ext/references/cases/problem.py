"""What a case is: plain numbers, a periodic box, a start, and an equation in numpy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np

_DOMAIN = ("lower", "upper", "final_time")


class Gradients(Protocol):
    """First derivatives of a state, by Fourier modes or by differences."""

    def gradient(self, component: int) -> Sequence[np.ndarray]:
        """Return the derivatives of a component along each axis, each of the grid's shape."""


@dataclass(frozen=True, kw_only=True)
class Problem(ABC):
    """`w_t = D lap w + c w_xxx + source(w)` on a periodic box, for times in `[0, final_time]`.

    A state w has a component for each field, or one complex component u + i v where that makes the
    linear part diagonal. All quantities are dimensionless. The numbers are the dataclass's fields,
    so that a system of the same name can take them from here.

    Attributes:
        lower: smallest coordinate along each axis.
        upper: largest coordinate along each axis, which is the same place.
        final_time: end of the time interval.
        fields: names of the fields.
        joined: whether the state is the one complex field u + i v.
        source_of_case: where equation and numbers come from.
        kinked: whether the periodic continuation of the start has a kink or a jump.
    """

    fields: ClassVar[tuple[str, ...]] = ("u", "v")
    joined: ClassVar[bool] = False
    source_of_case: ClassVar[str]
    kinked: ClassVar[bool] = False
    dispersion: ClassVar[float] = 0.0

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    final_time: float

    @property
    def dimension(self) -> int:
        """Number of space dimensions."""
        return len(self.lower)

    @property
    def parameters(self) -> dict[str, float]:
        """The numbers of the equation and of the start by name, without box and times."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if name not in _DOMAIN}

    @property
    @abstractmethod
    def diffusion(self) -> tuple[complex, ...]:
        """Coefficient of the Laplacian for each component of the state."""

    @abstractmethod
    def source(self, state: np.ndarray, d: Gradients) -> np.ndarray:
        """Return what is left of the rates without diffusion and dispersion.

        Args:
            state: [components, *grid].
            d: derivatives of that state.

        Returns:
            [components, *grid].
        """

    @abstractmethod
    def u0(self, x: np.ndarray) -> np.ndarray:
        """Return the field u at time 0, `[N]`, at points x `[N, d]` of the box."""

    def v0(self, x: np.ndarray) -> np.ndarray:
        """Return the field v at time 0, `[N]`, at points x `[N, d]` of the box."""
        raise NotImplementedError(f"{type(self).__name__} has the field u only.")

    def start(self, x: np.ndarray) -> np.ndarray:
        """Return the fields at time 0.

        Args:
            x: points [N, d] of the box.

        Returns:
            [fields, N].
        """
        return np.stack([self.u0(x), self.v0(x)] if len(self.fields) == 2 else [self.u0(x)])

    def joined_state(self, values: np.ndarray) -> np.ndarray:
        """Return the state [components, …] of fields [fields, …]."""
        return values[:1] + 1j * values[1:] if self.joined else values

    def fields_of(self, state: np.ndarray) -> np.ndarray:
        """Return the fields [fields, …] of a state [components, …]."""
        return np.concatenate([state.real, state.imag]) if self.joined else state

    def describe(self) -> dict[str, Any]:
        """Return parameters, box and final time as plain values."""
        return {
            "parameters": self.parameters,
            **{name: getattr(self, name) for name in _DOMAIN},
        }


def bump(x: np.ndarray, centre: Sequence[float], steepness: float, period: float) -> np.ndarray:
    """Return a smooth periodic bump of height 1 that is `exp(-steepness |x - centre|^2)` near it.

    Args:
        x: points [N, d].
        centre: of the bump, d coordinates.
        steepness: in 1 / length^2, dimensionless here.
        period: along each axis.

    Returns:
        [N], `exp(-steepness (p / pi)^2 sum sin^2(pi (x - centre) / p))`.
    """
    sines = np.sin(np.pi * (x - np.asarray(centre)) / period)
    return np.exp(-steepness * (period / np.pi) ** 2 * np.sum(sines**2, axis=1))
