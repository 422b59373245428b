"""BRDR, balanced residual decay rates: weights of points, or of terms, that fall most slowly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pinn_ext.checks import check_number, check_switch
from pinn_ext.strategies.base.points import JointPointStrategy, PointBlock, PointState
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy

if TYPE_CHECKING:
    from torch import Tensor

Numbers = TypeVar("Numbers", float, "Tensor")
_TINY = 1e-300


@dataclass(frozen=True)
class DecayRates:
    """Inverse decay rates of squared residuals: what both forms of BRDR are made of.

    `m <- b m + (1 - b) s^2` is the moving average of the square of a size s, the squared residual
    of a point or the loss of a term; its root is what is kept, so that no power overflows. The
    rate `s / (sqrt(m / (1 - b^n)) + floor)` is 1 for a size that stands still, small for one that
    has just fallen, and never above `(1 - b)**-0.5`. (Chen, Howard and Stinis 2024, arXiv
    2407.01613; the floor stands outside of the root, as in the authors' program.)

    Attributes:
        decay: part of the old average that is kept at a step (b), in [0, 1).
        kept: part of an old weight that is kept at a step, in [0, 1).
        floor: added to the root of the average, in the units of the losses.
    """

    decay: float = 0.999
    kept: float = 0.999
    floor: float = 1e-14

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_number("options.decay", self.decay, 0, 1, open_high=True)
        check_number("options.kept", self.kept, 0, 1, open_high=True)
        check_number("options.floor", self.floor, 0, open_low=True)

    def moved(self, average: Numbers, size: Numbers, decay: float, tiny: float = _TINY) -> Numbers:
        """Return the root of `b m + (1 - b) s^2`.

        Args:
            average: root of m, not negative.
            size: s, likewise.
            decay: b.
            tiny: smallest positive number that is divided by.
        """
        unit = average + size + tiny
        old, new = average / unit, size / unit
        return unit * (decay * old * old + (1.0 - decay) * new * new) ** 0.5

    def rate(self, size: Numbers, average: Numbers, part: Any) -> Numbers:
        """Return the inverse decay rate.

        Args:
            size: s.
            average: root of m after s has entered it.
            part: `1 - b^n` after n updates: how much of an average from zero is there.
        """
        return size / (average / part**0.5 + self.floor)


@dataclass(frozen=True)
class Brdr(DecayRates, JointPointStrategy):
    """`w_p <- 0.999 w_p + 0.001 c_p / mean_q c_q`: c_p the inverse decay rate of point p.

    The mean is over the points of all terms in the batch, conditions included, so that weights move
    between terms as well as between points. They start at 1, have the mean 1 as long as each step
    has all points, and stay between 0 and the number of points. The loss is `mean w r^2`, the
    factor of a residual the root of its weight; a step is weighed by the weights that its own
    residuals have moved. (Chen, Howard and Stinis 2024, arXiv 2407.01613; their common scale of the
    loss is left out, as Adam would not see it. Their program raises the two factors to the number
    of steps since a point was last seen; here a point counts its own updates.) Nothing is
    differentiated; 2 numbers a point and term and a counter are stored.

    Attributes:
        decay: part of the old average of the fourth powers of a residual that is kept at a step.
        kept: part of an old weight that is kept at a step.
        floor: added to the root of that average, in the units of a squared residual.
        conditions: whether points of conditions are weighed too.
    """

    conditions: bool = True
    name: ClassVar[str] = "brdr"
    state_on_device: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        super().__post_init__()
        check_switch("options.conditions", self.conditions)

    def weighs(self, block: PointBlock) -> bool:
        """Return whether the points of a block are weighed at all."""
        return self.conditions or not block.condition

    def init(self, n: int, m: int, block: PointBlock) -> PointState:
        """Return weights of 1, and averages that have seen nothing."""
        import torch

        like = block.like
        return {
            "lambdas": like.new_ones(n, m),
            "averages": like.new_zeros(n, m),
            "updates": torch.zeros(n, dtype=torch.int32, device=like.device),
        }

    def begin(self, abs_residual: Tensor, state: PointState) -> tuple[PointState, Tensor]:
        """Return the rates of a block's points, and their sum and number."""
        import torch

        size = abs_residual.square()
        tiny = torch.finfo(size.dtype).tiny
        updates = state["updates"] + 1
        part = (1.0 - self.decay ** updates.double()).to(size)[:, None]
        averages = self.moved(state["averages"], size, self.decay, tiny)
        rates = self.rate(size, averages, part)
        begun = {**state, "averages": averages, "updates": updates, "rates": rates}
        total = rates.double().sum()
        return begun, torch.stack((total, torch.full_like(total, rates.numel())))

    def finish(self, begun: PointState, totals: Tensor) -> PointState:
        """Move the weights towards the rates over their mean; rates that are all 0 move none."""
        mean = totals[0] / totals[1]
        reference = begun["rates"] / mean.where(mean > 0, mean.new_ones(())).to(begun["rates"])
        moved = self.kept * begun["lambdas"] + (1.0 - self.kept) * reference
        return {
            "lambdas": moved.where(mean > 0, begun["lambdas"]),
            "averages": begun["averages"],
            "updates": begun["updates"],
        }

    def factors(self, state: PointState, times: Tensor | None = None) -> Tensor:
        """Return the roots of the weights `[n, m]`."""
        return state["lambdas"].sqrt()


@dataclass(frozen=True)
class BrdrTerms(DecayRates, Strategy):
    """`brdr` of whole terms: the loss of a term stands for the squared residual of a point.

    The weights start in the ratios of the initial ones and keep the mean 1. Both factors are those
    of the paper's single steps; an update raises them to the power of `steps`. (Chen, Howard and
    Stinis 2024, arXiv 2407.01613.) The statistic is the losses alone: no further pass over the
    network.

    Attributes:
        decay: part of the old average of the squared loss that is kept at a step.
        kept: part of an old weight that is kept at a step.
        floor: added to the root of that average, in the units of the losses.
        steps: of the training that an update stands for: 100 as in a period of the callback.
    """

    steps: int = 100
    name: ClassVar[str] = "brdr_terms"
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        super().__post_init__()
        check_number("options.steps", self.steps, 1, integer=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return weights of mean 1, and averages that have seen nothing."""
        count = len(initial_weights)
        mean = sum(initial_weights) / count
        return {
            "weights": [weight / mean for weight in initial_weights],
            "averages": [0.0] * count,
            "updates": [0] * count,
        }

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Move the weights of terms that take part towards their rates; others keep their share."""
        decay, kept = self.decay**self.steps, self.kept**self.steps
        some = statistics.taking_part()
        after = {key: list(values) for key, values in state.items()}
        rates = {}
        for i in some:
            size = float(statistics.losses[i])
            after["updates"][i] += 1
            after["averages"][i] = self.moved(state["averages"][i], size, decay)
            part = 1.0 - decay ** after["updates"][i]
            rates[i] = self.rate(size, after["averages"][i], part)
        total = math.fsum(rates.values())
        if total <= 0.0:
            return None, after
        share = math.fsum(state["weights"][i] for i in some)
        for i in some:
            reference = rates[i] / total * share
            after["weights"][i] = kept * state["weights"][i] + (1.0 - kept) * reference
        return Proposal(after["weights"], blend=False), after
