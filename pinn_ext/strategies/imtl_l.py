"""IMTL-L, the loss balance of impartial multi-task learning: weights from learned log-scales."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.strategies.base.learned_scales import STEEPEST, LearnedScales


@dataclass(frozen=True)
class ImtlL(LearnedScales):
    """`w_i = exp(s_i)`: s_i minimises `exp(s_i) L_i - s_i`.

    Its gradient is `exp(s_i) L_i - 1`, in closed form, and vanishes where `w_i = 1 / L_i`: in the
    long run all weighted losses are one. It is twice the objective of `uncertainty` with the
    opposite sign of s_i. The sum of `-s_i` is reported as the proposal's penalty. (Liu et al. 2021,
    "Towards Impartial Multi-task Learning", section 3.2.)

    The statistic is the losses alone: no further pass over the network; the inner steps take a few
    operations a term each.

    Attributes:
        optimizer: `"adam"` and `"sgd"` move s_i along the gradient, `"exact"` puts it at
            `-log(L_i)` at once.
        learning_rate: of the inner optimiser; Adam moves s_i by about so much a step.
        inner_steps: steps of the inner optimiser in an update. The paper makes one beside each
            step of the network, and an update stands for a period of 100 of these by default.
        start: s_i before the first update, dimensionless.
    """

    name: ClassVar[str] = "imtl_l"
    sign: ClassVar[int] = 1

    def slope(self, log_loss: float) -> Callable[[float], float]:
        """Return `exp(s_i) L_i - 1` as a function of s_i."""
        return lambda s: math.exp(min(log_loss + s, STEEPEST)) - 1.0

    def weight(self, s: float) -> float:
        """Return `exp(s_i)`."""
        return math.exp(s)

    def penalty(self, values: Sequence[float]) -> float:
        """Return the sum of `-s_i`."""
        return -sum(values)
