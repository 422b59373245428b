"""Where a step goes: damped least squares with one Jacobian, through the smaller of two matrices.

Each class solves `min |J s + b|^2 + damping |s|_D^2` for a row vector b, D a positive diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ._gram import gram, scaled_outer_gram, triangular_solve
from ._lsmr import lsmr
from ._orthogonal import Orthogonal

Product = Callable[[Tensor], Tensor]

_CONTRACTION = 0.1  # a refinement that leaves more than this of the step gains too little
_REFINEMENTS = 3
_PROBES = 8


@dataclass(frozen=True)
class Solved:
    """A direction.

    Attributes:
        step: [n], s.
        forward: [m], J s.
        fallback: "qr" or "svd" where Cholesky did not serve, else None.
    """

    step: Tensor
    forward: Tensor
    fallback: str | None = None


class Direction(Protocol):
    """The linear algebra of one linearisation."""

    column_squares: Tensor  # [n], squared lengths of the columns of J
    scale: Tensor  # [n], D, set by the caller

    def transposed(self, rows: Tensor) -> Tensor:
        """Compute J^T w, [m] -> [n]."""

    def solve(self, rows: Tensor, damping: float) -> Solved | None:
        """Solve `min |J s + rows|^2 + damping |s|_D^2`; None where no way leads there."""


class Primal:
    """Through J^T J: for at least as many rows as parameters.

    Cholesky factors of `J^T J + damping D`, whose step is refined with J itself, as in the
    corrected seminormal equations: Bjorck, Numerical Methods for Least Squares Problems (1996),
    section 2.4.6. Where that does not converge, orthogonal factors replace it.

    Args:
        jacobian: [m, n], not modified, not copied.
        orthogonal: Whether there is memory for the orthogonal factors.
    """

    def __init__(self, jacobian: Tensor, orthogonal: bool = True) -> None:
        self.jacobian = jacobian
        self._gram = gram(jacobian)
        self.column_squares = self._gram.diagonal().clone()
        self.scale = torch.ones_like(self.column_squares)
        self._factored: tuple[float, Tensor | None] | None = None
        self._orthogonal = Orthogonal(jacobian) if orthogonal else None

    def transposed(self, rows: Tensor) -> Tensor:
        """Compute J^T w, [m] -> [n]."""
        return self.jacobian.mT @ rows

    def solve(self, rows: Tensor, damping: float) -> Solved | None:
        """Solve `min |J s + rows|^2 + damping |s|_D^2`; None where no way leads there."""
        factor = self._factor(damping)
        if factor is not None:
            gradient = self.transposed(rows)
            step = triangular_solve(factor, gradient).neg_()
            forward = self.jacobian @ step
            refined = self._refine(factor, gradient, step, forward, damping)
            if refined is not None:
                return refined
        if self._orthogonal is None:
            return None
        return _orthogonal_solve(self, self._orthogonal, rows, damping)

    def _factor(self, damping: float) -> Tensor | None:
        if self._factored is None or self._factored[0] != damping:
            # The matrix stays where it is: only its diagonal is written, and the factor is new.
            diagonal = torch.add(self.column_squares, self.scale, alpha=damping)
            # A parameter without effect stays where it is, without damping too.
            diagonal = torch.where(self.column_squares > 0, diagonal, self.scale)
            self._gram.diagonal().copy_(diagonal)
            factor, info = torch.linalg.cholesky_ex(self._gram)
            self._factored = damping, factor if int(info) == 0 else None
        return self._factored[1]

    def _refine(
        self, factor: Tensor, gradient: Tensor, step: Tensor, forward: Tensor, damping: float
    ) -> Solved | None:
        eps = torch.finfo(step.dtype).eps
        if damping > eps**0.5:
            return Solved(step, forward)  # rounding is below sqrt(eps) of the step as it is
        damped = damping * self.scale
        for _ in range(_REFINEMENTS):
            rest = self.transposed(forward).add_(gradient).add_(damped * step)
            change = triangular_solve(factor, rest).neg_()
            step, before = step + change, step
            forward = forward + self.jacobian @ change
            ratio = float(_norm(change, self.scale) / _norm(before, self.scale).clamp_min(1e-300))
            if not ratio <= _CONTRACTION:
                return None
            if ratio <= 1e-4:  # the next change would be the square of that
                break
        return Solved(step, forward)


class Dual:
    """Through J D^-1 J^T: for fewer rows than parameters; the step is the shortest one in D.

    Args:
        jacobian: [m, n], not modified.
        orthogonal: Whether there is memory for the orthogonal factors.
    """

    def __init__(self, jacobian: Tensor, orthogonal: bool = True) -> None:
        self.jacobian = jacobian
        self.column_squares = torch.linalg.vector_norm(jacobian, dim=0).square_()
        self.scale = torch.ones_like(self.column_squares)
        self._gram: Tensor | None = None
        self._factored: tuple[float, Tensor | None] | None = None
        self._orthogonal = Orthogonal(jacobian) if orthogonal else None

    def transposed(self, rows: Tensor) -> Tensor:
        """Compute J^T w, [m] -> [n]."""
        return self.jacobian.mT @ rows

    def solve(self, rows: Tensor, damping: float) -> Solved | None:
        """Solve `min |J s + rows|^2 + damping |s|_D^2`; None where no way leads there."""
        factor = self._factor(damping)
        if factor is not None:
            solved = self._refine(factor, rows, damping)
            if solved is not None:
                return solved
        if self._orthogonal is None:
            return None
        return _orthogonal_solve(self, self._orthogonal, rows, damping)

    def _factor(self, damping: float) -> Tensor | None:
        if self._gram is None:
            self._gram = scaled_outer_gram(self.jacobian, self.scale.reciprocal())
            self._diagonal = self._gram.diagonal().clone()
        if self._factored is None or self._factored[0] != damping:
            self._gram.diagonal().copy_(self._diagonal + damping)
            factor, info = torch.linalg.cholesky_ex(self._gram)
            self._factored = damping, factor if int(info) == 0 else None
        return self._factored[1]

    def _refine(self, factor: Tensor, rows: Tensor, damping: float) -> Solved | None:
        # s = -D^-1 J^T y with (J D^-1 J^T + damping) y = rows.
        y = triangular_solve(factor, rows)
        step = self.transposed(y).div_(self.scale).neg_()
        forward = self.jacobian @ step
        if damping > torch.finfo(step.dtype).eps ** 0.5:
            return Solved(step, forward)
        for _ in range(_REFINEMENTS):
            change = triangular_solve(factor, rows + forward - damping * y)
            ratio = float(change.norm() / y.norm().clamp_min(1e-300))
            if not ratio <= _CONTRACTION:
                return None
            y = y + change
            step = self.transposed(y).div_(self.scale).neg_()
            forward = self.jacobian @ step
            if ratio <= 1e-4:
                break
        return Solved(step, forward)


class MatrixFree:
    """Through products with J and J^T alone, by LSMR.

    The lengths of the columns are estimated by products of J^T with random signs, the same ones
    each time: Bekas, Kokiopoulou and Saad, An estimator for the diagonal of a matrix (2007).

    Args:
        forward: v -> J v, [n] -> [m].
        backward: w -> J^T w, [m] -> [n].
        rows: [m], whose length, dtype and device the probes take.
        tolerance: Relative accuracy of a direction.
    """

    def __init__(
        self, forward: Product, backward: Product, rows: Tensor, tolerance: float = 1e-3
    ) -> None:
        self._forward, self._backward = forward, backward
        self.tolerance = tolerance
        # The probes are drawn on the CPU, so that all devices see the same ones.
        generator = torch.Generator().manual_seed(0)
        signs = 2 * torch.randint(0, 2, (_PROBES, rows.shape[0]), generator=generator) - 1
        squares = [backward(probe).square() for probe in signs.to(rows)]
        self.column_squares = torch.stack(squares).mean(0)
        self.scale = torch.ones_like(self.column_squares)

    def transposed(self, rows: Tensor) -> Tensor:
        """Compute J^T w, [m] -> [n]."""
        return self._backward(rows)

    def solve(self, rows: Tensor, damping: float) -> Solved | None:
        """Solve `min |J s + rows|^2 + damping |s|_D^2` to the tolerance."""
        roots = self.scale.rsqrt()
        found = lsmr(
            lambda v: self._forward(roots * v),
            lambda w: roots * self._backward(w),
            -rows,
            damp=damping**0.5,
            tolerance=self.tolerance,
        )
        step = roots * found.x
        return Solved(step, self._forward(step))


def _norm(vector: Tensor, scale: Tensor) -> Tensor:
    return (vector.square() * scale).sum().sqrt()


def _orthogonal_solve(
    direction: Primal | Dual, orthogonal: Orthogonal, rows: Tensor, damping: float
) -> Solved | None:
    step, word = orthogonal.solve(rows, damping, direction.scale)
    if not bool(torch.isfinite(step).all()):
        return None
    return Solved(step, direction.jacobian @ step, word)
