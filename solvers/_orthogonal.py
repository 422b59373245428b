"""Damped least squares by orthogonal factors: for Jacobians that the normal equations cannot take.

Their error grows with the condition number of the Jacobian, that of the normal equations with its
square; they take several times as long.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Orthogonal:
    """Solves `min |J s + b|^2 + damping |s|_D^2` by QR, without damping by a singular value
    decomposition, which finds the shortest of many solutions.

    Bjorck, Numerical Methods for Least Squares Problems (1996), sections 2.7.2 and 5.3.2.

    Args:
        jacobian: [m, n], not modified; nothing is computed until it is needed.
    """

    def __init__(self, jacobian: Tensor) -> None:
        self._jacobian = jacobian
        self._reduced: tuple[Tensor, Tensor] | None = None

    def solve(self, rows: Tensor, damping: float, scale: Tensor) -> tuple[Tensor, str]:
        """Solve for one vector of rows.

        Args:
            rows: [m], b.
            damping: Dimensionless; 0 asks for the shortest solution, in D.
            scale: [n], the diagonal of D.

        Returns:
            [n], s; and "qr" or "svd".
        """
        m, n = self._jacobian.shape
        roots = scale.rsqrt()
        if m >= n:
            triangle, right = self._reduce(rows)
            if damping > 0:
                return self._damped(triangle, right, (damping * scale).sqrt()), "qr"
            return -roots * self._shortest(triangle * roots, right), "svd"
        basis, triangle = torch.linalg.qr((self._jacobian * roots).mT)  # B^T = Q R, B = J D^-1/2
        if damping > 0:
            # s = -D^-1/2 Q z, z the damped solution with the square matrix R^T.
            diagonal = torch.full_like(rows, damping**0.5)
            z = self._damped(triangle.mT, rows, diagonal).neg()
            return -roots * (basis @ z), "qr"
        return -roots * (basis @ self._shortest(triangle.mT, rows)), "svd"

    def _reduce(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        # R and Q^T b from the factor of [J b] alone: Q is never formed.
        n = self._jacobian.shape[1]
        _, factor = torch.linalg.qr(torch.cat([self._jacobian, rows[:, None]], 1), mode="r")
        return factor[:n, :n], factor[:n, n]

    def _damped(self, matrix: Tensor, right: Tensor, diagonal: Tensor) -> Tensor:
        k = matrix.shape[1]
        block = matrix.new_zeros(matrix.shape[0] + k, k + 1)
        block[: matrix.shape[0], :k] = matrix
        block[: matrix.shape[0], k] = right
        block[matrix.shape[0] :, :k].diagonal().copy_(diagonal)
        _, factor = torch.linalg.qr(block, mode="r")
        return torch.linalg.solve_triangular(factor[:k, :k], factor[:k, k:], upper=True)[:, 0].neg()

    def _shortest(self, matrix: Tensor, right: Tensor) -> Tensor:
        left, values, right_t = torch.linalg.svd(matrix, full_matrices=False)
        cutoff = values.max() * max(self._jacobian.shape) * torch.finfo(values.dtype).eps
        inverse = torch.where(values > cutoff, values.reciprocal(), torch.zeros_like(values))
        return right_t.mT @ (inverse * (left.mT @ right))
