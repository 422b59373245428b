"""Residual functions with their Jacobians: the caller's, finite differences, or by torch.func."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..checks import number_problem, require
from ..devices import is_waited_for
from .autodiff import Derivatives
from .problem import Product, holds_tensors, vector_of
from .variables.bounds import Box

Residual = Callable[..., Any]
Jacobian = Callable[[Tensor], Any]

_METHODS = ("func", "2-point", "3-point")

_WIDER = 100.0  # factor of a difference that is lost in rounding


class _Rows:
    # What all problems share: a residual that is checked, and remembered at the last x, as the
    # Jacobian is wanted there more often than not.

    def __init__(self, function: Residual, x: Tensor) -> None:
        self._function = function
        self._last, self._version = (x, self._first(x)), _version(x)
        self.num_rows = self._last[1].numel()

    def _first(self, x: Tensor) -> Tensor:
        return vector_of(self._function(x.clone()), x).detach()

    def checked(self, x: Tensor) -> Tensor:
        value = vector_of(self._function(x), x)
        if value.numel() != self.num_rows:
            raise ValueError(f"`residual` must keep {self.num_rows} rows, got {value.numel()}.")
        return value

    def residual(self, x: Tensor) -> Tensor:
        """Compute the residual [m] at x [n].

        Args:
            x: [n], not modified.

        Returns:
            [m], without gradient.
        """
        if not self._is_last(x):
            # A copy, as the caller's function may write to what it is given.
            self._last = x, self.checked(x.clone()).detach()
            self._version = _version(x)
        return self._last[1]

    def _is_last(self, x: Tensor) -> bool:
        last = self._last[0]
        if last is x and _version(x) == self._version:
            return True
        # To compare numbers would wait for an accelerator.
        return not is_waited_for(x) and torch.equal(last, x)


class FunctionProblem(_Rows):
    """A residual in torch operations.

    Args:
        function: x [n] -> residual [m].
        x: [n], where to look at it first.
        chunk_rows: Rows of the Jacobian at a time; None chooses.

    Raises:
        ValueError: If the residual does not depend on x by torch operations.
    """

    def __init__(self, function: Residual, x: Tensor, chunk_rows: int | None = None) -> None:
        super().__init__(function, x)
        if chunk_rows is not None:
            wanted = "None or a whole number of at least 1"
            require(number_problem("chunk_rows", chunk_rows, wanted, least=1.0, whole=True))
        self._derivatives = Derivatives(self.checked, self.num_rows, x.numel(), chunk_rows)

    def _first(self, x: Tensor) -> Tensor:
        leaf = x.clone().requires_grad_()
        try:
            value = vector_of(self._function(leaf), x)
            tracked = value.requires_grad
        except (RuntimeError, TypeError) as error:
            if "numpy" not in str(error):
                raise
            tracked = False
        if not tracked:
            raise ValueError(
                "`residual` must be made of torch operations on x for jac='func', got a result "
                "that torch cannot differentiate; pass jac='2-point' or a function."
            )
        return value.detach()

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the residual [m] and its Jacobian [m, n].

        Args:
            x: [n].

        Returns:
            Both, without gradient.
        """
        return self.residual(x), self._derivatives.jacobian(x)

    def products(self, x: Tensor) -> tuple[Tensor, Product, Product]:
        """Compute the residual [m] and return v -> J v and w -> J^T w.

        Args:
            x: [n].

        Returns:
            The residual and both products.
        """
        return (self.residual(x), *self._derivatives.products(x))


