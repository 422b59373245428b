"""Units in which squares neither vanish nor overflow."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..problem import BlockProblem, Problem, Product, ProductProblem
from ..robust_loss import Loss
from ..solution import Solution
from .bounds import Box
from .scaling import Scale, Scaling

_MOST = 0.25  # of the exponents of a type; squares of squares stay in range
_WIDE = 1e100  # size of a residual, in units, that none will have
_SMALL = 2**20  # numbers of a Jacobian that is computed to look at


@dataclass(frozen=True)
class Units:
    """Powers of two, by which rounding does not change.

    Attributes:
        rows: Unit of the residual.
        parameters: [n], those of the parameters.
    """

    rows: float
    parameters: Tensor

    @functools.cached_property
    def plain(self) -> bool:
        """Whether they are the caller's."""
        return self.rows == 1.0 and bool((self.parameters == 1.0).all())

    def start(self, x: Tensor) -> Tensor:
        """Return parameters in units."""
        return x / self.parameters

    def scale(self, x_scale: Scale) -> Scale:
        """Return scales of parameters in units; a name stays as it is."""
        if isinstance(x_scale, str) or self.plain:
            return x_scale
        like = self.parameters
        Scaling(x_scale, like)  # refuses what is none
        return torch.as_tensor(x_scale, dtype=like.dtype, device=like.device) / like

    def loss(self, loss: Loss) -> Loss:
        """Return a robust loss of residuals in units; beyond all of them it is linear."""
        if self.rows == 1.0:
            return loss
        wide = not loss.f_scale < _WIDE * self.rows
        return Loss() if wide else Loss(loss.name, loss.f_scale / self.rows)

    def box(self, box: Box) -> Box:
        """Return bounds in units."""
        return Box(box.lower / self.parameters, box.upper / self.parameters)

    def solution(self, found: Solution) -> Solution:
        """Return a solution in the caller's units; its history too.

        Args:
            found: In these units.

        Returns:
            A copy, or itself where units are plain. A cost that the type cannot hold becomes 0.
        """
        if self.plain:
            return found
        return replace(
            found,
            x=found.x * self.parameters,
            cost=found.cost * self.rows * self.rows,
            optimality=found.optimality * self.rows,
            residual=found.residual * self.rows,
            history=[self._row(row) for row in found.history],
        )

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        cost, optimality = row["cost"] * self.rows * self.rows, row["optimality"] * self.rows
        return {**row, "cost": cost, "optimality": optimality}


class Rescaled:
    """A problem in other units.

    Args:
        problem: In the caller's units.
        units: The others.
        first: Where the Jacobian is known, and what it is, in the caller's units; or None.
    """

    def __init__(
        self, problem: Problem, units: Units, first: tuple[Tensor, Tensor] | None = None
    ) -> None:
        self._problem, self._units, self._first = problem, units, first
        self.num_rows = problem.num_rows

    def residual(self, x: Tensor) -> Tensor:
        """Compute the residual [m] at x [n], both in units."""
        # The very x where units are plain: by it a problem knows what it has computed.
        x = x if self._units.plain else x * self._units.parameters
        return self._problem.residual(x) / self._units.rows

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the residual [m] and its Jacobian [m, n], in units."""
        units = self._units
        x = x if units.plain else x * units.parameters
        first, self._first = self._first, None
        if first is not None and torch.equal(first[0], x):
            residual, jacobian = self._problem.residual(x), first[1]
        else:
            residual, jacobian = self._problem.linearize(x)
        if units.plain:
            return residual, jacobian
        return residual / units.rows, jacobian / units.rows * units.parameters


class RescaledProducts(Rescaled):
    """The same of a problem that has products with its Jacobian."""

    _problem: ProductProblem

    def products(self, x: Tensor) -> tuple[Tensor, Product, Product]:
        """Compute the residual [m] and return v -> J v and w -> J^T w, in units."""
        rows, sizes = self._units.rows, self._units.parameters
        if self._units.plain:
            residual, forward, backward = self._problem.products(x)
            return residual / rows, forward, backward
        residual, forward, backward = self._problem.products(x * sizes)
        return (
            residual / rows,
            lambda v: forward(v * sizes) / rows,
            lambda w: backward(w / rows) * sizes,
        )


class RescaledBlocks(RescaledProducts):
    """The same of a problem with products whose Jacobian comes in blocks of rows, too."""

    _problem: Any

    def blocks(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield numbers of rows [b] and these rows of the Jacobian [b, n], in units."""
        units = self._units
        for numbers, block in self._problem.blocks(x if units.plain else x * units.parameters):
            yield numbers, block if units.plain else block / units.rows * units.parameters

    def pull(self, x: Tensor, rows: Tensor) -> Tensor:
        """Compute J^T w for w [m], in units."""
        units = self._units
        if units.plain:
            pulled: Tensor = self._problem.pull(x, rows)
        else:
            pulled = self._problem.pull(x * units.parameters, rows / units.rows)
            pulled = pulled * units.parameters
        return pulled

    def expect_blocks(self, wanted: bool) -> None:
        """Hand on whether it is blocks that will be asked for."""
        self._problem.expect_blocks(wanted)


def rescaled(problem: Problem, x: Tensor) -> tuple[Problem, Units]:
    """Find units for a problem whose squares would leave the type at the start.

    Residuals near 1e-160 have squares that vanish, and so have derivatives by parameters near
    1e300: a cost or a gradient of 0, which looks like a minimum.

    Args:
        problem: In the caller's units.
        x: [n], the start.

    Returns:
        The problem in units, and these; 1 where there is no need of others.
    """
    low, high = _range(x.dtype)
    largest = float(problem.residual(x).abs().max())
    rows = _power(largest) if 0 < largest < low else 1.0
    first = None
    parameters = torch.ones_like(x)
    if problem.num_rows * x.numel() <= _SMALL:
        first = x, problem.linearize(x)[1].detach()
        columns = first[1].abs().amax(0) / rows
        outside = columns.isfinite() & (columns > 0) & ((columns < low) | (columns > high))
        wanted = torch.where(outside, columns, 1.0).reciprocal()
    else:
        outside = x.abs() > high
        wanted = torch.where(outside, x.abs(), 1.0)
    legal = outside & wanted.isfinite() & (wanted > 0)
    parameters = torch.where(legal, torch.exp2(torch.floor(torch.log2(wanted))), parameters)
    units = Units(rows, parameters)
    kind: type[Rescaled] = RescaledProducts if isinstance(problem, ProductProblem) else Rescaled
    kind = RescaledBlocks if isinstance(problem, BlockProblem) else kind
    return kind(problem, units, first), units


def _range(dtype: torch.dtype) -> tuple[float, float]:
    most = math.log2(torch.finfo(dtype).max) * _MOST
    return 2.0**-most, 2.0**most


def _power(value: float) -> float:
    return 2.0 ** (math.frexp(value)[1] - 1)
