"""The approximation of the inverse Hessian: one symmetric array, and changes not yet in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_PAIRS = 8  # updates that wait: they go into the array together, by one pass over it
_EXTREME = 1e100  # of the factor that is kept apart


class InverseHessian:
    """A matrix `H = f (A + W' S W)` with a number f, a symmetric A `[n, n]`, and waiting rows W.

    An update by two vectors would read and write the whole array, twice what a product takes.
    Updates wait as rows of W with signs S instead, and go into A eight at a time. So an iteration
    reads A once, for its one product, and reads and writes it an eighth of a time. A factor of the
    whole matrix, as self-scaling has it, is kept apart and costs nothing.

    Args:
        n: Number of parameters.
        device: Where the array lies.

    Attributes:
        factor: f.
    """

    def __init__(self, n: int, device: torch.device) -> None:
        self.n, self._device = n, device
        self.factor = 1.0
        self._array: Tensor | None = None  # None is the identity, for which there is no need
        self._rows = torch.empty((2 * _PAIRS, n), dtype=torch.float64, device=device)
        self._signs: list[float] = []

    @property
    def is_fresh(self) -> bool:
        """Whether it is a multiple of the identity."""
        return self._array is None and not self._signs

    def reset(self, factor: float) -> None:
        """Make it a multiple of the identity, and give the array's memory back."""
        self.factor, self._array, self._signs = factor, None, []

    def times(self, vector: Tensor) -> Tensor:
        """Return the product with a vector `[n]`."""
        product = vector.clone() if self._array is None else torch.mv(self._array, vector)
        if self._signs:
            rows = self._rows[: len(self._signs)]
            product += torch.mv(rows.T, torch.mv(rows, vector) * self._sign_vector())
        return product.mul_(self.factor)

    def update(
        self, s: Tensor, z: Tensor, sy: float, zy: float, phi: float, tau: float
    ) -> tuple[float, float, float]:
        """Learn a pair: see `solvers.quasi_newton.updates`.

        Args:
            s: [n], step.
            z: [n], product with the change y of the gradient.
            sy: `s'y`, positive.
            zy: `z'y`, positive.
            phi: Factor of the method.
            tau: Factor of the method.

        Returns:
            A, B and C in `H+ = H / tau + A z z' + B (s z' + z s') + C s s'`.
        """
        # In units of s / sqrt(s'y) and z / sqrt(z'y) the numbers have no dimension.
        root = math.sqrt(zy / sy)
        zz, sz, ss = (phi - 1.0) / tau, -phi * root / tau, phi * root**2 / tau + 1.0
        self.factor /= tau
        # Two vectors of one sign each keep the array symmetric, bit by bit in most products.
        middle, radius = (ss + zz) / 2.0, math.hypot((ss - zz) / 2.0, sz)
        angle = 0.5 * math.atan2(2.0 * sz, ss - zz)
        for value, along_s, along_z in (
            (middle + radius, math.cos(angle), math.sin(angle)),
            (middle - radius, -math.sin(angle), math.cos(angle)),
        ):
            size = math.sqrt(abs(value) / self.factor)
            row = self._rows[len(self._signs)]
            torch.mul(s, size * along_s / math.sqrt(sy), out=row)
            row.add_(z, alpha=size * along_z / math.sqrt(zy))
            self._signs.append(math.copysign(1.0, value))
        if len(self._signs) == 2 * _PAIRS:
            self._take_in()
        return zz / zy, sz / math.sqrt(sy * zy), ss / sy

    def scale(self, by: float) -> None:
        """Multiply it by a positive number."""
        self.factor *= by

    def dense(self) -> Tensor:
        """Return the matrix `[n, n]`, a new one."""
        array = self._identity() if self._array is None else self._array.clone()
        rows = self._rows[: len(self._signs)]
        array.addmm_(rows.T, rows * self._sign_vector()[:, None])
        return array.mul_(self.factor)

    def _take_in(self) -> None:
        """Add what waits to the array, by one pass over it."""
        rows = self._rows[: len(self._signs)]
        if self._array is None:
            self._array = self._identity()
        keep = 1.0
        if not 1.0 / _EXTREME < self.factor < _EXTREME:
            keep, self.factor = self.factor, 1.0
        signed = rows * self._sign_vector()[:, None]
        self._array.addmm_(rows.T, signed, beta=keep, alpha=keep)
        self._signs = []

    def _identity(self) -> Tensor:
        return torch.eye(self.n, dtype=torch.float64, device=self._device)

    def _sign_vector(self) -> Tensor:
        return torch.tensor(self._signs, dtype=torch.float64, device=self._device)

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that it is, as tensors and plain numbers; its array is not copied."""
        return {
            "factor": self.factor,
            "array": self._array,
            "rows": self._rows[: len(self._signs)].clone(),
            "signs": list(self._signs),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; the array is taken over, not copied."""
        array, count = state["array"], len(state["signs"])
        if array is not None:
            array = array.to(self._device, torch.float64)
        self._array, self.factor = array, state["factor"]
        self._rows[:count] = state["rows"]
        self._signs = list(state["signs"])
