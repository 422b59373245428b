"""Weights that make the gradients of all terms equally long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_choice, check_number
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, over


@dataclass(frozen=True)
class GradientBalance(Strategy):
    """Blend in `mean_j |g_j| / (|g_i| + floor mean_j |g_j|)`, g_i the gradient of loss i.

    All weighted gradients are then equally long. (Wang, Sankaran, Wang and Perdikaris 2023, arXiv
    2308.08468, algorithm 1; the scheme "grad_norm" of their program jaxpi, which keeps 0.9 of the
    old weight and updates every 1000 steps.) Its statistic costs one backward pass per term at an
    update.

    Attributes:
        numerator: `"mean"` of the lengths, as in jaxpi, or their `"sum"`, as the paper's equation
            has it: weights that are as many times larger as there are terms.
        floor: smallest length that a gradient is taken for, over the mean of all, dimensionless:
            no target is above `1 / floor`. jaxpi has 1e-5, the paper 0.
        average: part of the old average of the lengths that is kept at an update, in [0, 1), with
            the start taken out: lengths are noisy, and the inverse of a noisy number is too large
            in the mean. 0 for the lengths as they are; arXiv 2603.03224 smooths them.
    """

    numerator: str = "mean"
    floor: float = 1e-5
    average: float = 0.0
    name: ClassVar[str] = "gradient_balance"
    needs: ClassVar[frozenset[str]] = frozenset({"gradients"})
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_choice("options.numerator", self.numerator, ("mean", "sum"))
        check_number("options.floor", self.floor, 0, 1, open_high=True)
        check_number("options.average", self.average, 0, 1, open_high=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return an average that has seen nothing; without one the weights are all there is."""
        return {"lengths": [0.0] * len(initial_weights), "share": 0.0} if self.average else {}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose the ratios, to be blended in; nothing where all gradients are zero."""
        norms = [] if statistics.gradients is None else statistics.gradients.norms
        if not any(norms):
            return None, state
        if self.average:
            # The sum of a^s over the updates so far: an average with equal shares at the start.
            share, old = self.average * state["share"] + 1.0, state["lengths"]
            moved = [mean + (norm - mean) / share for mean, norm in zip(old, norms, strict=True)]
            norms = statistics.averaged(old, norms, moved)
            state = {"lengths": norms, "share": share}
        norms_in = [norms[i] for i in statistics.taking_part()]
        mean = sum(norms_in) / len(norms_in)
        numerator = sum(norms) if self.numerator == "sum" else mean
        targets = over(numerator, [norm + self.floor * mean for norm in norms])
        return Proposal(targets, blend=True), state
