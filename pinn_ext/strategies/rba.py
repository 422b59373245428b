"""Residual-based attention: point weights that follow the relative size of the residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pinn_ext.checks import check_choice, check_number, check_switch
from pinn_ext.strategies.base.points import PointBlock, PointState, PointStrategy

if TYPE_CHECKING:
    from torch import Tensor

STARTS = ("zero", "residual")
"""What the weights of points start from."""


@dataclass(frozen=True)
class Rba(PointStrategy):
    """`lambda_i <- gamma lambda_i + eta |r_i| / max_j |r_j|`, loss `mean (lambda_i r_i)^2`.

    Anagnostopoulos, Toscano, Stergiopulos and Karniadakis 2024 (arXiv 2307.00379); the defaults
    are those of the authors' notebooks (github.com/soanagno/rba-pinns). Weights are bounded by
    `eta / (1 - gamma)`, 1 by default. As in the authors' code a step is weighed by the weights that
    its own residuals have moved: from 0 they are `eta |r| / max |r|` in the very first step, and
    no gradient vanishes. The largest residual is that of the term in the batch. Nothing is
    differentiated; 1 number a point and term is stored.

    Attributes:
        eta: rate at which a weight grows where the residual is largest, dimensionless.
        gamma: part of a weight that is kept at a step, in [0, 1).
        start: `"zero"`, or `"residual"`: the first update of a point has eta 1 (the second mode
            of the authors' code).
        conditions: whether points of conditions are weighed too; the authors leave them alone.
    """

    eta: float = 0.001
    gamma: float = 0.999
    start: str = "zero"
    conditions: bool = False
    name: ClassVar[str] = "rba"
    state_on_device: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_number("options.eta", self.eta, 0, open_low=True)
        check_number("options.gamma", self.gamma, 0, 1, open_high=True)
        check_choice("options.start", self.start, STARTS)
        check_switch("options.conditions", self.conditions)

    def weighs(self, block: PointBlock) -> bool:
        """Return whether the points of a block are weighed at all."""
        return self.conditions or not block.condition

    def init(self, n: int, m: int, block: PointBlock) -> PointState:
        """Return weights of 0."""
        return {"lambdas": block.like.new_zeros(n, m)}

    def update(
        self, abs_residual: Tensor, state: PointState, times: Tensor | None = None
    ) -> PointState:
        """Let the weights decay, and grow by the relative residuals; zeros alone are no growth."""
        lambdas = state["lambdas"]
        largest = abs_residual.amax(dim=0)
        growth = self.eta * (abs_residual / largest.where(largest > 0, largest.new_ones(())))
        if self.start == "residual":  # a point that has never grown is at its start
            growth = growth.where(lambdas > 0, growth / self.eta)
        return {"lambdas": self.gamma * lambdas + growth}

    def factors(self, state: PointState, times: Tensor | None = None) -> Tensor:
        """Return the weights `[n, m]`."""
        return state["lambdas"]
