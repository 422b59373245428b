"""Weights that follow the inverse of an exponential moving average of each loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.strategies.base.terms import (
    EMA_ALPHA,
    EPS,
    Proposal,
    State,
    Statistics,
    Strategy,
    inverse,
    moving_average,
)


@dataclass(frozen=True)
class Ema(Strategy):
    """Blend in `1 / (m_i + eps)`, with `m_i` the moving average of loss i.

    The first loss starts the average. Without a cap on the ratio of the weights they run away
    as soon as one term is solved (`max_ratio` of `AdaptiveLossWeights`).

    Attributes:
        ema_alpha: part of the old average that is kept at an update, dimensionless.
        eps: added to each average, in the units of the losses.
    """

    ema_alpha: float = EMA_ALPHA
    eps: float = EPS
    name: ClassVar[str] = "ema"
    scale_invariant: ClassVar[bool] = True

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state without an average."""
        return {"average": None}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Move the average and propose its inverse, to be blended in."""
        if state["average"] is None:
            average = [float(loss) for loss in statistics.losses]
        else:
            old, losses = state["average"], statistics.losses
            moved = moving_average(old, losses, self.ema_alpha)
            average = statistics.averaged(old, losses, moved)
        return Proposal(inverse(average, self.eps), blend=True), {"average": average}
