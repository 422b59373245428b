"""CAPU: conditions as constraints, by an augmented Lagrangian with adaptive penalties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_number
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy

_SMALLEST = 1e-16  # the authors', added to the average of C^2, in its units
_MOST = 1e100


@dataclass(frozen=True)
class Capu(Strategy):
    """`w_i = lam_i + mu_i C_i` for conditions and 1 for equations: C_i the loss of condition i.

    These are the weights whose gradient is that of `sum L_r + sum_i (lam_i C_i + mu_i C_i^2 / 2)`,
    the losses of the equations with the conditions as constraints. `v <- zeta v + (1 - zeta) C^2`
    runs along; where the augmented loss has not fallen below `omega` of its last value, the
    multiplier grows, `lam <- lam + mu C`, and then the penalty, `mu <- max(mu, eta / sqrt(v))`; all
    start from 1. (Hu, Basir and Senocak 2025, arXiv 2508.15695, "conditionally adaptive penalty
    update"; defaults of the authors' program, which updates at each step.) Multipliers never fall
    and a penalty may reach 1e6, so neither ratio cap nor clamps hold these weights.

    The statistic is the losses alone: no further pass over the network.

    Attributes:
        eta: of the penalties, in the units of the losses' weights times losses.
        omega: part of its last value that the augmented loss has to fall below, in (0, 1].
        zeta: part of the old average of C^2 that is kept at a step, in [0, 1).
        steps: of the training that an update stands for: `zeta` is raised to its power.
    """

    eta: float = 0.01
    omega: float = 0.999
    zeta: float = 0.99
    steps: int = 100
    name: ClassVar[str] = "capu"
    limited: ClassVar[bool] = False
    needs_conditions: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_number("options.eta", self.eta, 0, open_low=True)
        check_number("options.omega", self.omega, 0, 1, open_low=True)
        check_number("options.zeta", self.zeta, 0, 1, open_high=True)
        check_number("options.steps", self.steps, 1, integer=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return multipliers and penalties of 1, and averages that have seen nothing."""
        ones, zeros = [1.0] * len(initial_weights), [0.0] * len(initial_weights)
        return {
            "updates": 0,
            "multipliers": list(ones),
            "penalties": list(ones),
            "averages": zeros,
            "augmented": 0.0,
        }

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Take in the losses; raise multipliers and penalties where the augmented loss stays."""
        losses = [float(loss) for loss in statistics.losses]
        held = statistics.conditions or [False] * len(losses)
        multipliers, penalties = list(state["multipliers"]), list(state["penalties"])
        averages = [
            self._moved(average, loss) if condition else average
            for average, loss, condition in zip(state["averages"], losses, held, strict=True)
        ]
        augmented = min(_augmented(losses, held, multipliers, penalties), _MOST)
        if state["updates"] > 0 and augmented >= self.omega * state["augmented"]:
            for i, condition in enumerate(held):
                if condition:
                    multipliers[i] = min(multipliers[i] + penalties[i] * losses[i], _MOST)
                    penalties[i] = max(penalties[i], self._penalty(averages[i]))
        state = {
            "updates": state["updates"] + 1,
            "multipliers": multipliers,
            "penalties": penalties,
            "averages": averages,
            "augmented": augmented,
        }
        rows = zip(held, multipliers, penalties, losses, strict=True)
        targets = [min(lam + mu * c, _MOST) if condition else 1.0 for condition, lam, mu, c in rows]
        return Proposal(targets, blend=False), state

    def _moved(self, average: float, loss: float) -> float:
        """Return the root of `zeta v + (1 - zeta) C^2`: that of v is kept, as squares overflow."""
        zeta = self.zeta**self.steps
        return math.hypot(math.sqrt(zeta) * average, math.sqrt(1.0 - zeta) * loss)

    def _penalty(self, average: float) -> float:
        """Return `eta / sqrt(v + 1e-16)`, given the root of v."""
        return self.eta / math.hypot(average, math.sqrt(_SMALLEST))


def _augmented(
    losses: Sequence[float],
    held: Sequence[bool],
    multipliers: Sequence[float],
    penalties: Sequence[float],
) -> float:
    """Return the augmented loss, an exact sum: the order of the terms must not decide."""
    rows = zip(losses, held, multipliers, penalties, strict=True)
    return math.fsum(
        min((lam + 0.5 * mu * loss) * loss, 1e300) if condition else loss
        for loss, condition, lam, mu in rows
    )