class BlocksProblem(FunctionProblem):
    """A residual in torch operations that is asked for in blocks of rows.

    Args:
        function: (x [n], number of the block) -> its rows [b].
        x: [n], where to look at it first.
        count: How many blocks.
        chunk_rows: Rows of the Jacobian at a time; None chooses.

    Raises:
        ValueError: If the residual does not depend on x by torch operations.
    """

    def __init__(
        self,
        function: Callable[[Tensor, int], Any],
        x: Tensor,
        count: int,
        chunk_rows: int | None = None,
    ) -> None:
        self._parts = [functools.partial(self._part, function, k) for k in range(count)]
        self._sizes: list[int] = []
        super().__init__(lambda x: torch.cat([part(x) for part in self._parts]), x, chunk_rows)
        self._sizes = [part(x.clone()).numel() for part in self._parts]
        self._own = [
            Derivatives(part, size, x.numel(), chunk_rows)
            for part, size in zip(self._parts, self._sizes, strict=True)
        ]

    def _part(self, function: Callable[[Tensor, int], Any], number: int, x: Tensor) -> Tensor:
        rows = vector_of(function(x, number), x)
        if self._sizes and rows.numel() != self._sizes[number]:
            raise ValueError(
                f"`residual` must keep {self._sizes[number]} rows in block {number}, got "
                f"{rows.numel()}."
            )
        return rows

    def blocks(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the numbers of the rows of each block [b] and its Jacobian [b, n] at x [n]."""
        start = 0
        for size, own in zip(self._sizes, self._own, strict=True):
            yield torch.arange(start, start + size, device=x.device), own.jacobian(x)
            start += size

    def pull(self, x: Tensor, rows: Tensor) -> Tensor:
        """Compute J^T w [n] for w [m] at x [n], block by block."""
        total = torch.zeros_like(x)
        for own, part in zip(self._own, rows.split(self._sizes), strict=True):
            total += own.products(x)[1](part)
        return total

    def expect_blocks(self, wanted: bool) -> None:
        """Nothing depends on it."""


class CallableProblem(_Rows):
    """A residual with a function for its Jacobian.

    Args:
        function: x [n] -> residual [m]; may use NumPy.
        jacobian: x [n] -> [m, n], tensor or array.
        x: [n], where to look at the residual first.
    """

    def __init__(self, function: Residual, jacobian: Jacobian, x: Tensor) -> None:
        super().__init__(function, x)
        self._jacobian = jacobian

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the residual [m] and its Jacobian [m, n].

        Args:
            x: [n].

        Returns:
            Both, without gradient.

        Raises:
            ValueError: If the caller's Jacobian has another shape.
        """
        value = self._jacobian(x.clone())
        if holds_tensors(value):
            value = torch.stack([torch.as_tensor(row, device=x.device) for row in value])
        jacobian = torch.as_tensor(value, dtype=x.dtype, device=x.device)
        wanted = [self.num_rows, x.numel()]
        if list(jacobian.shape) != wanted:
            raise ValueError(f"`jac` must return shape {wanted}, got {list(jacobian.shape)}.")
        return self.residual(x), jacobian.detach()


class DifferenceProblem(_Rows):
    """A residual with finite differences for its Jacobian.

    Args:
        function: x [n] -> residual [m]; may use NumPy.
        x: [n], where to look at it first.
        central: Differences to both sides, of twice the cost and higher order.
        relative: Step in units of |x|, or of a hundredth of the start (of 1 if that is 0) where x
            is smaller, or of up to 1 where no row would change beyond its rounding; None takes the
            square root of rounding, or its cube root for central differences.
        box: Where x may be: at a bound differences go to the other side, of the same order.

    Raises:
        ValueError: If the step is not positive.
    """

    def __init__(
        self,
        function: Residual,
        x: Tensor,
        central: bool,
        relative: float | None = None,
        box: Box | None = None,
    ) -> None:
        super().__init__(function, x)
        if relative is not None:
            require(number_problem("diff_step", relative, "a positive, finite number", above=0.0))
        self._central, self._box = central, Box.everywhere(x) if box is None else box
        eps = torch.finfo(x.dtype).eps
        self._relative = relative or eps ** (1 / 3 if central else 1 / 2)
        # Parameters have sizes of their own, and a step from near 0 must not vanish.
        self._least = 1e-2 * torch.where(x == 0, 1.0, x.abs())

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the residual [m] and its Jacobian [m, n].

        Args:
            x: [n].

        Returns:
            Both.
        """
        base = self.residual(x)
        columns = x.new_empty(x.numel(), self.num_rows)
        for j in range(x.numel()):
            columns[j] = self._column(x, j, base)
        return base, columns.mT

    def _column(self, x: Tensor, j: int, base: Tensor) -> Tensor:
        # A start near 0 says nothing of a parameter's size: 1e-9 may stand for 0. A difference that
        # no row shows is made wider, up to the step for a parameter of 1, and stays so.
        size, most = max(abs(float(x[j])), float(self._least[j])), max(abs(float(x[j])), 1.0)
        column, seen = self._difference(x, j, self._relative * size, base)
        while not seen and size < most:
            size = min(_WIDER * size, most)
            wider, seen = self._difference(x, j, self._relative * size, base)
            if not bool(wider.isfinite().all()):
                break
            column, self._least[j] = wider, size
        return column

    def _difference(self, x: Tensor, j: int, step: float, base: Tensor) -> tuple[Tensor, bool]:
        # The column, and whether a row has changed by more than some thousand roundings of itself.
        up, down = float(self._box.upper[j] - x[j]), float(x[j] - self._box.lower[j])
        both = self._central and step <= min(up, down)
        ahead, behind = x.clone(), x.clone()
        ahead[j] += step if step <= up or up >= down else -step
        ahead = self._box.project(ahead)
        if both:
            behind[j] -= step
        low = self.checked(behind.clone()).detach() if both else base
        high = self.checked(ahead.clone()).detach()
        rounding = torch.finfo(x.dtype).eps ** 0.75 * torch.maximum(high.abs(), low.abs())
        width = ahead[j] - behind[j]  # as it was rounded
        column = (high - low) / width if float(width) != 0 else torch.zeros_like(low)
        if self._central and not both and float(width) != 0:
            column = self._quadratic(x, j, ahead, column, base)
        return column, bool(((high - low).abs() > rounding).any())

    def _quadratic(self, x: Tensor, j: int, end: Tensor, slope: Tensor, base: Tensor) -> Tensor:
        # The derivative at x of the parabola through x, the end and the point between them.
        middle = torch.lerp(x, end, 0.5)
        near, far = middle[j] - x[j], end[j] - x[j]
        steep = (self.checked(middle.clone()).detach() - base) / near
        return (far * steep - near * slope) / (far - near)


def _version(x: Tensor) -> int:
    return 0 if x.is_inference() else x._version


def make(
    function: Residual,
    x: Tensor,
    jac: str | Jacobian | None,
    chunk_rows: int | None = None,
    diff_step: float | None = None,
    box: Box | None = None,
    blocks: int | None = None,
) -> FunctionProblem | CallableProblem | DifferenceProblem:
    """Pair a residual with its Jacobian.

    Args:
        function: x [n] -> residual [m].
        x: [n], the start.
        jac: None or "func", "2-point", "3-point", or a function x -> [m, n].
        chunk_rows: Rows of the Jacobian at a time.
        diff_step: Relative step of finite differences.
        box: Where finite differences may be taken; everywhere if None.
        blocks: How many blocks of rows the function is asked for, by (x, number); None for all.

    Returns:
        The problem.

    Raises:
        ValueError: If `jac` is none of these.

    Example:
        >>> x = torch.tensor([3.0], dtype=torch.float64)
        >>> make(lambda x: x**2, x, "3-point").linearize(x)[1].round(decimals=6).tolist()
        [[6.0]]
    """
    if blocks is not None:
        wanted = "None or a whole number of at least 1"
        require(number_problem("blocks", blocks, wanted, least=1.0, whole=True))
        if jac not in (None, "func"):
            raise ValueError(f"`blocks` must be None for jac={jac!r}, got {blocks!r}.")
        return BlocksProblem(function, x, int(blocks), chunk_rows)
    if callable(jac):
        return CallableProblem(function, jac, x)
    if jac is None or jac == "func":
        return FunctionProblem(function, x, chunk_rows)
    if jac in ("2-point", "3-point"):
        return DifferenceProblem(function, x, jac == "3-point", diff_step, box)
    raise ValueError(f"`jac` must be a function or one of {', '.join(_METHODS)}, got {jac!r}.")
