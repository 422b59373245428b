"""What every weighting strategy is: a pure function of a small statistic of the losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

State = dict[str, Any]
"""Plain numbers and lists of numbers, so that it can be saved, restored and read by hand."""


class Statistics(NamedTuple):
    """What a strategy may look at in one update.

    Attributes:
        losses: raw (unweighted) loss of each term `[k]`, finite and not negative.
    """

    losses: Sequence[float]


class Proposal(NamedTuple):
    """What a strategy answers.

    Attributes:
        targets: the weights it wants `[k]`, dimensionless, positive; their common scale is free.
        blend: whether the targets are mixed into the present weights or replace them.
    """

    targets: Sequence[float]
    blend: bool


class Strategy(ABC):
    """A weighting method: hyperparameters frozen in the object, state passed in and out.

    Attributes:
        name: the name users write.
        needs: the statistics it reads.
        equalizes: whether its first update makes all weighted losses equal.
        permutation_equivariant: whether reordering the terms only reorders the weights.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset({"losses"})
    equalizes: ClassVar[bool] = False
    permutation_equivariant: ClassVar[bool] = True

    @abstractmethod
    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state before the first update; `initial_weights` is `[k]`."""

    @abstractmethod
    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Return the proposed weights, or None to keep the present ones, and the next state."""


def inverse(losses: Sequence[float], eps: float) -> list[float]:
    """Return `1 / (L_i + eps)` for each loss, the weights that equalise the weighted losses."""
    return [1.0 / (loss + eps) for loss in losses]


def moving_average(
    average: Sequence[float], losses: Sequence[float], ema_alpha: float
) -> list[float]:
    """Return `a m_i + (1 - a) L_i`, the exponential moving average after one more loss."""
    return [
        ema_alpha * mean + (1.0 - ema_alpha) * loss
        for mean, loss in zip(average, losses, strict=True)
    ]
