"""Half of a matrix times its own transpose, and triangular solves: the costly part of a step."""

from __future__ import annotations

import torch
from scipy.linalg import blas
from torch import Tensor

_PANEL = 256  # columns; wide enough for full speed, and wastes only the upper half of each square


def gram(matrix: Tensor) -> Tensor:
    """Compute the lower triangle of `matrix.T @ matrix`, at about half the cost of the product.

    On the CPU this is the symmetric rank-k update of BLAS (0.48 to 0.55 of the product, 4000 x 1000
    and 8000 x 2000); elsewhere panels of rows of the result (0.58 to 0.66).

    Args:
        matrix: [m, n], float32 or float64, of any strides; not modified.

    Returns:
        [n, n]; only the diagonal and what lies below it may be read.

    Example:
        >>> gram(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tril().tolist()
        [[10.0, 0.0], [14.0, 20.0]]
    """
    return _rank_k(matrix) if matrix.device.type == "cpu" else _panels(matrix)


def _panels(matrix: Tensor) -> Tensor:
    n = matrix.shape[1]
    result = matrix.new_empty(n, n)
    for start in range(0, n, _PANEL):
        end = min(start + _PANEL, n)
        torch.mm(matrix[:, start:end].mT, matrix[:, :end], out=result[start:end, :end])
    return result


def _rank_k(matrix: Tensor, result: Tensor | None = None) -> Tensor:
    # BLAS counts columns first: a row-major [m, n] is its [n, m], and its upper triangle is ours
    # below the diagonal. Neither the matrix nor the result is copied.
    update = blas.dsyrk if matrix.dtype == torch.float64 else blas.ssyrk
    beta = 0.0 if result is None else 1.0
    if result is None:
        result = matrix.new_empty(matrix.shape[1], matrix.shape[1])
    out = result.numpy().T
    if matrix.stride(0) == 1 and matrix.stride(1) >= matrix.shape[0]:
        update(1.0, matrix.numpy(), trans=1, beta=beta, c=out, overwrite_c=1)
    else:
        update(1.0, matrix.contiguous().numpy().T, trans=0, beta=beta, c=out, overwrite_c=1)
    return result


def accumulate(matrix: Tensor, result: Tensor) -> None:
    """Add the lower triangle of `matrix.T @ matrix` to a result.

    Args:
        matrix: [m, n], not modified.
        result: [n, n], of which what lies above the diagonal may be anything.
    """
    if matrix.device.type == "cpu":
        _rank_k(matrix, result)
    else:
        result.add_(gram(matrix))


def mirror(matrix: Tensor) -> None:
    """Write what lies below the diagonal above it, a few rows at a time.

    Args:
        matrix: [n, n].

    Example:
        >>> matrix = torch.tensor([[1.0, 0.0], [2.0, 3.0]])
        >>> mirror(matrix)
        >>> matrix.tolist()
        [[1.0, 2.0], [2.0, 3.0]]
    """
    for start in range(0, len(matrix), _PANEL):
        end = min(start + _PANEL, len(matrix))
        square = matrix[start:end, start:end]
        square.copy_(square.tril() + square.tril(-1).mT)
        matrix[start:end, end:] = matrix[end:, start:end].mT


def scaled_outer_gram(matrix: Tensor, weights: Tensor) -> Tensor:
    """Compute the lower triangle of `matrix @ diag(weights) @ matrix.T`.

    The scaled copy that this needs is made of a few columns at a time.

    Args:
        matrix: [m, n], not modified.
        weights: [n], positive.

    Returns:
        [m, m]; only the diagonal and what lies below it may be read.

    Example:
        >>> scaled_outer_gram(torch.tensor([[1.0, 2.0]]), torch.tensor([3.0, 1.0])).tolist()
        [[7.0]]
    """
    m, n = matrix.shape
    roots = weights.sqrt()
    width = 2 * _PANEL
    result = None
    for start in range(0, n, width):
        end = min(start + width, n)
        block = torch.mul(matrix[:, start:end], roots[start:end]).mT  # [width, m]
        if result is None:
            result = gram(block)
        else:
            accumulate(block, result)
    return matrix.new_zeros(m, m) if result is None else result


def triangular_solve(factor: Tensor, vector: Tensor) -> Tensor:
    """Solve `factor @ factor.T @ x = vector` for a lower triangular factor.

    Two triangular solves; `torch.cholesky_solve` copies the factor, which takes longer.

    Args:
        factor: [n, n], lower triangular.
        vector: [n].

    Returns:
        [n].
    """
    forward = torch.linalg.solve_triangular(factor, vector[:, None], upper=False)
    return torch.linalg.solve_triangular(factor.mT, forward, upper=True)[:, 0]
