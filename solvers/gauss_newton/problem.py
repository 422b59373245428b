"""What is minimised, step by step, and what its functions may return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]

_BLOCK = 2**21  # numbers of a block of rows: large enough for full speed, small beside all of them


class NonFiniteJacobianError(FloatingPointError):
    """A Jacobian holds NaN or infinity although the residuals are finite.

    Example:
        >>> from solvers.gauss_newton import Stepper
        >>> class Root:  # whose slope at 0 is infinite
        ...     num_rows = 1
        ...     def residual(self, x): return x.sqrt() + 1.0
        ...     def linearize(self, x): return self.residual(x), 0.5 * torch.diag(x.rsqrt())
        >>> Stepper(Root(), torch.zeros(1)).step()
        Traceback (most recent call last):
            ...
        solvers.gauss_newton.problem.NonFiniteJacobianError: The Jacobian must be finite, and
        its squares too, got NaN or infinity in 1 of 1 columns.
    """


class Problem(Protocol):
    """Half the sum of squares of a residual, or of a robust loss of it.

    Attributes:
        num_rows: m, of residuals.

    Example:
        >>> from solvers.gauss_newton import Stepper
        >>> class Parabola:
        ...     num_rows = 1
        ...     def residual(self, x): return x**2 - 2.0
        ...     def linearize(self, x): return self.residual(x), 2.0 * torch.diag(x)
        >>> stepper = Stepper(Parabola(), torch.ones(1, dtype=torch.float64))
        >>> for _ in range(8):
        ...     step = stepper.step()
        >>> round(stepper.x.item(), 9)
        1.414213562
    """

    num_rows: int

    def residual(self, x: Tensor) -> Tensor:
        """Compute the residual [m] at x [n]."""

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the residual [m] and its Jacobian [m, n], which the next call may overwrite."""


@runtime_checkable
class ProductProblem(Problem, Protocol):
    """A problem that can be minimised without its Jacobian in memory.

    Example:
        >>> from solvers.gauss_newton import Stepper
        >>> class Scaled:
        ...     num_rows = 2
        ...     def residual(self, x): return 3.0 * x - 6.0
        ...     def linearize(self, x): return self.residual(x), 3.0 * torch.eye(2, dtype=x.dtype)
        ...     def products(self, x): return self.residual(x), lambda v: 3.0 * v, lambda w: 3.0 * w
        >>> isinstance(Scaled(), ProductProblem)
        True
        >>> stepper = Stepper(Scaled(), torch.zeros(2, dtype=torch.float64), solver="matrix_free")
        >>> stepper.step().accepted, stepper.x.round(decimals=2).tolist()
        (True, [2.0, 2.0])
    """

    def products(self, x: Tensor) -> tuple[Tensor, Product, Product]:
        """Compute the residual [m] and return v -> J v and w -> J^T w."""


@runtime_checkable
class BlockProblem(Problem, Protocol):
    """A problem whose Jacobian can be made in blocks of rows, so that it is never held whole."""

    def blocks(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the numbers of some rows [b] and these rows of the Jacobian [b, n], each row once.

        The next block may overwrite them; whoever gets them may write to the rows.
        """

    def pull(self, x: Tensor, rows: Tensor) -> Tensor:
        """Compute J^T w for w [m], without the Jacobian."""

    def expect_blocks(self, wanted: bool) -> None:
        """Be told, before anything is asked, whether it is blocks or the whole Jacobian."""


@runtime_checkable
class MeasuredProblem(Problem, Protocol):
    """A problem that wants numbers of each residual, read along with its cost."""

    def measures(self, residual: Tensor) -> Sequence[Tensor]:
        """Compute numbers [] of a residual [m], always as many."""


def rows_of_block(columns: int) -> int:
    """Return how many rows a block has that is neither small nor large.

    Args:
        columns: n.

    Returns:
        The number, at least 64.

    Example:
        >>> rows_of_block(1024), rows_of_block(10**6)
        (2048, 64)
    """
    return max(64, _BLOCK // columns)


def holds_tensors(value: Any) -> bool:
    """Return whether a value is a tuple or list with tensors in it."""
    return isinstance(value, (tuple, list)) and any(isinstance(each, Tensor) for each in value)


def vector_of(value: Any, x: Tensor) -> Tensor:
    """Return what a residual function has returned as a vector.

    Args:
        value: A tensor, numbers, or a tuple or list of numbers and vectors.
        x: [n], what it was called with.

    Returns:
        [m], of the dtype and on the device of x.

    Raises:
        ValueError: If it is no such vector.
    """
    if holds_tensors(value):
        value = _joined(value, x)
    elif not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value, dtype=x.dtype, device=x.device)
        except (TypeError, ValueError, RuntimeError):
            kind = type(value).__name__
            raise ValueError(f"`residual` must return a vector of numbers, got a {kind}.") from None
    if value.ndim == 0:
        value = value[None]
    if value.ndim != 1 or not value.numel():
        raise ValueError(
            f"`residual` must return a vector of at least one row, got shape {list(value.shape)}."
        )
    if value.dtype != x.dtype or value.device != x.device:
        raise ValueError(
            f"`residual` must return {x.dtype} on {x.device} like `x0`, "
            f"got {value.dtype} on {value.device}."
        )
    return value


def _joined(parts: Any, x: Tensor) -> Tensor:
    # Numbers and vectors, one after the other; by torch, so that their derivatives are kept.
    tensors = [
        part if isinstance(part, Tensor) else torch.as_tensor(part, dtype=x.dtype, device=x.device)
        for part in parts
    ]
    shapes = [list(tensor.shape) for tensor in tensors if tensor.ndim > 1]
    if shapes:
        raise ValueError(
            "`residual` must return a vector, or a tuple of numbers and vectors, got a "
            f"{type(parts).__name__} with a part of shape {shapes[0]}."
        )
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
