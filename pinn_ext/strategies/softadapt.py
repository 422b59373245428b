"""SoftAdapt: weights from the slopes of the losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_choice, check_number
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, softmax

VARIANTS = ("loss_weighted", "normalized", "normalized_by_sum", "plain")
_HIGHEST_ORDER = 10  # beyond it the coefficients only amplify the noise of the losses


@dataclass(frozen=True)
class SoftAdapt(Strategy):
    """`w_i = exp(beta s_i) / sum_j exp(beta s_j)`: s_i the slope of the last losses of term i.

    The slope, per update, is the forward difference over the window, that is at its oldest loss.
    The first update keeps the present weights; the window then grows to its length. (Heydari,
    Thompson and Mehmood 2019, section 3.1, and the authors' package softadapt. Its `1e-8` in the
    denominator is left out, as small losses would vanish beside it.)

    The statistic is the losses alone: no further pass over the network.

    Attributes:
        variant: `"plain"` takes the slopes as they are, which starves every term but one when
            losses are large; `"normalized"` divides them by the sum of their absolute values, as
            the paper does; `"normalized_by_sum"` by their sum, as the authors' package does, which
            favours the fastest fall when most losses fall; `"loss_weighted"`, recommended by the
            authors, multiplies the plain exponentials by the mean loss of the window.
        beta: how much slopes count, in updates per unit of loss (dimensionless where they are
            normalized); below 0 it favours the terms that do best.
        window: how many losses of each term are looked at.
        accuracy_order: of the finite difference, which reads the last `accuracy_order + 1` losses;
            None takes the highest that the losses seen allow, 10 at most.
    """

    variant: str = "loss_weighted"
    beta: float = 0.1
    window: int = 5
    accuracy_order: int | None = None
    name: ClassVar[str] = "softadapt"

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_choice("options.variant", self.variant, VARIANTS)
        check_number("options.beta", self.beta)
        check_number("options.window", self.window, 2, integer=True)
        if self.accuracy_order is not None:
            most = min(self.window - 1, _HIGHEST_ORDER)
            check_number("options.accuracy_order", self.accuracy_order, 1, most, integer=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state without a loss."""
        return {"losses": []}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Take in the losses; propose weights as soon as they have a slope."""
        rows = _with_row(state["losses"], statistics)[-self.window :]
        state = {"losses": rows}
        if len(rows) < 2:
            return None, state
        columns = list(zip(*rows, strict=True))
        order = min(self.accuracy_order or _HIGHEST_ORDER, len(rows) - 1)
        coefficients = forward_difference(order)
        slopes = [
            sum(c * loss for c, loss in zip(coefficients, column[-order - 1 :], strict=True))
            for column in columns
        ]
        active = set(statistics.taking_part())
        slopes = [slope if i in active else 0.0 for i, slope in enumerate(slopes)]
        exponents = [self.beta * slope for slope in self._scaled(slopes)]
        if self.variant == "loss_weighted":
            # Sums do for means: the softmax drops a common factor. Logarithms keep a term that the
            # exponential alone would take to zero comparable with the others.
            pairs = zip(exponents, columns, strict=True)
            exponents = [exponent + _log(sum(column)) for exponent, column in pairs]
        return Proposal(softmax(exponents), blend=False), state

    def _scaled(self, slopes: list[float]) -> list[float]:
        if not self.variant.startswith("normalized"):
            return slopes
        absolute = self.variant == "normalized"
        largest = max(abs(slope) for slope in slopes) or 1.0
        relative = [slope / largest for slope in slopes]  # so that the sum does not overflow
        # An exact sum, as the order of the terms must not decide where they nearly cancel.
        total = math.fsum(abs(slope) if absolute else slope for slope in relative)
        return [slope / total if total else 0.0 for slope in relative]


def forward_difference(order: int) -> list[float]:
    """Return the coefficients of the first derivative at the first of equally spaced values.

    Args:
        order: order of accuracy, at least 1; the formula is exact for polynomials of this degree.

    Returns:
        Coefficients `[order + 1]` for spacing 1, oldest value first.

    >>> forward_difference(2)
    [-1.5, 2.0, -0.5]
    """
    rest = [(-1) ** (k + 1) * math.comb(order, k) / k for k in range(1, order + 1)]
    return [-math.fsum(1.0 / k for k in range(1, order + 1)), *rest]


def _with_row(rows: list[list[float]], statistics: Statistics) -> list[list[float]]:
    """Return the window with the present losses, `[n + 1][k]`.

    A term that does not take part stands still in it; one that has not done so before begins as if
    it always had its present loss.
    """
    losses = list(map(float, statistics.losses))
    if statistics.active is None or not rows:
        return [*rows, losses]
    row = statistics.averaged(rows[-1], losses, losses)
    begun = [[old or new for old, new in zip(one, row, strict=True)] for one in rows]
    return [*begun, row]


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else -math.inf
