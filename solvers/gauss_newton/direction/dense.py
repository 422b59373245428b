"""Where a step goes: damped least squares with one Jacobian, through the smaller of two matrices.

Each class solves `min |J s + b|^2 + damping |s|_D^2` for a row vector b, D a positive diagonal.

On an accelerator a direction waits once at most: whether the factor is sound and the refinement has
done its work is read at the end, together, and until then it goes on as if they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...devices import is_waited_for, read
from .gram import gram, scaled_outer_gram, triangular_solve
from .orthogonal import Orthogonal
from .refinement import Refinement

# Smallest dampings, in units of rounding: from the first on Cholesky factors serve, whatever the
# Jacobian (tried for 50 to 800 columns). Small matrices have orthogonal factors at no cost.
CHOLESKY_LEAST, _LEAST, _SMALL = 512, 2, 64


@dataclass(frozen=True)
class Solved:
    """A direction.

    Attributes:
        step: [n], s.
        forward: [m], J s; where J is not at hand, a shorter vector of the same length (2-norm).
        fallback: "qr" or "svd" where Cholesky factors did not serve, else None.
    """

    step: Tensor
    forward: Tensor
    fallback: str | None = None


class Direction(Protocol):
    """The linear algebra of one linearisation.

    Attributes:
        column_squares: [n], squared lengths of the columns of J.
        scale: [n], D; the caller sets it once, before the first direction.
        least: Smallest damping that makes sense.
        whole: Whether `forward` is J s itself, rather than a vector as long.
    """

    column_squares: Tensor
    scale: Tensor
    least: float
    whole: bool

    def transposed(self, rows: Tensor) -> Tensor:
        """Compute J^T w, [m] -> [n]; 0 for parameters that are held."""

    def forward(self, step: Tensor) -> Tensor:
        """Compute J s, [n] -> [m], or a vector as long where it is not `whole`."""

    def hold(self, columns: Tensor) -> None:
        """Hold parameters [n], true for those, where they are: no later direction moves them."""

    def solve(self, rows: Tensor, damping: float) -> Solved | None:
        """Solve `min |J s + rows|^2 + damping |s|_D^2`; None where rounding prevents it."""


class _Dense:
    """What both matrices share: factors that are kept, and orthogonal ones to fall back on.

    Args:
        jacobian: [m, n], not modified, not copied.
        orthogonal: Whether there is memory for the orthogonal factors.
    """

    column_squares: Tensor
    scale: Tensor
    whole = True

    def __init__(self, jacobian: Tensor, orthogonal: bool = True) -> None:
        self.jacobian = jacobian
        self._free: Tensor | None = None
        self._gram: Tensor | None = None
        self._factored: tuple[float, Tensor | None] | None = None
        self._sound: Tensor | None = None  # truth value of the factor that has not been read
        self._orthogonal = Orthogonal(jacobian) if orthogonal else None
        small = orthogonal and min(jacobian.shape) <= _SMALL
        self.least = (_LEAST if small else CHOLESKY_LEAST) * torch.finfo(jacobian.dtype).eps

    def transposed(self, rows: Tensor) -> Tensor:
        """Compute J^T w, [m] -> [n]; 0 for parameters that are held."""
        product = self.jacobian.mT @ rows
        return product if self._free is None else product * self._free

    def forward(self, step: Tensor) -> Tensor:
        """Compute J s, [n] -> [m]."""
        return self.jacobian @ step

    def hold(self, columns: Tensor) -> None:
        """Hold parameters where they are from now on, as if their columns of J were zero.

        Args:
            columns: [n], true for those.
        """
        free = (~columns).to(self.jacobian.dtype)
        self._free = free if self._free is None else free * self._free
        self._factored = self._sound = None
        if self._orthogonal is not None:
            self._orthogonal = Orthogonal(self.jacobian, self._free)

    def solve(self, rows: Tensor, damping: float) -> Solved | None:
        """Solve `min |J s + rows|^2 + damping |s|_D^2`.

        Args:
            rows: [m].
            damping: Dimensionless, not negative.

        Returns:
            The direction; None where rounding prevents it.
        """
        if self._factored is None or self._factored[0] != damping:
            self._factored = damping, self._factor(damping)
        solved = self._by_factor(rows, damping)
        if solved is not None or self._orthogonal is None:
            return solved
        if is_waited_for(rows) and not bool(rows.isfinite().all()):
            return None
        step, word = self._orthogonal.solve(rows, damping, self.scale)
        step = step if self._free is None else step * self._free
        if not bool(step.isfinite().all()):
            return None
        return Solved(step, self.jacobian @ step, word)

    def _by_factor(self, rows: Tensor, damping: float) -> Solved | None:
        factor = self._factored[1] if self._factored is not None else None
        if factor is None:
            return None
        refinement = Refinement(rows)
        solved = self._refined(factor, rows, damping, refinement)
        doubts = [*refinement.doubts] if self._sound is None else [*refinement.doubts, self._sound]
        if not doubts:
            return solved
        told = read(*doubts)
        if self._sound is not None and not told[-1]:
            self._factored = damping, None
        self._sound = None
        return solved if all(told) else None

    def _factor(self, damping: float) -> Tensor | None:
        matrix = self._matrix(damping)
        factor, info = torch.linalg.cholesky_ex(matrix)
        sound = info == 0
        if damping == 0:
            # Rounding may hide that a column depends on others; the step would not be shortest.
            eps = torch.finfo(matrix.dtype).eps
            pivots = factor.diagonal().square() / matrix.diagonal()
            sound = sound & ~(pivots.min() <= 100 * len(matrix) * eps)
        if is_waited_for(sound):
            self._sound = sound
            return factor
        return factor if sound else None

    def _matrix(self, damping: float) -> Tensor:
        # The matrix stays where it is: only its diagonal is written.
        raise NotImplementedError

    def _refined(
        self, factor: Tensor, rows: Tensor, damping: float, refinement: Refinement
    ) -> Solved | None:
        raise NotImplementedError

    def _needs_none(self, damping: float) -> bool:
        # Above this damping rounding spoils less than its square root of the step.
        return damping > torch.finfo(self.jacobian.dtype).eps ** 0.5


class Primal(_Dense):
    """Through J^T J: for at least as many rows as parameters.

    Steps by Cholesky factors of `J^T J + damping D` are refined with J itself, as in the corrected
    seminormal equations: Bjorck, Numerical Methods for Least Squares Problems (1996), section
    2.4.6. Without that, a direction would lose twice as many digits as J has reason to.

    Example:
        >>> solver = Primal(torch.tensor([[3.0], [4.0]]))
        >>> solver.solve(torch.tensor([3.0, 4.0]), 0.0).step.tolist()
        [-1.0]
    """

    def __init__(self, jacobian: Tensor, orthogonal: bool = True) -> None:
        super().__init__(jacobian, orthogonal)
        self._gram = gram(jacobian)
        self.column_squares = self._gram.diagonal().clone()
        self.scale = torch.ones_like(self.column_squares)

    def _matrix(self, damping: float) -> Tensor:
        columns = self.column_squares if self._free is None else self.column_squares * self._free
        diagonal = torch.add(columns, self.scale, alpha=damping)
        # A parameter without effect stays where it is, without damping too.
        diagonal = torch.where(columns > 0, diagonal, self.scale)
        matrix = self._gram if self._gram is not None else gram(self.jacobian)
        matrix.diagonal().copy_(diagonal)
        return matrix

    def hold(self, columns: Tensor) -> None:
        """Hold parameters where they are from now on, as if their columns of J were zero."""
        super().hold(columns)
        if self._gram is not None:
            self._gram.masked_fill_(columns | columns[:, None], 0.0)

    def _refined(
        self, factor: Tensor, rows: Tensor, damping: float, refinement: Refinement
    ) -> Solved | None:
        gradient = self.transposed(rows)
        step = triangular_solve(factor, gradient).neg_()
        forward = self.jacobian @ step
        if self._needs_none(damping):
            return Solved(step, forward)
        damped, roots = damping * self.scale, self.scale.sqrt()
        while refinement.goes_on():
            # What is left of the rows first: where they fit well, far less is lost to rounding.
            rest = self.transposed(rows + forward).add_(damped * step)
            change = triangular_solve(factor, rest).neg_()
            if not refinement.contracts((roots * change).norm(), (roots * step).norm()):
                return None
            step, forward = refinement.better(
                (step, forward), (step + change, forward + self.jacobian @ change)
            )
        return Solved(step, forward)


class Dual(_Dense):
    """Through J D^-1 J^T: for fewer rows than parameters.

    `s = -D^-1 J^T y` with `(J D^-1 J^T + damping) y = rows`; without damping it is the step that is
    shortest in D.

    Example:
        >>> Dual(torch.tensor([[3.0, 4.0]])).solve(torch.tensor([5.0]), 0.0).step.tolist()
        [-0.6000000238418579, -0.800000011920929]
    """

    def __init__(self, jacobian: Tensor, orthogonal: bool = True) -> None:
        super().__init__(jacobian, orthogonal)
        self.column_squares = torch.linalg.vector_norm(jacobian, dim=0).square_()
        self.scale = torch.ones_like(self.column_squares)

    def _matrix(self, damping: float) -> Tensor:
        if self._gram is None:
            inverse = self.scale.reciprocal()
            weights = inverse if self._free is None else inverse * self._free
            self._gram = scaled_outer_gram(self.jacobian, weights)
            self._diagonal = self._gram.diagonal().clone()
        self._gram.diagonal().copy_(self._diagonal + damping)
        return self._gram

    def _refined(
        self, factor: Tensor, rows: Tensor, damping: float, refinement: Refinement
    ) -> Solved | None:
        y = triangular_solve(factor, rows)
        step = self._step(y)
        forward = self.jacobian @ step
        if self._needs_none(damping):
            return Solved(step, forward)
        roots = self.scale.sqrt()
        while refinement.goes_on():
            better = y + triangular_solve(factor, rows + forward - damping * y)
            # Measured by the step: of y, what J^T takes to zero may be large and does not matter.
            after = self._step(better)
            if not refinement.contracts((roots * (after - step)).norm(), (roots * step).norm()):
                return None
            y, step, forward = refinement.better(
                (y, step, forward), (better, after, self.jacobian @ after)
            )
        return Solved(step, forward)

    def hold(self, columns: Tensor) -> None:
        """Hold parameters where they are from now on, as if their columns of J were zero."""
        super().hold(columns)
        self._gram = None

    def _step(self, y: Tensor) -> Tensor:
        return self.transposed(y).div_(self.scale).neg_()
