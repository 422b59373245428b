"""Where a step goes, by products with the Jacobian alone: for those too large for memory."""

from __future__ import annotations

import torch
from torch import Tensor

from ..problem import Product
from .dense import Solved
from .lsmr import lsmr

_PROBES = 8


def probes(rows: Tensor) -> Tensor:
    """Draw the random signs by which columns are measured, always the same ones.

    Args:
        rows: [m], whose length, dtype and device to take.

    Returns:
        [8, m], -1 or 1.
    """
    # Drawn on the CPU by a separate generator: the same on all devices, and no global state.
    generator = torch.Generator("cpu").manual_seed(0)
    ones = torch.randint(0, 2, (_PROBES, rows.shape[0]), generator=generator, device="cpu")
    return (2 * ones - 1).to(rows)


class MatrixFree:
    """Damped least squares by LSMR on `J D^-1/2`.

    The lengths of the columns are estimated by products of J^T with random signs, the same ones
    each time: Bekas, Kokiopoulou and Saad, An estimator for the diagonal of a matrix (2007).

    Args:
        forward: v -> J v, [n] -> [m].
        backward: w -> J^T w, [m] -> [n].
        rows: [m], whose length, dtype and device the probes take.
        signs: What `probes` has made of such rows before; None makes them.

    Attributes:
        column_squares: [n], estimates of the squared lengths of the columns of J.
        scale: [n], D.
        least: Smallest damping that makes sense.
        tolerance: Relative accuracy of a direction.

    Example:
        >>> a = torch.tensor([[3.0], [4.0]])
        >>> solver = MatrixFree(lambda v: a @ v, lambda w: a.T @ w, torch.tensor([3.0, 4.0]))
        >>> solver.solve(torch.tensor([3.0, 4.0]), 0.0).step.tolist()
        [-1.0]
    """

    tolerance = 1e-3
    whole = True

    def __init__(
        self, forward: Product, backward: Product, rows: Tensor, signs: Tensor | None = None
    ) -> None:
        self._forward, self._backward = forward, backward
        signs = probes(rows) if signs is None else signs
        self.column_squares = torch.stack([backward(each).square() for each in signs]).mean(0)
        self.scale = torch.ones_like(self.column_squares)
        self._free = torch.ones_like(self.column_squares)
        self.least = 2 * torch.finfo(rows.dtype).eps

    def transposed(self, rows: Tensor) -> Tensor:
        """Compute J^T w, [m] -> [n]; 0 for parameters that are held."""
        return self._free * self._backward(rows)

    def forward(self, step: Tensor) -> Tensor:
        """Compute J s, [n] -> [m]."""
        return self._forward(step)

    def hold(self, columns: Tensor) -> None:
        """Hold parameters where they are from now on, as if their columns of J were zero.

        Args:
            columns: [n], true for those.
        """
        self._free = self._free * (~columns).to(self._free.dtype)

    def solve(self, rows: Tensor, damping: float) -> Solved | None:
        """Solve `min |J s + rows|^2 + damping |s|_D^2` to the tolerance.

        Args:
            rows: [m].
            damping: Dimensionless, not negative.

        Returns:
            The direction.
        """
        roots = self._free * self.scale.rsqrt()
        found = lsmr(
            lambda v: self._forward(roots * v),
            lambda w: roots * self._backward(w),
            -rows,
            damp=damping**0.5,
            tolerance=self.tolerance,
        )
        step = roots * found.x
        return Solved(step, self._forward(step))
