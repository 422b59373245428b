"""The residual rows of a loss term, one a point: how large they are, and what multiplies them."""

from __future__ import annotations

from torch import Tensor


def absolute(residual: Tensor) -> Tensor:
    """Return the absolute residual of each row.

    Args:
        residual: `[n]`, or `[n, ...]` for a term with several components; of shape `[]` it is a
            single row.

    Returns:
        `[n]` without a graph, the root mean square over the components.
    """
    residual = residual.detach()
    if residual.ndim < 2:
        return residual.abs().reshape(-1)
    rows = residual.reshape(len(residual), -1)
    return rows.abs()[:, 0] if rows.shape[1] == 1 else rows.square().mean(dim=1).sqrt()


def of_rows(factors: Tensor, rows: Tensor) -> Tensor:
    """Return values `[n]` in the shape that goes with rows `[n, ...]`, or with a single `[]`."""
    return factors.reshape(-1, *[1] * (rows.ndim - 1)) if rows.ndim else factors[0]


def mean_square(rows: Tensor, factors: Tensor | None = None) -> Tensor:
    """Return the loss of a term.

    Args:
        rows: residuals `[n, ...]` with the graph that `backward` will take.
        factors: of the points `[n]`, constants; None for ones.

    Returns:
        `mean (f r)^2`, shape `[]`.
    """
    return (rows if factors is None else of_rows(factors, rows) * rows).square().mean()
