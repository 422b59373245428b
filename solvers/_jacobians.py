"""Residual functions with their Jacobians: by torch.func, by the caller, by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Residual = Callable[[Tensor], Any]
Product = Callable[[Tensor], Tensor]

_CHUNK = 2**22  # numbers in a chunk of the Jacobian: 32 MiB in float64
_METHODS = ("func", "2-point", "3-point")


class FunctionProblem:
    """A residual that is a function of one vector, with torch.func's Jacobian.

    Forward mode where there are at least as many rows as parameters, else reverse mode; functions
    that torch.func cannot transform are differentiated row by row.

    Args:
        function: x [n] -> residual [m].
        x: [n], where to look at it first.
        chunk_rows: Rows (columns in forward mode) of the Jacobian at a time; None takes as many as
            fit in 32 MiB.

    Raises:
        TypeError: If the residual is not a floating-point vector of the dtype of x.
        ValueError: If it does not depend on x by torch operations.
    """

    def __init__(self, function: Residual, x: Tensor, chunk_rows: int | None = None) -> None:
        self._function = function
        self._chunk = chunk_rows
        self._modes = ["forward", "reverse", "rows"]
        value = self._look(x)
        self._dtype, self.num_rows = x.dtype, value.numel()
        if chunk_rows is not None or self.num_rows < x.numel():
            self._modes.remove("forward")

    def _look(self, x: Tensor) -> Tensor:
        leaf = x.detach().clone().requires_grad_()
        value = self._checked(self._function(leaf), x)
        if not value.requires_grad:
            raise ValueError(
                "`residual` must depend on x by torch operations, got a result without gradient; "
                "for others pass jac='2-point' or a function."
            )
        return value.detach()

    def _checked(self, value: Any, x: Tensor) -> Tensor:
        value = _vector(value, x)
        if hasattr(self, "num_rows") and value.numel() != self.num_rows:
            raise ValueError(f"`residual` must keep {self.num_rows} rows, got {value.numel()}.")
        return value

    def residual(self, x: Tensor) -> Tensor:
        """Compute the residual [m] at x [n]."""
        return self._checked(self._function(x.clone()), x).detach()

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the residual [m] and its Jacobian [m, n]."""
        while True:
            try:
                return getattr(self, f"_{self._modes[0]}")(x)
            except (RuntimeError, NotImplementedError):
                # What torch.func or forward mode cannot do, row by row may; an error of the
                # residual's own comes again there.
                if len(self._modes) == 1 or isinstance(self, torch.cuda.OutOfMemoryError):
                    raise
                self._modes.pop(0)

    def _pure(self, x: Tensor) -> Tensor:
        return self._checked(self._function(x), x)

    def _size(self, x: Tensor, length: int) -> int:
        return self._chunk or max(1, _CHUNK // max(length, 1))

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        n = x.numel()
        columns = x.new_empty(n, self.num_rows)  # column by column, as forward mode gives them
        size = self._size(x, self.num_rows)
        for start in range(0, n, size):
            end = min(start + size, n)
            tangents = x.new_zeros(end - start, n)
            tangents[:, start:end].fill_diagonal_(1.0)
            columns[start:end] = torch.func.vmap(
                lambda v: torch.func.jvp(self._pure, (x,), (v,))[1]
            )(tangents)
        return self.residual(x), columns.mT

    def _reverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, pull = torch.func.vjp(self._pure, x)
        jacobian = x.new_empty(self.num_rows, x.numel())
        size = self._size(x, x.numel())
        for start in range(0, self.num_rows, size):
            end = min(start + size, self.num_rows)
            rows = x.new_zeros(end - start, self.num_rows)
            rows[:, start:end].fill_diagonal_(1.0)
            jacobian[start:end] = torch.func.vmap(pull)(rows)[0]
        return value.detach(), jacobian

    def _rows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        leaf = x.detach().clone().requires_grad_()
        value = self._pure(leaf)
        jacobian = x.new_zeros(self.num_rows, x.numel())
        for i in range(self.num_rows):
            (row,) = torch.autograd.grad(value[i], leaf, retain_graph=True, allow_unused=True)
            if row is not None:
                jacobian[i] = row
        return value.detach(), jacobian

    def products(self, x: Tensor) -> tuple[Tensor, Product, Product]:
        """Compute the residual [m] and return v -> J v and w -> J^T w."""
        value, pull = torch.func.vjp(self._pure, x)
        return (
            value.detach(),
            lambda v: torch.func.jvp(self._pure, (x,), (v,))[1].detach(),
            lambda w: pull(w)[0].detach(),
        )


class CallableProblem:
    """A residual whose Jacobian is the caller's function, or finite differences.

    Args:
        function: x [n] -> residual [m]; may use NumPy.
        jacobian: x [n] -> [m, n], tensor or array.
        x: [n], where to look at it first.
    """

    def __init__(self, function: Residual, jacobian: Callable[[Tensor], Any], x: Tensor) -> None:
        self._function, self._jacobian = function, jacobian
        self.num_rows = _vector(function(x.clone()), x).numel()

    def residual(self, x: Tensor) -> Tensor:
        """Compute the residual [m] at x [n]."""
        value = _vector(self._function(x.clone()), x).detach()
        if value.numel() != self.num_rows:
            raise ValueError(f"`residual` must keep {self.num_rows} rows, got {value.numel()}.")
        return value

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the residual [m] and its Jacobian [m, n].

        Raises:
            ValueError: If the caller's Jacobian has another shape.
        """
        jacobian = torch.as_tensor(self._jacobian(x.clone()), dtype=x.dtype, device=x.device)
        wanted = [self.num_rows, x.numel()]
        if list(jacobian.shape) != wanted:
            raise ValueError(f"`jac` must return shape {wanted}, got {list(jacobian.shape)}.")
        return self.residual(x), jacobian.detach()


class DifferenceProblem(CallableProblem):
    """A residual with finite differences for its Jacobian.

    Args:
        function: x [n] -> residual [m]; may use NumPy.
        method: "2-point" or "3-point".
        x: [n], where to look at it first.
        relative: Step in units of |x|; None takes the square or cube root of rounding.
    """

    def __init__(
        self, function: Residual, method: str, x: Tensor, relative: float | None = None
    ) -> None:
        super().__init__(function, self._differences, x)
        self._central = method == "3-point"
        eps = torch.finfo(x.dtype).eps
        self._relative = relative or eps ** (1 / 3 if self._central else 1 / 2)

    def _differences(self, x: Tensor) -> Tensor:
        columns = x.new_empty(x.numel(), self.num_rows)
        base = None if self._central else self.residual(x)
        for j in range(x.numel()):
            size = self._relative * max(abs(float(x[j])), 1.0)
            ahead, behind = x.clone(), x.clone()
            ahead[j] += size
            if base is None:
                behind[j] -= size
            # The width as it was rounded, not as it was meant.
            width = ahead[j] - behind[j]
            low = self.residual(behind) if base is None else base
            columns[j] = (self.residual(ahead) - low) / width
        return columns.mT


def _vector(value: Any, x: Tensor) -> Tensor:
    if not isinstance(value, Tensor):
        value = torch.as_tensor(value, device=x.device)
        value = value.to(x.dtype)
    if value.ndim == 0:
        value = value[None]
    if value.ndim != 1 or not value.numel():
        raise ValueError(
            f"`residual` must return a vector of at least one row, got shape {list(value.shape)}."
        )
    if value.dtype != x.dtype or value.device != x.device:
        raise TypeError(
            f"`residual` must return {x.dtype} on {x.device} like `x0`, "
            f"got {value.dtype} on {value.device}."
        )
    return value


def make(
    function: Residual,
    x: Tensor,
    jac: str | Callable[[Tensor], Any] | None,
    chunk_rows: int | None = None,
    diff_step: float | None = None,
) -> FunctionProblem | CallableProblem:
    """Pair a residual with its Jacobian.

    Args:
        function: x [n] -> residual [m].
        x: [n], the start.
        jac: None or "func", "2-point", "3-point", or a function x -> [m, n].
        chunk_rows: Rows of the Jacobian at a time.
        diff_step: Relative step of finite differences.

    Returns:
        The problem.

    Raises:
        ValueError: If there is no such way to a Jacobian.
    """
    if callable(jac):
        return CallableProblem(function, jac, x)
    if jac in (None, "func"):
        return FunctionProblem(function, x, chunk_rows)
    if jac in ("2-point", "3-point"):
        return DifferenceProblem(function, jac, x, diff_step)
    raise ValueError(f"`jac` must be a function or one of {', '.join(_METHODS)}, got {jac!r}.")
