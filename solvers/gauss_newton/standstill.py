"""When a cost stands at rounding: the bound, and for how long it must hold.

A cost is a sum of m squares, none of them negative. Added in float64 in any order it has a relative
error of at most m u, with u = eps / 2 (Higham, Accuracy and Stability of Numerical Algorithms
(2002), section 3.1, with terms of one sign). A residual that is right to its last digit has an
error of u of its own type, its square twice that. Two costs are compared, so a relative difference
of up to

    m eps(float64) + 2 eps(type of the residual)

may be rounding alone. The first part holds for any order of the sum, so for any processor and
number of threads. The second is the least that residuals can have: where theirs is larger, steps
are rejected at random until one is promised nothing, and that is an end as well (`Step.futile`).

A cost also stands on a plateau, and where a large damping has made steps small: a standstill is an
end, and no more. Whether it is a minimum is asked by `iteration` and `ends`.
"""

from __future__ import annotations

import torch

STEPS = 5  # in a row; a single small step may be followed by large ones
POOR = 0.25  # gain ratio below which a small change says that the model is wrong, not the end near


def rounding_of_difference(num_rows: int, dtype: torch.dtype) -> float:
    """Relative difference below which two costs may differ by rounding alone.

    Args:
        num_rows: m, of residuals.
        dtype: Type of the residuals; the cost itself is summed in float64.

    Returns:
        The bound, dimensionless.

    Example:
        >>> rounding_of_difference(98, torch.float64) == 100 * torch.finfo(torch.float64).eps
        True
    """
    return num_rows * torch.finfo(torch.float64).eps + 2 * torch.finfo(dtype).eps


class Standstill:
    """Notes how far steps lower a cost, and says where they stand at its rounding.

    They do where the last `STEPS` steps together have lowered the cost by less than as many times
    its rounding, and were promised less than `1 / POOR` times that. Sums are taken, as at a
    standstill single falls scatter around the bound.

    Args:
        num_rows: m, of residuals.
        dtype: Their type.

    Attributes:
        past: Relative falls of the last steps, found and promised, since the last one that was too
            large to belong to a standstill: empty in a training that makes progress.
    """

    def __init__(self, num_rows: int, dtype: torch.dtype) -> None:
        self._most = STEPS * rounding_of_difference(num_rows, dtype)
        self.past: list[list[float]] = []

    def note(self, cost_before: float, cost: float, predicted: float) -> bool:
        """Note a step that was taken.

        Args:
            cost_before: Positive.
            cost: After the step.
            predicted: Fall that the linear model promised.

        Returns:
            Whether the cost stands at rounding.
        """
        found, promised = (cost_before - cost) / cost_before, predicted / cost_before
        if found >= self._most or promised >= self._most / POOR:
            self.past = []
            return False
        self.past = [*self.past, [found, promised]][-STEPS:]
        all_found, all_promised = (sum(column) for column in zip(*self.past, strict=True))
        small = all_found < self._most and all_promised < self._most / POOR
        return small and len(self.past) == STEPS
