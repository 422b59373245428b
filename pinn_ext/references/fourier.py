"""Grids of a periodic box and the Fourier modes on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

_CHUNK = 4_000_000
"""Numbers of a block in which points are evaluated."""


class FourierGrid:
    """As many nodes along each axis of a periodic box, and the modes that they hold.

    Of an even number of nodes the mode at the grid's own frequency is never used, as its sign is
    unknown. Real fields have half a spectrum along the last axis.

    Args:
        lower: smallest coordinate along each axis, dimensionless.
        upper: largest coordinate, the same place as the smallest.
        nodes: along each axis.
        real: whether the fields are.

    Attributes:
        axes: coordinates of the nodes along each axis, without the upper end.
        waves: wave numbers along each axis, in radians per length, to broadcast with a spectrum.
        squares: `|k|^2` of each mode.
    """

    def __init__(
        self, lower: Sequence[float], upper: Sequence[float], nodes: int, real: bool
    ) -> None:
        self.lower, self.upper, self.nodes, self.real = tuple(lower), tuple(upper), nodes, real
        self.dimension = len(self.lower)
        widths = [high - low for low, high in zip(lower, upper, strict=True)]
        self.axes = tuple(
            low + width * np.arange(nodes) / nodes for low, width in zip(lower, widths, strict=True)
        )
        self.numbers = tuple(self._numbers(axis) for axis in range(self.dimension))
        self.waves = tuple(
            (2.0 * np.pi / width * number).reshape(self._along(axis))
            for axis, (width, number) in enumerate(zip(widths, self.numbers, strict=True))
        )
        self.squares = sum((wave**2 for wave in self.waves), np.zeros([1] * self.dimension))
        self._over = tuple(range(-self.dimension, 0))

    def _numbers(self, axis: int) -> np.ndarray:
        if self.real and axis == self.dimension - 1:
            return np.arange(self.nodes // 2 + 1)
        return np.round(np.fft.fftfreq(self.nodes) * self.nodes).astype(int)

    def _along(self, axis: int) -> tuple[int, ...]:
        return tuple(-1 if place == axis else 1 for place in range(self.dimension))

    @property
    def points(self) -> np.ndarray:
        """The nodes `[nodes^d, d]`, the last coordinate fastest."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"), -1).reshape(-1, self.dimension)

    def below(self, number: float) -> np.ndarray:
        """Return 1 for the modes whose number along each axis is smaller by size, 0 for others."""
        keep = np.ones([1] * self.dimension)
        for axis, numbers in enumerate(self.numbers):
            keep = keep * (np.abs(numbers) < number).reshape(self._along(axis))
        return keep

    def spectrum(self, values: np.ndarray) -> np.ndarray:
        """Return the modes of values [..., *grid], divided by the number of nodes."""
        whole = fft.rfftn if self.real else fft.fftn
        return whole(values, axes=self._over, norm="forward")

    def values(self, spectrum: np.ndarray) -> np.ndarray:
        """Return the values [..., *grid] of modes."""
        if self.real:
            shape = (self.nodes,) * self.dimension
            return fft.irfftn(spectrum, shape, axes=self._over, norm="forward")
        return fft.ifftn(spectrum, axes=self._over, norm="forward")

    def on(self, other: FourierGrid, spectrum: np.ndarray) -> np.ndarray:
        """Return a spectrum of this grid on another one of the same box.

        Args:
            other: the grid to go to; modes that either grid lacks are dropped.
            spectrum: [..., *modes] of this grid.

        Returns:
            [..., *modes] of the other grid.

        Raises:
            ValueError: if one is for real fields and the other for complex ones.
        """
        if self.real != other.real:
            raise ValueError("`other` must be for fields of the same kind.")
        highest = (min(self.nodes, other.nodes) - 1) // 2
        for axis in range(self.dimension):
            place = axis - self.dimension
            theirs = other.numbers[axis]
            mine = np.where(np.abs(theirs) <= highest, theirs, 0) % self.nodes
            spectrum = np.take(spectrum, mine, axis=place)
            spectrum = spectrum * (np.abs(theirs) <= highest).reshape(other._along(axis))
        return spectrum

    def at(self, spectrum: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the trigonometric polynomial of some modes at any points.

        Args:
            spectrum: [components, *modes].
            x: points [N, d], which may lie in another period.

        Returns:
            [components, N], real if the fields are.
        """
        spectrum = spectrum * self.below(self.nodes / 2)
        if self.real:  # a mode stands for itself and for its mirror image, but that of number 0
            spectrum = spectrum * np.where(self.numbers[-1] > 0, 2.0, 1.0)
        size = max(_CHUNK // spectrum.size * len(spectrum), 1)
        blocks = [self._at(spectrum, x[i : i + size]) for i in range(0, len(x), size)]
        return np.concatenate(blocks, axis=1)

    def _at(self, spectrum: np.ndarray, x: np.ndarray) -> np.ndarray:
        found = np.broadcast_to(spectrum[..., None], (*spectrum.shape, 1))
        for axis in reversed(range(self.dimension)):
            turns = np.exp(1j * np.outer(self.waves[axis].ravel(), x[:, axis] - self.lower[axis]))
            if found.shape[-1] == 1:
                found = found[..., 0] @ turns
            else:
                found = np.einsum("...kn,kn->...n", found, turns)
        return found.real if self.real else found


class SpectralDerivatives:
    """Derivatives of a state by its modes, each made when it is asked for."""

    def __init__(self, grid: FourierGrid, spectrum: np.ndarray) -> None:
        self._grid, self._spectrum = grid, spectrum

    def gradient(self, component: int) -> list[np.ndarray]:
        """Return the derivatives of a component [*grid] along each axis."""
        one = self._spectrum[component]
        return [self._grid.values(1j * wave * one) for wave in self._grid.waves]
