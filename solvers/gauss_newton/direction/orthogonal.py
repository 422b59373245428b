"""Damped least squares by orthogonal factors: for Jacobians that the normal equations cannot take.

Their error grows with the condition number of the Jacobian, that of the normal equations with its
square; they take several times as long.
"""

from __future__ import annotations

import torch
from torch import Tensor


def svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Decompose a matrix by QR iterations, on CUDA as well.

    CUDA's default is Jacobi's method, whose error is larger than that of the CPU, so that a cutoff
    for the rank would not mean the same.

    Args:
        matrix: [p, q].

    Returns:
        U [p, k], the singular values [k] and V^T [k, q], k the smaller of p and q.
    """
    driver = "gesvd" if matrix.is_cuda and torch.version.cuda else None
    return torch.linalg.svd(matrix, full_matrices=False, driver=driver)


class _Reflectors:
    """The factors Q R of a tall matrix, Q as Householder reflectors that are never multiplied out.

    Args:
        matrix: [p, q] with p >= q, not modified.
    """

    def __init__(self, matrix: Tensor) -> None:
        self._packed, self._tau = torch.geqrf(matrix)
        self.rows, columns = matrix.shape
        self.triangle = self._packed[:columns].triu()

    def project(self, vector: Tensor) -> Tensor:
        """Compute Q^T w, [p] -> [q]."""
        product = torch.ormqr(self._packed, self._tau, vector[:, None], transpose=True)
        return product[: self.triangle.shape[0], 0]

    def expand(self, vector: Tensor) -> Tensor:
        """Compute Q z, [q] -> [p]."""
        padded = vector.new_zeros(self.rows, 1)
        padded[: vector.shape[0], 0] = vector
        return torch.ormqr(self._packed, self._tau, padded)[:, 0]


class Orthogonal:
    """Solves `min |J s + b|^2 + damping |s|_D^2` by QR, or a singular value decomposition.

    The reflectors of J (of D^-1/2 J^T where that is the tall one) serve all dampings: each takes
    the factors of a small matrix over its damping. Without damping the singular values of the small
    matrix find the solution that is shortest in D.
    Bjorck, Numerical Methods for Least Squares Problems (1996), sections 2.7.2 and 5.3.2.

    Args:
        jacobian: [m, n], not modified; nothing is computed until it is needed.
        free: [n], 0 for columns that count as zero, else 1; None for all 1.

    Example:
        >>> solver = Orthogonal(torch.tensor([[1.0, 1.0]]))
        >>> step, word = solver.solve(torch.tensor([-2.0]), 0.0, torch.ones(2))
        >>> step.round(decimals=4).tolist(), word
        ([1.0, 1.0], 'svd')
    """

    def __init__(self, jacobian: Tensor, free: Tensor | None = None) -> None:
        self._jacobian, self._free = jacobian, free
        self._wide = jacobian.shape[0] < jacobian.shape[1]
        self._outer: _Reflectors | None = None
        self._inner: tuple[float, _Reflectors] | None = None

    def solve(self, rows: Tensor, damping: float, scale: Tensor) -> tuple[Tensor, str]:
        """Solve for one vector of rows.

        Args:
            rows: [m], b.
            damping: Dimensionless; 0 asks for the shortest solution, in D.
            scale: [n], the diagonal of D; the same at every call.

        Returns:
            [n], s; and "qr" or "svd".
        """
        roots = scale.sqrt()
        if self._outer is None:
            jacobian = self._jacobian if self._free is None else self._jacobian * self._free
            tall = (jacobian / roots).mT if self._wide else jacobian
            self._outer = _Reflectors(tall)
        triangle = self._outer.triangle
        # The small problem is min |A z + c|^2 + |diagonal z|^2.
        if self._wide:
            matrix, right, diagonal = triangle.mT, rows, torch.ones_like(rows)
        elif damping > 0:
            matrix, right, diagonal = triangle, self._outer.project(rows), roots
        else:
            matrix, right, diagonal = triangle / roots, self._outer.project(rows), roots
        if damping > 0:
            small, word = self._damped(matrix, right, damping, diagonal), "qr"
        else:
            small, word = self._shortest(matrix, right), "svd"
        if self._wide:
            return self._outer.expand(small) / roots, word
        return (small if damping > 0 else small / roots), word

    def _damped(self, matrix: Tensor, right: Tensor, damping: float, diagonal: Tensor) -> Tensor:
        k = right.shape[0]
        if self._inner is None or self._inner[0] != damping:
            stacked = torch.cat([matrix, torch.diag(damping**0.5 * diagonal)])
            self._inner = damping, _Reflectors(stacked)
        factors = self._inner[1]
        projected = factors.project(torch.cat([right, right.new_zeros(k)]))
        return torch.linalg.solve_triangular(
            factors.triangle, projected[:, None], upper=True
        )[:, 0].neg()  # fmt: skip

    def _shortest(self, matrix: Tensor, right: Tensor) -> Tensor:
        left, values, right_t = svd(matrix)
        cutoff = values.max() * max(self._jacobian.shape) * torch.finfo(values.dtype).eps
        inverse = torch.where(values > cutoff, values.reciprocal(), 0.0)
        return -(right_t.mT @ (inverse * (left.mT @ right)))
