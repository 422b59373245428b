"""Equal initialisation, then weights that follow a moving average of the losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.strategies.base.terms import Proposal, State, Statistics
from pinn_ext.strategies.ema import Ema


@dataclass(frozen=True)
class EqualInitEma(Ema):
    """Equalise at the first update, which also starts the average; then go on as `ema`.

    Attributes:
        ema_alpha: part of the old average that is kept at an update, dimensionless.
        eps: added to each average, in the units of the losses.
    """

    name: ClassVar[str] = "equal_init_ema"
    equalizes: ClassVar[bool] = True

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Replace the weights at the first call, blend into them at every later one."""
        first = state["average"] is None
        proposal, state = super().update(statistics, state)
        return (proposal._replace(blend=False) if first and proposal else proposal), state
