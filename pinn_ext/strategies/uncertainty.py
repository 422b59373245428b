"""Homoscedastic uncertainty: weights from learned log-variances."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.strategies.base.learned_scales import STEEPEST, LearnedScales


@dataclass(frozen=True)
class Uncertainty(LearnedScales):
    """`w_i = exp(-s_i) / 2`: s_i = log(sigma_i^2) minimises `exp(-s_i) L_i / 2 + s_i / 2`.

    Its gradient is `(1 - exp(-s_i) L_i) / 2`, in closed form, and vanishes where
    `w_i = 1 / (2 L_i)`: in the long run all weighted losses are equal, and a term that is solved
    takes the weight. The sum of `s_i / 2` is reported as the proposal's penalty. (Kendall, Gal and
    Cipolla 2018, eq. 7, with the log-variance as the unknown, as the authors advise.)

    The statistic is the losses alone: no further pass over the network; the inner steps take a few
    operations a term each.

    Attributes:
        optimizer: `"adam"` and `"sgd"` move s_i along the gradient, `"exact"` puts it at
            `log(L_i)` at once.
        learning_rate: of the inner optimiser; Adam moves s_i by about so much a step.
        inner_steps: steps of the inner optimiser in an update. The paper makes one beside each
            step of the network, and an update stands for a period of 100 of these by default.
        start: s_i before the first update, dimensionless.
    """

    name: ClassVar[str] = "uncertainty"
    sign: ClassVar[int] = -1

    def slope(self, log_loss: float) -> Callable[[float], float]:
        """Return `(1 - exp(-s_i) L_i) / 2` as a function of s_i."""
        return lambda s: 0.5 - 0.5 * math.exp(min(log_loss - s, STEEPEST))

    def weight(self, s: float) -> float:
        """Return `exp(-s_i) / 2`."""
        return 0.5 * math.exp(-s)

    def penalty(self, values: Sequence[float]) -> float:
        """Return the sum of `s_i / 2`."""
        return 0.5 * sum(values)
