"""Dual balancing: logarithms of the losses, with gradients of equal length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_number
from pinn_ext.strategies.base.terms import (
    Proposal,
    State,
    Statistics,
    Strategy,
    moving_average,
    over,
)


@dataclass(frozen=True)
class DbMtl(Strategy):
    """Replace the weights by `(1 / (L_i + eps)) max_j |h_j| / |h_i|`, `h_i` that of log loss i.

    The first factor turns the gradient of a loss into that of its logarithm,
    `h_i = g_i / (L_i + eps)`; the second makes these as long as the longest. (Lin et al. 2023,
    arXiv 2308.12029; LibMTL's DB_MTL.) Without an average the product is
    `max_j |h_j| / |g_i|`: the losses decide the common scale alone, and the ratios are those of
    `gradient_balance` without its average.

    The authors average the gradients themselves over steps and move along the averages, which no
    weights can do; weights by the length of an average would raise the terms whose gradients
    cancel over time. Here `beta` averages the *lengths*, from zero as theirs do. Its statistic
    costs one backward pass per term at an update.

    Attributes:
        beta: part of the old average of the lengths that is kept at an update, in [0, 1).
        eps: added to each loss, in the units of the losses.
    """

    beta: float = 0.0
    eps: float = 1e-8
    name: ClassVar[str] = "db_mtl"
    needs: ClassVar[frozenset[str]] = frozenset({"losses", "gradients"})
    blend_beta: ClassVar[float] = 0.0
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse a part out of range."""
        check_number("options.beta", self.beta, 0, 1, open_high=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return an average of zero."""
        return {"lengths": [0.0] * len(initial_weights)}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose the balanced weights; nothing where all gradients are zero."""
        norms = [] if statistics.gradients is None else statistics.gradients.norms
        if not any(norms):
            return None, state
        inverse = [1.0 / (loss + self.eps) for loss in statistics.losses]
        logarithmic = [factor * norm for factor, norm in zip(inverse, norms, strict=True)]
        moved = moving_average(state["lengths"], logarithmic, self.beta)
        lengths = self._averaged(statistics, state["lengths"], logarithmic, moved)
        longest = max(lengths)
        ratios = over(longest, lengths) if longest > 0.0 else [1.0] * len(lengths)
        targets = [min(f * ratio, 1e100) for f, ratio in zip(inverse, ratios, strict=True)]
        return Proposal(targets, blend=True), {"lengths": lengths}

    def _averaged(
        self,
        statistics: Statistics,
        old: Sequence[float],
        new: Sequence[float],
        moved: Sequence[float],
    ) -> list[float]:
        """Return the averages; those of terms that take no part stand still, but for the start.

        An average from zero holds `1 - beta^t` of what it is of, and is compared with others that
        do so: one that rests, and one that begins later, has to hold as much.
        """
        if statistics.active is None:
            return list(moved)
        held = 1.0 - self.beta**statistics.update
        before = 1.0 - self.beta ** max(statistics.update - 1, 1)
        resting = [length * held / before for length in old]
        start = [held * length for length in new]
        rows = zip(statistics.active, old, start, moved, resting, strict=True)
        return [
            (after if length > 0.0 else first) if active else rest
            for active, length, first, after, rest in rows
        ]
