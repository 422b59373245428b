"""Robust losses: what a large residual costs, and the least-squares rows that it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import number_problem, require

# Of the first-order weight, what the second-order one keeps at least: where the loss is not convex
# the rows stay of a size, and the model stays convex.
_LEAST = 0.1

# Of z = (residual / f_scale)^2: the loss, its first and its second derivative.
Values = tuple[Tensor, Tensor, Tensor]


def _soft_l1(z: Tensor) -> Values:
    root = (1 + z).sqrt()
    return 2 * z / (root + 1), 1 / root, -0.5 / root**3


def _huber(z: Tensor) -> Values:
    small = z <= 1
    root = torch.where(small, torch.ones_like(z), z).sqrt()
    return (
        torch.where(small, z, 2 * root - 1),
        torch.where(small, torch.ones_like(z), 1 / root),
        torch.where(small, torch.zeros_like(z), -0.5 / root**3),
    )


def _cauchy(z: Tensor) -> Values:
    return z.log1p(), 1 / (1 + z), -1 / (1 + z) ** 2


def _arctan(z: Tensor) -> Values:
    below = 1 + z.square()
    return z.atan(), 1 / below, -2 * z / below**2


_ALL: dict[str, Callable[[Tensor], Values] | None] = {
    "arctan": _arctan,
    "cauchy": _cauchy,
    "huber": _huber,
    "linear": None,
    "soft_l1": _soft_l1,
}


@dataclass(frozen=True)
class Loss:
    """`cost = f_scale^2 / 2 sum rho((r / f_scale)^2)`, with rho(z) = z for "linear".

    Attributes:
        name: "linear", "soft_l1", "huber", "cauchy" or "arctan".
        f_scale: Size of a residual beyond which it counts for less; in units of the residual.

    Raises:
        ValueError: If there is no loss of that name, or the scale is not positive.

    Example:
        >>> Loss("huber").cost(torch.tensor([0.5, 3.0]))
        2.625
        >>> before, after = torch.tensor([0.5, 3.0]), torch.tensor([0.5, 2.0])
        >>> Loss("huber").reduction(before, after), Loss("huber").reduction_of(before, after)
        (1.0, tensor(1., dtype=torch.float64))
        >>> Loss("huber").cost_of(after), Loss("huber").rows(before)[0]
        (tensor(1.6250, dtype=torch.float64), tensor([0.5000, 5.4772]))
    """

    name: str = "linear"
    f_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in _ALL:
            raise ValueError(f"`loss` must be one of {', '.join(sorted(_ALL))}, got {self.name!r}.")
        require(number_problem("f_scale", self.f_scale, "a positive, finite number", above=0.0))

    def cost(self, residual: Tensor) -> float:
        """Cost of a residual vector; infinite or NaN where that is not finite.

        Args:
            residual: [m].

        Returns:
            The cost, summed in float64.
        """
        return float(self.cost_of(residual))

    def cost_of(self, residual: Tensor) -> Tensor:
        """The cost as a number [] that has not been read, of type float64."""
        function = _ALL[self.name]
        squares = residual.double().square()
        if function is None:
            return 0.5 * squares.sum()
        return 0.5 * self.f_scale**2 * function(squares / self.f_scale**2)[0].sum()

    def reduction(self, before: Tensor, after: Tensor) -> float:
        """Cost of one residual vector less that of another, with little cancellation.

        Args:
            before: [m].
            after: [m].

        Returns:
            The difference of the costs.
        """
        return float(self.reduction_of(before, after))

    def reduction_of(self, before: Tensor, after: Tensor) -> Tensor:
        """The same as a number [] that has not been read, of type float64."""
        function = _ALL[self.name]
        before, after = before.double(), after.double()
        if function is None:
            return 0.5 * torch.dot(before - after, before + after)
        first = function((before / self.f_scale).square())[0]
        second = function((after / self.f_scale).square())[0]
        return 0.5 * self.f_scale**2 * (first - second).sum()

    def rows(self, residual: Tensor) -> tuple[Tensor, Tensor | None]:
        """Rows of the least-squares problem whose gradient and Hessian are those of the cost.

        Triggs, McLauchlan, Hartley and Fitzgibbon, Bundle adjustment: a modern synthesis (2000),
        eq. (11), with the second-order correction kept above a tenth.

        Args:
            residual: [m].

        Returns:
            [m], the residuals to use; and [m], factors for the rows of the Jacobian, or None for 1.
        """
        function = _ALL[self.name]
        if function is None:
            return residual, None
        # In float64, as the cost: the square of an outlier would be infinity in float32.
        exact = residual.double()
        z = (exact / self.f_scale).square()
        _, first, second = function(z)
        weight = torch.maximum(first + 2 * second * z, _LEAST * first).sqrt()
        return (exact * first / weight).to(residual), weight.to(residual)
