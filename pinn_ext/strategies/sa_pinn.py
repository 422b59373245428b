"""Self-adaptive point weights: gradient ascent on the loss that the network descends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pinn_ext.checks import check_choice, check_number, check_switch
from pinn_ext.strategies.base.points import PointBlock, PointState, PointStrategy

if TYPE_CHECKING:
    from torch import Tensor

ASCENTS = ("adam", "gradient")
"""How the weights climb."""
_KERAS_EPS = 1e-7  # of tf.keras.optimizers.Adam, outside of the root


@dataclass(frozen=True)
class SaPinn(PointStrategy):
    """Raise `lambda_i` along the gradient of `mean (lambda_i r_i)^2`, which the network lowers.

    McClenny and Braga-Neto 2023 (J. Comput. Phys. 474, 111722; arXiv 2009.04544) with the mask
    `m(lambda) = lambda^2`; defaults of the authors' AC.py: Adam as Keras has it, weights that
    start at random in [0, 1) for equations and [0, 100) for conditions. Each step is weighed by
    the weights from before it, as both sides of the saddle move at once. The gradient
    `2 lambda_i r_i^2 / n` is in closed form, so that nothing is differentiated; the loss weight
    of the term is left out of it. Under Adam 3 numbers a point and term and a counter are stored,
    otherwise 1. Weights only grow.

    Attributes:
        rate: learning rate of the weights (of Adam, or of plain ascent).
        beta1: decay of Adam's first moments, in [0, 1).
        beta2: decay of Adam's second moments, in [0, 1).
        ascent: `"adam"`, or `"gradient"` for plain ascent, the paper's own formula.
        equation_start: weights of equations start uniformly in [0, equation_start).
        condition_start: those of conditions in [0, condition_start).
        conditions: whether points of conditions are weighed too.
        seed: of the random start.
    """

    rate: float = 0.005
    beta1: float = 0.99
    beta2: float = 0.999
    ascent: str = "adam"
    equation_start: float = 1.0
    condition_start: float = 100.0
    conditions: bool = True
    seed: int = 0
    name: ClassVar[str] = "sa_pinn"
    updates_first: ClassVar[bool] = False
    state_on_device: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_number("options.rate", self.rate, 0, open_low=True)
        check_number("options.beta1", self.beta1, 0, 1, open_high=True)
        check_number("options.beta2", self.beta2, 0, 1, open_high=True)
        check_choice("options.ascent", self.ascent, ASCENTS)
        check_number("options.equation_start", self.equation_start, 0, open_low=True)
        check_number("options.condition_start", self.condition_start, 0, open_low=True)
        check_switch("options.conditions", self.conditions)
        check_number("options.seed", self.seed, 0, 2**31 - 1, integer=True)

    def weighs(self, block: PointBlock) -> bool:
        """Return whether the points of a block are weighed at all."""
        return self.conditions or not block.condition

    def init(self, n: int, m: int, block: PointBlock) -> PointState:
        """Return random weights, which depend on the seed and on how many were drawn before."""
        import torch

        generator = torch.Generator(device="cpu")
        generator.manual_seed(self.seed + 1_000_003 * block.drawn + 500_009 * block.condition)
        draw = torch.rand(n, m, generator=generator, dtype=torch.float64, device="cpu")
        top = self.condition_start if block.condition else self.equation_start
        lambdas = (top * draw).to(block.like)
        if self.ascent == "gradient":
            return {"lambdas": lambdas}
        return {
            "lambdas": lambdas,
            "first": torch.zeros_like(lambdas),
            "second": torch.zeros_like(lambdas),
            "updates": torch.zeros(n, dtype=torch.int32, device=lambdas.device),
        }

    def update(
        self, abs_residual: Tensor, state: PointState, times: Tensor | None = None
    ) -> PointState:
        """Make one step uphill; moments and their bias belong to each point."""
        lambdas = state["lambdas"]
        slope = 2.0 * lambdas * abs_residual.square() / len(abs_residual)
        if self.ascent == "gradient":
            return {"lambdas": lambdas + self.rate * slope}
        updates = state["updates"] + 1
        first = self.beta1 * state["first"] + (1.0 - self.beta1) * slope
        second = self.beta2 * state["second"] + (1.0 - self.beta2) * slope.square()
        count = updates.to(lambdas)[:, None]
        rate = self.rate * (1.0 - self.beta2**count).sqrt() / (1.0 - self.beta1**count)
        return {
            "lambdas": lambdas + rate * first / (second.sqrt() + _KERAS_EPS),
            "first": first,
            "second": second,
            "updates": updates,
        }

    def factors(self, state: PointState, times: Tensor | None = None) -> Tensor:
        """Return the weights `[n, m]`."""
        return state["lambdas"]
