"""Updates that look at all blocks of a step at once."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pinn_ext.point_weights.table import PointTable
from pinn_ext.strategies import JointPointStrategy, PointState


def moved_together(
    tables: Sequence[PointTable], residuals: Sequence[Tensor]
) -> Sequence[PointState | None]:
    """Return the next states of blocks that are in one step.

    Args:
        tables: of one strategy, with the points of the step.
        residuals: absolute residuals `[n, m]` of each.

    Returns:
        A state each; None where the strategy looks at a block alone, and the table updates itself.
    """
    begun, totals = [], []
    for table, own in zip(tables, residuals, strict=True):
        if not isinstance(table.strategy, JointPointStrategy):
            return [None] * len(tables)
        state, numbers = table.strategy.begin(own, table.present_state)
        begun.append((table.strategy, state))
        totals.append(numbers)
    return [strategy.finish(state, sum(totals[1:], totals[0])) for strategy, state in begun]
