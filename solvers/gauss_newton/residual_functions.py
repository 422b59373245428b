"""Residual functions with their Jacobians: the caller's, finite differences, or by torch.func."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..checks import number_problem, require
from ..devices import is_waited_for
from .autodiff import Derivatives
from .problem import Product
from .variables.bounds import Box

Residual = Callable[[Tensor], Any]
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
        return _vector(self._function(x.clone()), x).detach()

    def checked(self, x: Tensor) -> Tensor:
        value = _vector(self._function(x), x)
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
            value = _vector(self._function(leaf), x)
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
        if _holds_tensors(value):
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


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and any(isinstance(each, Tensor) for each in value)


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


def _vector(value: Any, x: Tensor) -> Tensor:
    if _holds_tensors(value):
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


def make(
    function: Residual,
    x: Tensor,
    jac: str | Jacobian | None,
    chunk_rows: int | None = None,
    diff_step: float | None = None,
    box: Box | None = None,
) -> FunctionProblem | CallableProblem | DifferenceProblem:
    """Pair a residual with its Jacobian.

    Args:
        function: x [n] -> residual [m].
        x: [n], the start.
        jac: None or "func", "2-point", "3-point", or a function x -> [m, n].
        chunk_rows: Rows of the Jacobian at a time.
        diff_step: Relative step of finite differences.
        box: Where finite differences may be taken; everywhere if None.

    Returns:
        The problem.

    Raises:
        ValueError: If `jac` is none of these.

    Example:
        >>> x = torch.tensor([3.0], dtype=torch.float64)
        >>> make(lambda x: x**2, x, "3-point").linearize(x)[1].round(decimals=6).tolist()
        [[6.0]]
    """
    if callable(jac):
        return CallableProblem(function, jac, x)
    if jac is None or jac == "func":
        return FunctionProblem(function, x, chunk_rows)
    if jac in ("2-point", "3-point"):
        return DifferenceProblem(function, x, jac == "3-point", diff_step, box)
    raise ValueError(f"`jac` must be a function or one of {', '.join(_METHODS)}, got {jac!r}.")
