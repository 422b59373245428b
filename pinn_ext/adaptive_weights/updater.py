"""What happens at the end of a period: the strategy sees an epoch, the weights may move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pinn_ext.adaptive_weights.manager import AdaptiveLossWeights


class Updater:
    """Shows a manager one epoch a period, for trainings that count steps.

    Args:
        manager: of the weights.
        mean: takes the means of numbers over the processes that train together; None where there
            is one process.

    Attributes:
        epoch: how many periods the manager has been shown.
        jump: factor by which its last update has changed the weighted sum of the losses it saw.
    """

    def __init__(
        self,
        manager: AdaptiveLossWeights,
        mean: Callable[[Sequence[float]], Sequence[float]] | None = None,
    ) -> None:
        self.manager = manager
        self.epoch = 0
        self.jump = 1.0
        self._mean = mean

    def acts_next(self) -> bool:
        """Return whether the strategy will look at the period under way."""
        return self.manager.acts_at(self.epoch + 1)

    def weights(self) -> list[float]:
        """Return the weights in force, in the order of the terms."""
        return list(self.manager.get_weights().values())

    def update(self, losses: Sequence[float], **statistics: Any) -> bool:
        """Show the strategy a period.

        Args:
            losses: mean raw loss of each term over it `[k]`, on this process.
            **statistics: what else `AdaptiveLossWeights.update` takes.

        Returns:
            Whether the weights have moved; then `jump` says how far.
        """
        self.epoch += 1
        self.jump = 1.0
        old = self.weights()
        losses = losses if self._mean is None else self._mean(losses)
        named = dict(zip(self.manager.loss_names, losses, strict=True))
        self.manager.update(self.epoch, named, **statistics)
        new = self.weights()
        if new == old:
            return False
        before = sum(weight * loss for weight, loss in zip(old, losses, strict=True))
        after = sum(weight * loss for weight, loss in zip(new, losses, strict=True))
        self.jump = after / before if before > 0 else 1.0
        return True

    def roll_back(self, why: str) -> float | None:
        """Go back to the weights before the last update, unless a period under it went well.

        Args:
            why: for the log of events.

        Returns:
            By which factor the weighted sum of the losses has changed, None for nothing to undo.
        """
        if not self.manager.roll_back(why):
            return None
        return 1.0 / self.jump if self.jump > 0.0 else 1.0
