"""From tables of neighbours back to edges, and what is easier with these: transposes, matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from .neighbour_tables import Entries, Layout, Pattern, Weights


def edges_of(pattern: Pattern, weights: Sequence[Weights]) -> tuple[Entries, Tensor]:
    """List the edges that have any weight, in the order that each node has them.

    Args:
        pattern: The neighbours of each node.
        weights: k tables of weights.

    Returns:
        The edges, and their weights [E, k].
    """
    n = pattern.neighbours.shape[1]
    target = torch.arange(n, device=pattern.neighbours.device).expand_as(pattern.neighbours)
    tables = [(pattern.neighbours, target, [w.main.expand_as(target) for w in weights])]
    long = pattern.long_neighbours
    if long is not None and pattern.rows is not None:
        rows = pattern.rows.long().expand_as(long)
        tables.append((long, rows, [w.long for w in weights]))  # type: ignore[misc]
    kept = []
    for source, to, columns in tables:
        values = torch.stack(columns, -1)
        used = (values != 0).any(-1)
        if pattern.slot is not None and source is pattern.neighbours:
            used &= pattern.slot == 0  # long rows are whole in the other table
        used = used.t()  # by node, so that each node's order stays
        kept.append((source.t()[used].long(), to.t()[used], values.transpose(0, 1)[used]))
    source, to, values = (torch.cat(part) for part in zip(*kept, strict=True))
    return Entries.sort(source, to, n, values)


def transposed(edges: Entries, values: Tensor) -> tuple[Pattern, list[Weights]]:
    """Lay out the tables of the transposed operators.

    Args:
        edges: Of the operators.
        values: [E, k], their weights.

    Returns:
        The neighbours of each node, and k tables of weights.
    """
    n = edges.num_nodes
    swapped, turned = Entries.sort(edges.target, edges.source, n, values)
    layout = Layout(swapped)

    def centre(column: Tensor) -> Tensor:
        return column.new_zeros(n).index_add(0, edges.target, column)

    columns = zip(turned.unbind(1), values.unbind(1), strict=True)
    return layout.pattern, [layout.weights(after, centre(before)) for after, before in columns]


def matrix_of(edges: Entries, values: Tensor) -> sp.csr_matrix:
    """Build the sparse matrix of differences to the node.

    Args:
        edges: Of an operator.
        values: [E], its weights.

    Returns:
        [N, N], with rows of sum zero.
    """
    n = edges.num_nodes
    row, column = edges.target.cpu().numpy(), edges.source.cpu().numpy()
    weights = values.detach().cpu().numpy()
    off = sp.csr_matrix((weights, (row, column)), (n, n))
    centre = np.bincount(row, weights, n).astype(weights.dtype)
    return (off - sp.diags(centre, format="csr")).tocsr()


def left_null_vector(matrix: sp.csr_matrix) -> np.ndarray:
    """Solve for the weights of the one mean that a matrix keeps.

    Args:
        matrix: [N, N], with rows of sum zero.

    Returns:
        [N], of sum 1.

    Raises:
        ValueError: If its graph is not in one piece.
    """
    matrix, n = matrix.astype(np.float64), matrix.shape[0]
    parts, _ = sp.csgraph.connected_components(matrix, directed=False)
    if parts > 1:
        raise ValueError(f"`graph` must be in one piece to keep one mean, got {parts} pieces.")
    # The border fixes the sum: one sparse factorisation, exact for a one-dimensional kernel.
    ones = sp.csr_matrix(np.ones((1, n)))
    bordered = sp.bmat([[matrix.T, ones.T], [ones, None]], format="csc")
    right = np.zeros(n + 1)
    right[-1] = 1.0
    return sp.linalg.spsolve(bordered, right)[:-1]
