"""What lengths and angles of the terms' gradients say in three numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

SCORES = ("alignment", "conflict", "size_ratio")
"""Names of the three numbers, in `history.csv` and wherever else they stand."""


def scores(
    norms: Sequence[float], cosines: Sequence[Sequence[float]], weights: Sequence[float]
) -> dict[str, float | None]:
    """Return how well the gradients of the terms agree; terms without gradient are left out.

    Args:
        norms: length of the gradient of each raw loss `[k]`, not negative.
        cosines: between each two of them `[k][k]`.
        weights: in force, of the terms `[k]`, dimensionless.

    Returns:
        `alignment`, the mean cosine of two terms, which is `(k |m|^2 - 1) / (k - 1)` with m the
        mean unit gradient (for two terms: Wang, Bhartari, Li and Perdikaris 2025, arXiv
        2502.00604, eq. 3.1): 1 if all point the same way, `-1 / (k - 1)` if they cancel;
        `conflict`, the smallest cosine; `size_ratio`, the longest *weighted* gradient over the
        shortest, as a step sees them. None where fewer than two terms have a gradient.

    >>> scores([3.0, 4.0, 0.0], [[1, -0.5, 0], [-0.5, 1, 0], [0, 0, 1]], [4.0, 1.0, 1.0])
    {'alignment': -0.5, 'conflict': -0.5, 'size_ratio': 3.0}
    """
    moving = [i for i, norm in enumerate(norms) if norm > 0.0]
    if len(moving) < 2:
        return dict.fromkeys(SCORES)
    angles = [cosines[a][b] for a, b in itertools.combinations(moving, 2)]
    sizes = [size for i in moving if (size := weights[i] * norms[i]) > 0.0]
    ratio = min(max(sizes) / min(sizes), 1e300) if len(sizes) > 1 else None
    return {
        "alignment": math.fsum(angles) / len(angles),
        "conflict": min(angles),
        "size_ratio": ratio,
    }
