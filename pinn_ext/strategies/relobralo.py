"""ReLoBRaLo: relative loss balancing with random lookback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_number
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, softmax

_TINY = 1e-12  # the authors', added to the denominators, in the units of the losses


@dataclass(frozen=True)
class ReLoBRaLo(Strategy):
    """Moving average of `k softmax_i(L_i / (T R_i))`, R_i the last loss or now and then the first.

    With `b(R)` for that softmax, update t makes
    `w(t) = alpha (rho w(t-1) + (1 - rho) b(L(1))) + (1 - alpha) b(L(t-1))`; alpha is 1 at the first
    update, which gives ones, 0 at the second and the option from then on; rho is drawn, 1 with the
    option's probability and else 0. (Bischof and Kraus 2021, CMAME 439, 2025, section on ReLoBRaLo;
    the authors' train.py and update_rules.py, defaults included. The lookback goes to the first
    losses, as the paper has it; the code takes the second, which its default rho never uses.)

    The statistic is the losses alone: no further pass over the network. The default alpha is for
    one update an iteration; over a period of 100 iterations as much is kept by 0.999**100, 0.9.

    Attributes:
        temperature: T, dimensionless; small values favour the slowest term, large ones none.
        alpha: part of the old weights that is kept at an update, in [0, 1].
        rho: expected part of the updates without lookback, in [0, 1].
        seed: of the random lookback.
    """

    temperature: float = 1.0
    alpha: float = 0.999
    rho: float = 1.0
    seed: int = 0
    name: ClassVar[str] = "relobralo"

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_number("options.temperature", self.temperature, 0, open_low=True)
        check_number("options.alpha", self.alpha, 0, 1)
        check_number("options.rho", self.rho, 0, 1)
        check_number("options.seed", self.seed, 0, 2**64 - 1, integer=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the state without a loss, with the weights of one that the authors start from."""
        return {"updates": 0, "first": [], "last": [], "weights": [1.0] * len(initial_weights)}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Move the weights by one step of the average and propose them."""
        losses = [float(loss) for loss in statistics.losses]
        updates = state["updates"] + 1
        # A term begins with its first loss above 0: nothing compares with 0.
        first = [old or new for old, new in zip(state["first"] or losses, losses, strict=True)]
        weights, active = state["weights"], statistics.taking_part()
        if updates > 1:
            alpha = 0.0 if updates == 2 else self.alpha
            kept = weights
            if uniform(self.seed, updates) >= self.rho:
                kept = self._balanced(losses, first, weights, active)
            recent = self._balanced(losses, state["last"], weights, active)
            pairs = zip(kept, recent, strict=True)
            moved = [alpha * old + (1.0 - alpha) * new for old, new in pairs]
            weights = statistics.averaged(weights, moved, moved)
        state = {"updates": updates, "first": first, "last": losses, "weights": weights}
        return Proposal(weights, blend=False), state

    def _balanced(
        self,
        losses: Sequence[float],
        references: Sequence[float],
        weights: Sequence[float],
        active: Sequence[int],
    ) -> list[float]:
        """Return the softmax with the sum k; terms that do not take part keep their weight."""
        exponents = [
            loss / (self.temperature * (reference or loss) + _TINY)
            for loss, reference in zip(losses, references, strict=True)
        ]
        if len(active) == len(losses):
            return [len(losses) * share for share in softmax(exponents)]
        balanced = list(weights)
        total = sum(weights[i] for i in active)  # what the others have left of k
        shares = softmax([exponents[i] for i in active]) if active else []
        for i, share in zip(active, shares, strict=True):
            balanced[i] = total * share
        return balanced


def uniform(seed: int, count: int) -> float:
    """Return the `count`-th number of a random sequence, so that a count is all there is to save.

    Args:
        seed: of the sequence, a whole number below 2**64.
        count: which number of the sequence, from 1.

    Returns:
        A number in [0, 1), the upper 53 bits of `splitmix64`.
    """
    return (splitmix64(seed, count) >> 11) * 2.0**-53


def splitmix64(seed: int, count: int) -> int:
    """Return the `count`-th output of SplitMix64 (Steele, Lea and Flood 2014), 64 bits.

    >>> splitmix64(1234567, 1)
    6457827717110365317
    """
    mask = 2**64 - 1
    z = (seed + count * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)
