"""DB-PINN, dual balancing: gradients of conditions and equations, shared out by difficulty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pinn_ext.checks import check_choice
from pinn_ext.strategies.base.loss_ratios import ratios
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, over

if TYPE_CHECKING:
    from torch import Tensor

MEASURES = ("mean", "std", "kurtosis")
_MOST = 1e100


@dataclass(frozen=True)
class DbPinn(Strategy):
    """Weigh conditions by `h l_i / sum_j l_j`, h the sum of their gradient ratios; equations by 1.

    The ratio of condition i is `max |g_r| / mean |w_i g_i|` (or one of standard deviations, or of
    these over kurtoses), g_r the gradient of the sum of the equations' losses: as in
    `lr_annealing`, it balances conditions against equations. h is shared by how hard a condition
    is, `l_i = L_i / (running mean of L_i)`. Both the weights and the mean losses are running means
    over all updates. Where all terms are equations, or none is, every term is weighed like a
    condition, against the largest gradient of all. (Zhou et al. 2025, IJCAI, "Dual-balancing for
    PINNs", arXiv 2505.11117, and the authors' program, which updates every 100 steps; its mean is
    of the weighted gradient, its other two measures are of the raw one. `db_mtl` is another
    method.)

    Its statistic costs one backward pass per term at an update.

    Attributes:
        measure: what gradients are compared by: `"mean"`: the largest entry over a mean absolute
            value; `"std"`: standard deviations; `"kurtosis"`: standard deviations over kurtoses.
    """

    measure: str = "mean"
    name: ClassVar[str] = "db_pinn"
    needs: ClassVar[frozenset[str]] = frozenset({"losses", "gradients", "gradient_vectors"})
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse an unknown measure."""
        check_choice("options.measure", self.measure, MEASURES)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return running means of nothing."""
        zeros = [0.0] * len(initial_weights)
        return {"updates": 0, "weights": zeros, "losses": list(zeros)}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose the running means of the shared ratios; nothing where equations do not pull."""
        held = self._held(statistics)
        ratio = self._ratios(statistics.gradients, held, state["weights"])
        if ratio is None:
            return None, state
        part = 1.0 / (state["updates"] + 1)
        some = [i for i in statistics.taking_part() if held[i]]
        average = statistics.averaged
        losses = [float(loss) for loss in statistics.losses]
        means = average(state["losses"], losses, _moved(state["losses"], losses, part))
        hard = ratios(losses, means)
        total, share = math.fsum(ratio[i] for i in some), math.fsum(hard[i] for i in some)
        hats = [0.0] * len(losses)
        for i in some:
            hats[i] = min(total, _MOST) * (hard[i] / share if share > 0.0 else 1.0 / len(some))
        weights = average(state["weights"], hats, _moved(state["weights"], hats, part))
        state = {"updates": state["updates"] + 1, "weights": weights, "losses": means}
        targets = [w if own else 1.0 for w, own in zip(weights, held, strict=True)]
        return (Proposal(targets, blend=False) if any(targets) else None), state

    def _held(self, statistics: Statistics) -> list[bool]:
        """Return which terms are weighed: the conditions, or all where these are not told apart."""
        held = list(statistics.conditions or [])
        return held if any(held) and not all(held) else [True] * len(statistics.losses)

    def _ratios(
        self, gradients: Any, held: Sequence[bool], weights: Sequence[float]
    ) -> list[float] | None:
        """Return the ratio of each term, None where there is no reference."""
        if gradients is None:
            return None
        equations = [i for i, own in enumerate(held) if not own]
        if self.measure == "mean":
            top = gradients.largest_of_sum(equations) if equations else max(gradients.maxima)
            # All weights are 1 at first; a term that begins later does so from the mean of others.
            begun = [w for w in weights if w > 0.0]
            first = sum(begun) / len(begun) if begun else 1.0
            sizes = [(w or first) * mean for w, mean in zip(weights, gradients.means, strict=True)]
        else:
            sizes = [self._spread(row) for row in gradients.vectors]
            top = max(sizes)
            if equations:
                # Sorted, so that rounding does not depend on the order of the terms.
                rows = gradients.vectors[equations].sort(dim=0).values
                top = self._spread(rows.sum(dim=0))
        return over(top, sizes, _MOST) if 0.0 < top < math.inf else None

    def _spread(self, gradient: Tensor) -> float:
        """Return the standard deviation of a gradient's entries, over their kurtosis if wanted."""
        largest = gradient.abs().max()
        if not largest > 0:
            return 0.0
        entries = gradient / largest  # so that no power overflows
        entries = entries - entries.mean()
        deviation = (entries.square().sum() / max(len(entries) - 1, 1)).sqrt()
        if not deviation > 0:
            return 0.0
        spread = deviation * largest
        if self.measure == "kurtosis":
            spread = spread / (entries / deviation).square().square().mean()
        return float(spread)


def _moved(old: Sequence[float], new: Sequence[float], part: float) -> list[float]:
    return [mean + part * (value - mean) for mean, value in zip(old, new, strict=True)]
