"""What methods have in common that learn one number for each loss by gradient descent."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_choice, check_number
from pinn_ext.strategies.base import scalar_optimizer
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy

_LARGEST = 700.0  # exp(700) is 1e304: weights stay finite and above zero
STEEPEST = 230.0
"""Largest exponent in a slope: the square of exp(230), a moment of Adam, stays finite."""


@dataclass(frozen=True)
class LearnedScales(Strategy):
    """One number s_i a term, which follows the losses by the inner optimiser or in closed form.

    Attributes:
        optimizer: `"adam"` and `"sgd"` move s_i along the gradient of the method's objective;
            `"exact"` puts it where that gradient vanishes for the losses of the update.
        learning_rate: of the inner optimiser; Adam moves s_i by about so much a step.
        inner_steps: steps of the inner optimiser in an update. The paper makes one beside each
            step of the network, and an update stands for a period of 100 of these by default.
        start: s_i before the first update, dimensionless.
        sign: of s_i in the exponent of the weight.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    inner_steps: int = 100
    start: float = 0.0
    sign: ClassVar[int]

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_choice("options.optimizer", self.optimizer, (*scalar_optimizer.OPTIMIZERS, "exact"))
        check_number("options.learning_rate", self.learning_rate, 0, open_low=True)
        check_number("options.inner_steps", self.inner_steps, 1, integer=True)
        check_number("options.start", self.start, -_LARGEST, _LARGEST)

    @abstractmethod
    def slope(self, log_loss: float) -> Callable[[float], float]:
        """Return the derivative of a term's objective as a function of s_i."""

    @abstractmethod
    def weight(self, s: float) -> float:
        """Return the weight that belongs to s_i."""

    @abstractmethod
    def penalty(self, values: Sequence[float]) -> float:
        """Return what the objective holds beside the weighted losses."""

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state of an inner optimiser that has made no step."""
        return scalar_optimizer.fresh([float(self.start)] * len(initial_weights))

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Move s_i towards the losses and propose the weights that belong to it."""
        # Logarithms, as exp(±s_i) L_i may overflow where their sum does not.
        logs = [math.log(loss) if loss > 0.0 else -math.inf for loss in statistics.losses]
        if self.optimizer == "exact":
            exact = [min(max(-self.sign * x, -_LARGEST), _LARGEST) for x in logs]
            moved = {**state, "values": exact}
        else:
            slopes = [self.slope(x) for x in logs]
            moved = scalar_optimizer.minimize(
                slopes, state, self.optimizer, self.learning_rate, self.inner_steps, _LARGEST
            )
        state = _without_idle(moved, state, statistics.taking_part())
        values = state["values"]
        targets = [self.weight(s) for s in values]
        return Proposal(targets, blend=False, penalty=self.penalty(values)), state


def _without_idle(moved: State, before: State, active: Sequence[int]) -> State:
    """Put s_i back where a term keeps its weight, or it would run away meanwhile."""
    if len(active) == len(moved["values"]):
        return moved
    rows = {key: list(before[key]) for key in ("values", "first", "second")}
    for key, row in rows.items():
        for i in active:
            row[i] = moved[key][i]
    return {**moved, **rows}
