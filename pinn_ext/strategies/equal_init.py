"""Equal initialisation: all weighted losses equal at the first update, weights kept after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.strategies.base.terms import EPS, Proposal, State, Statistics, Strategy, inverse


@dataclass(frozen=True)
class EqualInit(Strategy):
    """Propose `w_i = 1 / (L_i + eps)` once, from the first losses.

    Attributes:
        eps: added to each loss, in the units of the losses.
    """

    eps: float = EPS
    name: ClassVar[str] = "equal_init"
    equalizes: ClassVar[bool] = True
    scale_invariant: ClassVar[bool] = True

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state that says that nothing has been equalised yet."""
        return {"equalized": False}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose the inverse losses at the first call and nothing later."""
        if state["equalized"]:
            return None, state
        return Proposal(inverse(statistics.losses, self.eps), blend=False), {"equalized": True}
