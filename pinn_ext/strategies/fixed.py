"""Fixed weights: what the user gave, for the whole training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy


@dataclass(frozen=True)
class Fixed(Strategy):
    """Keep the initial weights; the baseline that every other strategy has to beat."""

    name: ClassVar[str] = "fixed"
    moves: ClassVar[str] = ""
    limited: ClassVar[bool] = False
    scale_invariant: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return an empty state."""
        return {}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose nothing."""
        return None, state
