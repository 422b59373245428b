"""Learning-rate annealing: conditions weighed by the largest entry of the equations' gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_choice
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, over

VARIANTS = ("code", "paper")
DENOMINATORS = ("weighted", "unweighted")


@dataclass(frozen=True)
class LrAnnealing(Strategy):
    """Blend in `max |g_r| / mean |g_i|` for conditions and 1 for equations.

    `g_r` is the gradient of the sum of the equations' losses, `g_i` that of condition i. Where all
    terms are equations, or none is, nothing tells a reference apart: every term is then weighed
    like a condition, against the largest entry that any gradient has. The old weight keeps
    `weight_beta` = 0.9 (the paper's text calls the part of the *new* one alpha, its code beta = 0.9
    that of the old). A weighted denominator settles at the square root of the ratio that an
    unweighted one settles at. (Wang, Teng and Perdikaris 2021, SIAM J. Sci. Comput. 43, eq. 2.30;
    eq. 40 of arXiv 2001.04536; their code updates every 10 steps.)

    Its statistic costs one backward pass per term at an update.

    Attributes:
        variant: `"code"`, the authors' program: the largest entry among weight matrices over the
            mean of the matrices' means, biases left out; `"paper"`: both over all parameters.
        denominator: `"weighted"`: the gradient of `w_i L_i`, with w_i relative to the mean weight
            of the equations, as in the authors' program; `"unweighted"`: that of `L_i`.
    """

    variant: str = "code"
    denominator: str = "weighted"
    name: ClassVar[str] = "lr_annealing"
    needs: ClassVar[frozenset[str]] = frozenset({"gradients", "gradient_vectors"})
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse unknown variants."""
        check_choice("options.variant", self.variant, VARIANTS)
        check_choice("options.denominator", self.denominator, DENOMINATORS)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return an empty state: the average is the weights themselves."""
        return {}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose the ratios, to be blended in; nothing where no reference has a gradient."""
        gradients = statistics.gradients
        if gradients is None:
            return None, state
        terms = range(len(statistics.losses))
        conditions = statistics.conditions or [False] * len(terms)
        equations = [i for i in terms if not conditions[i]]
        matrices = self.variant == "code"
        if 0 < len(equations) < len(terms):
            largest = gradients.largest_of_sum(equations, matrices=matrices)
        else:
            equations = []
            own = gradients.maxima_of_matrices() if matrices else gradients.maxima
            largest = max(own)
        if largest == 0.0:
            return None, state
        means = gradients.means_of_matrices() if matrices else gradients.means
        if self.denominator == "weighted" and statistics.weights is not None:
            taking_part = statistics.taking_part()
            equal = set(equations)
            others = [i for i in taking_part if i in equal] or taking_part
            unit = _mean([statistics.weights[i] for i in others])
            means = [w / unit * mean for w, mean in zip(statistics.weights, means, strict=True)]
        targets = over(largest, means)
        for i in equations:
            targets[i] = 1.0
        return Proposal(targets, blend=True), state


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
