"""Scales of the parameters, in which steps are damped and measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_FORGET = 0.1

Scale = str | float | Sequence[float] | np.ndarray | Tensor


class Scaling:
    """The diagonal D that the damping multiplies.

    "jac" takes the squared lengths of the columns of J, the largest seen so far: Marquardt's
    scaling with the safeguard of More, The Levenberg-Marquardt algorithm (1978), eq. (6.3), here
    lowered as a whole so far that one column at least has its present length. Given scales
    `x_scale` take `c / x_scale^2`, c the mean of the squared lengths in those units. Either way the
    damping is dimensionless, and a common factor on all rows changes nothing.

    Args:
        x_scale: "jac", a positive number, or [n] positive numbers, in units of the parameters.
        like: [n], parameters whose dtype and device to take.

    Attributes:
        largest: [n], the largest squared lengths so far; None before the first Jacobian.
        present: [n], those of the last Jacobian.

    Raises:
        ValueError: If the scale is not as above.
    """

    def __init__(self, x_scale: Scale, like: Tensor) -> None:
        self.largest: Tensor | None = None
        self._given: Tensor | None = None
        self.present = torch.zeros_like(like)
        if isinstance(x_scale, str):
            if x_scale != "jac":
                raise ValueError(
                    f"`x_scale` must be 'jac', a positive number or one for each of the "
                    f"{like.numel()} parameters, got {x_scale!r}."
                )
            return
        given = torch.as_tensor(x_scale, dtype=like.dtype, device=like.device)
        legal = bool((given > 0).all() & given.isfinite().all())
        if given.shape not in ((), like.shape) or not legal:
            raise ValueError(
                f"`x_scale` must be 'jac', a positive number or one for each of the "
                f"{like.numel()} parameters, got {x_scale}."
            )
        self._given = given.expand_as(like)

    def update(self, column_squares: Tensor) -> Tensor:
        """Return D for the columns of a new Jacobian.

        Args:
            column_squares: [n], squared lengths.

        Returns:
            [n], positive: 1 for columns of zeros, whose parameters do not move.
        """
        if self._given is not None:
            mean = (column_squares * self._given.square()).mean()
            return self._given.square().reciprocal() * torch.where(mean > 0, mean, 1.0)
        self.present = column_squares
        if self.largest is None:
            self.largest = column_squares
        else:
            self.largest = torch.maximum(self.largest, column_squares)
        # Without the common factor, columns that were huge far from the solution would leave even
        # the smallest damping too large ever after.
        used = self.largest > 0
        ratio = torch.where(used, column_squares / self.largest, 0.0).max()
        level = torch.where(ratio > 0, ratio, 1.0)
        return torch.where(used, self.largest * level, 1.0)

    def relax(self) -> None:
        """Forget a part of the largest columns: where even the least damping holds a step back."""
        if self.largest is not None:
            self.largest = torch.maximum(self.present, _FORGET * self.largest)

    def multiply(self, factor: float) -> None:
        """Follow a common factor on all rows.

        Args:
            factor: Square of it, positive.
        """
        if self.largest is not None:
            self.largest = self.largest * factor


def length(vector: Tensor, scale: Tensor) -> float:
    """Length of a vector in the norm of a diagonal.

    Args:
        vector: [n].
        scale: [n], not negative.

    Returns:
        `sqrt(sum scale * vector^2)`.
    """
    return math.sqrt(float(square_length(vector, scale)))


def square_length(vector: Tensor, scale: Tensor) -> Tensor:
    """The square of it, as a number [] that has not been read."""
    return (vector.square() * scale).sum()
