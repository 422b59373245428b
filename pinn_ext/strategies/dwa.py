"""DWA, dynamic weight average: weights from how slowly each loss falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_number
from pinn_ext.strategies.base.loss_ratios import ratios
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, softmax


@dataclass(frozen=True)
class Dwa(Strategy):
    """`w_i = k softmax_i(r_i / T)`: r_i the mean loss of a window over that of the one before.

    Weights are one until two windows have been seen, and stand still within a window. What the
    paper calls an epoch is a window of updates here; an update of the DeepXDE callback already sees
    the mean over its period. (Liu, Johns and Davison 2019, "Dynamic Weight Average"; the authors'
    mtan, utils.py.)

    The statistic is the losses alone: no further pass over the network.

    Attributes:
        temperature: T, dimensionless; the larger, the more even the weights.
        window: how many updates make a window.
    """

    temperature: float = 2.0
    window: int = 1
    name: ClassVar[str] = "dwa"
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_number("options.temperature", self.temperature, 0, open_low=True)
        check_number("options.window", self.window, 1, integer=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state without a loss."""
        return {"started": False, "seen": 0, "mean": [0.0] * len(initial_weights), "before": []}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Take in the losses; at the end of a window propose the weights of the next."""
        losses, seen, before = statistics.losses, state["seen"] + 1, state["before"]
        # A running mean, as a sum could overflow.
        pairs = zip(state["mean"], losses, strict=True)
        moved = [old + (loss - old) / seen for old, loss in pairs]
        mean = statistics.averaged(state["mean"], losses, moved)
        proposal = None
        if not state["started"]:
            proposal = Proposal([1.0] * len(losses), blend=False)
        if seen == self.window:
            if before:
                # A term without a loss in the window, as it took no part, counts as one that rests.
                resting = [
                    0.0 if statistics.active and not x else y
                    for x, y in zip(mean, before, strict=True)
                ]
                exponents = [ratio / self.temperature for ratio in ratios(mean, resting)]
                targets = [len(losses) * share for share in softmax(exponents)]
                proposal = Proposal(targets, blend=False)
            seen, mean, before = 0, [0.0] * len(losses), mean
        return proposal, {"started": True, "seen": seen, "mean": mean, "before": before}
