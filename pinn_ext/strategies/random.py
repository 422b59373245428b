"""Random weights: what any rule for the weights has to beat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_number
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy
from pinn_ext.strategies.relobralo import uniform


@dataclass(frozen=True)
class Random(Strategy):
    """`w = k d`, d a new sample of the Dirichlet distribution (1, …, 1) at each update.

    All weights with the sum k are as likely, whatever the losses are: the null hypothesis beside
    every other strategy. (Lin, Ye, Zhang and Tsang 2022, "Reasonable effectiveness of random
    weighting", arXiv 2111.10603, who draw at each step, mostly from a normal distribution through
    a softmax.) The statistic is not looked at: no further pass over the network.

    Attributes:
        seed: of the samples; a saved state goes on with its own.
    """

    seed: int = 0
    name: ClassVar[str] = "random"
    needs: ClassVar[frozenset[str]] = frozenset()
    permutation_equivariant: ClassVar[bool] = False
    equal_treatment: ClassVar[bool] = False
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse a seed out of range."""
        check_number("options.seed", self.seed, 0, 2**64 - 1, integer=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the seed, and that nothing has been drawn."""
        return {"seed": int(self.seed), "drawn": 0}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose the next sample."""
        terms, drawn = len(statistics.losses), state["drawn"]
        # Exponential variables over their sum; 1 - u is above 0.
        draws = [uniform(state["seed"], drawn + i + 1) for i in range(terms)]
        sizes = [-math.log(1.0 - draw) for draw in draws]
        total = math.fsum(sizes)
        state = {"seed": state["seed"], "drawn": drawn + terms}
        if total <= 0.0:  # once in 2^53 for a single term
            return None, state
        return Proposal([terms * size / total for size in sizes], blend=False), state
