"""What a strategy may know of the gradients of the loss terms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gradients:
    """Sums over the gradient of each of `k` raw losses, parameter tensor by parameter tensor.

    Everything that the published methods ask for follows from these sums. A term's gradient has
    `P` numbers, those of `m` tensors of the network one after the other.

    Attributes:
        totals: sum of the gradient's numbers `[k][m]`.
        absolute: sum of their absolute values `[k][m]`.
        squares: sum of their squares `[k][m]`.
        largest: the largest absolute value `[k][m]`.
        sizes: how many numbers each tensor has `[m]`.
        matrices: whether each tensor is a weight matrix, not a bias `[m]`.
        vectors: the gradients themselves `[k, P]`, a float64 tensor, where a strategy needs them.

    Example:
        >>> sums = {"totals": [[3.0, 1.0], [0.0, 0.1]], "absolute": [[5.0, 1.0], [0.2, 0.1]]}
        >>> more = {"squares": [[17.0, 1.0], [0.02, 0.01]], "largest": [[4.0, 1.0], [0.1, 0.1]]}
        >>> gradients = Gradients(**sums, **more, sizes=[2, 1], matrices=[True, False])
        >>> [round(norm, 3) for norm in gradients.norms]
        [4.243, 0.173]
        >>> gradients.maxima, gradients.maxima_of_matrices()
        ([4.0, 0.1], [4.0, 0.1])
        >>> gradients.means[0], gradients.means_of_matrices()[0], round(gradients.deviations[0], 3)
        (2.0, 2.5, 2.055)
        >>> gradients.largest_of_sum([0]), gradients.largest_of_sum([1], matrices=True)
        (4.0, 0.1)
    """

    totals: Sequence[Sequence[float]]
    absolute: Sequence[Sequence[float]]
    squares: Sequence[Sequence[float]]
    largest: Sequence[Sequence[float]]
    sizes: Sequence[int]
    matrices: Sequence[bool]
    vectors: Any = None

    @property
    def norms(self) -> list[float]:
        """Euclidean norm of each term's gradient `[k]`."""
        return [math.sqrt(sum(row)) for row in self.squares]

    @property
    def means(self) -> list[float]:
        """Mean absolute value of each term's gradient `[k]`."""
        return [sum(row) / sum(self.sizes) for row in self.absolute]

    @property
    def maxima(self) -> list[float]:
        """Largest absolute value of each term's gradient `[k]`."""
        return [max(row) for row in self.largest]

    @property
    def deviations(self) -> list[float]:
        """Standard deviation of the numbers of each term's gradient `[k]`."""
        count = sum(self.sizes)
        rows = zip(self.totals, self.squares, strict=True)
        # Rounding may leave a variance just below zero.
        return [math.sqrt(max(sum(s) / count - (sum(t) / count) ** 2, 0.0)) for t, s in rows]

    def means_of_matrices(self) -> list[float]:
        """Return the mean over weight matrices of the mean absolute value in each `[k]`.

        Networks without a matrix are averaged over all of their tensors, as is a term that moves
        no matrix, such as a residual of unknown coefficients alone.
        """
        chosen, every = self._matrices(), list(range(len(self.sizes)))
        means = []
        for row in self.absolute:
            own = chosen if any(row[i] for i in chosen) else every
            means.append(sum(row[i] / self.sizes[i] for i in own) / len(own))
        return means

    def maxima_of_matrices(self) -> list[float]:
        """Return the largest absolute value among the weight matrices `[k]`."""
        chosen = self._matrices()
        return [max(row[i] for i in chosen) for row in self.largest]

    def largest_of_sum(self, terms: Sequence[int], *, matrices: bool = False) -> float:
        """Return the largest absolute value in the sum of some terms' gradients.

        Args:
            terms: indices, at least one; the vectors are there if there are several.
            matrices: whether only weight matrices are looked at.

        Returns:
            Not negative.
        """
        if len(terms) == 1:
            return (self.maxima_of_matrices() if matrices else self.maxima)[terms[0]]
        # Sorted, so that rounding does not depend on the order of the terms.
        total = self.vectors[list(terms)].sort(dim=0).values.sum(dim=0).abs()
        if not matrices:
            return float(total.max())
        parts = total.split(list(self.sizes))
        return max(float(parts[i].max()) for i in self._matrices())

    def _matrices(self) -> list[int]:
        """Return the indices of the weight matrices, of all tensors if there is none."""
        chosen = [i for i, matrix in enumerate(self.matrices) if matrix]
        return chosen or list(range(len(self.sizes)))
