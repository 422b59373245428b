"""What is minimised, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

Product = Callable[[Tensor], Tensor]


class NonFiniteJacobianError(FloatingPointError):
    """A Jacobian holds NaN or infinity although the residuals are finite."""


class Problem(Protocol):
    """Half the sum of squares of a residual, or of a robust loss of it.

    Attributes:
        num_rows: m, of residuals.
    """

    num_rows: int

    def residual(self, x: Tensor) -> Tensor:
        """Compute the residual [m] at x [n]."""

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the residual [m] and its Jacobian [m, n], which the next call may overwrite."""


@runtime_checkable
class ProductProblem(Problem, Protocol):
    """A problem that can be minimised without its Jacobian in memory."""

    def products(self, x: Tensor) -> tuple[Tensor, Product, Product]:
        """Compute the residual [m] and return v -> J v and w -> J^T w."""


@runtime_checkable
class MeasuredProblem(Problem, Protocol):
    """A problem that wants numbers of each residual, read along with its cost."""

    def measures(self, residual: Tensor) -> Sequence[Tensor]:
        """Compute numbers [] of a residual [m], always as many."""
