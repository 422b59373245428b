"""Where a step goes, by a Jacobian that comes in blocks of rows and is never held whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ...devices import is_waited_for
from .dense import CHOLESKY_LEAST, Solved
from .gram import accumulate, gram, mirror, triangular_solve
from .sketch import RowSketch

Blocks = Iterable[tuple[Tensor, Tensor]]
"""Numbers of rows [b] and these rows of J [b, n]; the next ones may overwrite them."""

Pull = Callable[[Tensor], Tensor]


class _Blockwise:
    """Damped normal equations with a gradient that is exact, and a matrix in the place of J^T J.

    Steps have fewer digits than those that are refined with J, as the matrix has the square of its
    condition. Without damping they take the least one.

    Args:
        blocks: Every row of J once.
        columns: n.
        rows: [m], what directions are mostly solved for.
        pull: w -> J^T w, [m] -> [n], for other rows.
    """

    whole = False  # a direction's `forward` is as long as J s, and is not J s

    def __init__(self, blocks: Blocks, columns: int, rows: Tensor, pull: Pull) -> None:
        self._rows, self._pull = rows, pull
        self._free: Tensor | None = None
        self._factored: tuple[float, Tensor | None] | None = None
        self.least = CHOLESKY_LEAST * torch.finfo(rows.dtype).eps
        self._gradient = rows.new_zeros(columns)
        for numbers, block in blocks:
            self._gradient.add_(block.mT @ rows[numbers])
            self._take(numbers, block)
        self._matrix, self.column_squares = self._finish()
        self._diagonal = self._matrix.diagonal().clone()
        self.scale = torch.ones_like(self.column_squares)

    def _take(self, numbers: Tensor, block: Tensor) -> None:
        raise NotImplementedError

    def _finish(self) -> tuple[Tensor, Tensor]:
        """Return what stands for J^T J [n, n], and the squared lengths of the columns of J [n]."""
        raise NotImplementedError

    def transposed(self, rows: Tensor) -> Tensor:
        """Compute J^T w, [m] -> [n]; 0 for parameters that are held."""
        known = rows is self._rows
        if not known and not is_waited_for(rows):
            known = torch.equal(rows, self._rows)
        product = self._gradient if known else self._pull(rows)
        return product.clone() if self._free is None else product * self._free

    def forward(self, step: Tensor) -> Tensor:
        """Compute a vector [1] that is as long as J s, or as S J s, for s [n]."""
        return torch.dot(step, self._matrix @ step).clamp(min=0.0).sqrt()[None]

    def hold(self, columns: Tensor) -> None:
        """Hold parameters where they are from now on, as if their columns of J were zero.

        Args:
            columns: [n], true for those.
        """
        free = (~columns).to(self._matrix.dtype)
        self._free = free if self._free is None else free * self._free
        self._factored = None
        self._matrix.masked_fill_(columns | columns[:, None], 0.0)
        self._diagonal = self._diagonal * free

    def solve(self, rows: Tensor, damping: float) -> Solved | None:
        """Solve `(J^T J + damping D) s = -J^T rows`.

        Args:
            rows: [m].
            damping: Dimensionless, not negative; the least one in the place of 0.

        Returns:
            The direction; None where rounding prevents it.
        """
        factor = self._factor(max(damping, self.least))
        if factor is None:
            return None
        step = triangular_solve(factor, self.transposed(rows)).neg_()
        if not bool(step.isfinite().all()):
            return None
        return Solved(step, self.forward(step))

    def _factor(self, damping: float) -> Tensor | None:
        if self._factored is None or self._factored[0] != damping:
            self._factored = None  # gives its memory back
            diagonal = torch.add(self._diagonal, self.scale, alpha=damping)
            # A parameter without effect stays where it is.
            diagonal = torch.where(self._diagonal > 0, diagonal, self.scale)
            self._matrix.diagonal().copy_(diagonal)
            factor, info = torch.linalg.cholesky_ex(self._matrix)
            self._matrix.diagonal().copy_(self._diagonal)
            self._factored = damping, factor if bool(info == 0) else None
        return self._factored[1]


class Accumulated(_Blockwise):
    """Through J^T J, the sum of those of all blocks: exact, in the memory of [n, n].

    Example:
        >>> jacobian, rows = torch.tensor([[3.0], [4.0]]), torch.tensor([3.0, 4.0])
        >>> blocks = [(torch.tensor([i]), jacobian[i : i + 1]) for i in range(2)]
        >>> solver = Accumulated(blocks, 1, rows, lambda w: jacobian.mT @ w)
        >>> solver.solve(rows, 0.0).step.round(decimals=3).tolist()
        [-1.0]
    """

    def __init__(self, blocks: Blocks, columns: int, rows: Tensor, pull: Pull) -> None:
        self._sum = rows.new_zeros(columns, columns)
        super().__init__(blocks, columns, rows, pull)

    def _take(self, numbers: Tensor, block: Tensor) -> None:
        accumulate(block, self._sum)

    def _finish(self) -> tuple[Tensor, Tensor]:
        mirror(self._sum)
        return self._sum, self._sum.diagonal().clone()


class Sketched(_Blockwise):
    """Through (S J)^T S J, for a sketch S of the rows: cheaper than J^T J where there are many.

    The gradient and the lengths of the columns are exact; only the matrix is sketched. What a step
    promises is `-g^T s - |S J s|^2 / 2`. An undamped step goes too far along directions of which
    the sketch has less than half of the curvature: there a damping or a shorter step is needed.

    Args:
        blocks: Every row of J once.
        columns: n.
        rows: [m], what directions are mostly solved for.
        pull: w -> J^T w, [m] -> [n], for other rows.
        sketch: S, for as many rows.
    """

    def __init__(
        self, blocks: Blocks, columns: int, rows: Tensor, pull: Pull, sketch: RowSketch
    ) -> None:
        self._sketch = sketch
        self._squares = rows.new_zeros(columns)
        self._sketched = rows.new_zeros(sketch.size, columns)
        super().__init__(blocks, columns, rows, pull)

    def _take(self, numbers: Tensor, block: Tensor) -> None:
        self._sketch.fold(numbers, block, self._sketched)
        self._squares.add_(block.square().sum(0))

    def _finish(self) -> tuple[Tensor, Tensor]:
        matrix = gram(self._sketched)
        del self._sketched  # what is left is all that steps need
        mirror(matrix)
        return matrix, self._squares
