"""CoV-Weighting: weights from how much each loss still varies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_number
from pinn_ext.strategies.base.loss_ratios import ratios
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, over

_VARIANCE_FLOOR = 1e-8  # the authors', dimensionless as the ratios are


@dataclass(frozen=True)
class Cov(Strategy):
    """`w_i = c_i / sum_j c_j`: c_i the standard deviation over the mean of the ratios of loss i.

    A ratio is a loss over the mean of all losses of its term before it; at the first update, which
    has none, it is 1 and the weights are `1 / k`. Mean and deviation run along (Welford 1962).
    The weights sum to 1, not k: with `normalization="none"` that lowers the learning rate of plain
    gradient descent. (Groenendijk, Karaoglu, Gevers and Mensink 2021, section 3; the authors'
    covweighting_loss.py.)

    The statistic is the losses alone: no further pass over the network.

    Attributes:
        decay: part of the old means that is kept at an update, in (0, 1), the authors'
            `mean_sort=decay`; None weighs all losses alike. Deviations always sum over all.
    """

    decay: float | None = None
    name: ClassVar[str] = "cov"
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse a decay that would freeze or forget the means."""
        if self.decay is not None:
            check_number("options.decay", self.decay, 0, 1, open_low=True, open_high=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state without a loss."""
        zeros = [0.0] * len(initial_weights)
        return {"updates": 0, "loss_mean": zeros, "ratio_mean": zeros, "squares": zeros}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Take in the losses; propose the coefficients of variation so far."""
        losses, updates = statistics.losses, state["updates"] + 1
        first = updates == 1
        relative = [1.0] * len(losses) if first else ratios(losses, state["loss_mean"])
        kept = 1.0 - 1.0 / updates
        if self.decay is not None and not first:
            kept = self.decay
        means, ratio_means = state["loss_mean"], state["ratio_mean"]
        if statistics.active is not None and not first:
            # A term that has taken no part so far begins as all do: with ratio 1, no deviation.
            ratio_means = [mean or ratio for mean, ratio in zip(ratio_means, relative, strict=True)]
        squares = [
            total + kept * (ratio - mean) ** 2
            for total, ratio, mean in zip(state["squares"], relative, ratio_means, strict=True)
        ]
        averaged = statistics.averaged
        state = {
            "updates": updates,
            "loss_mean": averaged(means, losses, _moved(means, losses, kept)),
            "ratio_mean": averaged(ratio_means, relative, _moved(ratio_means, relative, kept)),
            "squares": averaged(state["squares"], squares, squares),
        }
        if first:
            return Proposal([1.0 / len(losses)] * len(losses), blend=False), state
        variations = [
            over(math.sqrt(total / updates + _VARIANCE_FLOOR), [mean])[0]
            for total, mean in zip(state["squares"], state["ratio_mean"], strict=True)
        ]
        total = sum(variations)
        return Proposal([variation / total for variation in variations], blend=False), state


def _moved(means: Sequence[float], values: Sequence[float], kept: float) -> list[float]:
    return [kept * mean + (1.0 - kept) * x for mean, x in zip(means, values, strict=True)]
