"""Arnoldi iterations: a large matrix, known by its products alone, seen in a small space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Krylov:
    """A matrix J projected onto the space of v, J v, J^2 v, … of a start vector v.

    Attributes:
        matrix: [m, m], Q J Q^T with orthonormal rows Q; its eigenvalues are the Ritz values.
        beyond: What the last product has outside of the space, in units of J; 0 if the space is
            invariant, and the Ritz values are eigenvalues.
        basis: [m, n], Q.
    """

    matrix: np.ndarray
    beyond: float
    basis: Tensor

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Approximate eigenvalues.

        Saad, Numerical Methods for Large Eigenvalue Problems (2011), proposition 6.8.

        Returns:
            Ritz values z [m], their vectors y [m, m] in columns, and the residuals [m]
            `|J Q^T y - z Q^T y|`.
        """
        values, vectors = np.linalg.eig(self.matrix)
        return values, vectors, self.beyond * np.abs(vectors[-1])

    def mode(self, vector: np.ndarray) -> Tensor:
        """Real part [n] of the approximate eigenvector of some y [m]."""
        return torch.from_numpy(vector.real.copy()).to(self.basis) @ self.basis


def arnoldi(product: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> Krylov:
    """Project a matrix onto a Krylov space, by at most `steps` products.

    Saad (2011), algorithm 6.2, the vectors made orthogonal twice.

    Args:
        product: `product(vector [n]) -> [n]`.
        start: [n], of any length but zero.
        steps: Dimension of the space, if no smaller one is invariant.

    Returns:
        The projection.
    """
    size = min(steps, start.numel())
    basis = start.new_zeros(size + 1, start.numel())
    projected = np.zeros((size + 1, size))
    basis[0] = start / start.norm()
    used = size
    for j in range(size):
        image = product(basis[j])
        scale = float(image.norm())
        # Twice: once loses orthogonality when the image lies almost in the basis.
        for _ in range(2):
            parts = basis[: j + 1] @ image
            image = image - parts @ basis[: j + 1]
            projected[: j + 1, j] += parts.cpu().double().numpy()
        length = float(image.norm())
        if length <= 10 * torch.finfo(start.dtype).eps * scale or j + 1 == start.numel():
            return Krylov(projected[: j + 1, : j + 1], 0.0, basis[: j + 1])
        projected[j + 1, j] = length
        basis[j + 1] = image / length
    return Krylov(projected[:used], float(projected[used, used - 1]), basis[:used])


def random_start(size: int) -> Tensor:
    """A normal random vector [n], always the same, without the caller's random numbers."""
    # The device is named because DeepXDE moves torch's default one to the GPU.
    generator = torch.Generator("cpu").manual_seed(0)
    return torch.randn(size, generator=generator, device="cpu", dtype=torch.float64)
