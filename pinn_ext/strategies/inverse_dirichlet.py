"""Weights that equalise the spread of the gradients' entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_choice
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, over

VARIANTS = ("paper", "code")


@dataclass(frozen=True)
class InverseDirichlet(Strategy):
    """Blend in `max_j std(g_j) / std(g_i)`, the standard deviation over all entries of a gradient.

    The mean of a gradient's entries is often close to zero, and the ratio close to that of the
    lengths. (Maddu, Sturm, Müller and Sbalzarini 2022, Mach. Learn.: Sci. Technol. 3, 015026; the
    authors' program keeps half of the old weight and updates every 5 steps.) Its statistic costs
    one backward pass per term at an update.

    Attributes:
        variant: `"paper"`: the largest deviation of all is the reference, so that no weight is
            below 1; `"code"`, the authors' program: that of the equations is, which keep weight 1
            (of several equations, the first in the program, the largest here; where all terms are
            equations, or none is, as in the paper).
    """

    variant: str = "paper"
    name: ClassVar[str] = "inverse_dirichlet"
    needs: ClassVar[frozenset[str]] = frozenset({"gradients"})
    blend_beta: ClassVar[float] = 0.5
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse an unknown variant."""
        check_choice("options.variant", self.variant, VARIANTS)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return an empty state: the average is the weights themselves."""
        return {}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose the ratios, to be blended in; nothing where the reference has no spread."""
        if statistics.gradients is None:
            return None, state
        deviations = statistics.gradients.deviations
        terms = range(len(deviations))
        conditions = statistics.conditions or [False] * len(terms)
        equations = [i for i in terms if not conditions[i]] if self.variant == "code" else []
        if len(equations) in (0, len(terms)):
            equations = []
        reference = max(deviations[i] for i in equations or terms)
        if reference == 0.0:
            return None, state
        targets = over(reference, deviations)
        for i in equations:
            targets[i] = 1.0
        return Proposal(targets, blend=True), state
