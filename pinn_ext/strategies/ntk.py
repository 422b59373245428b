"""Weights that let all terms converge at the same rate, by the neural tangent kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_choice, check_number
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, over

ESTIMATORS = ("hutchinson", "exact")


@dataclass(frozen=True)
class Ntk(Strategy):
    """`w_i = sum_j t_j / t_i`, with t_i the trace of the term's tangent kernel per point.

    `t_i = (1 / N_i) sum_p |d r_p / d theta|^2` over the N_i residuals r_p of term i: a mean over
    points, as the losses are means, so that the number of points of a term does not weigh it.
    (Wang, Yu and Perdikaris 2022, J. Comput. Phys. 449, 110768, eq. 6.5 and 6.6, with traces over
    as many points of each term.) The traces, not the weights, are averaged over updates, as the
    inverse of a noisy number is too large in the mean.

    Attributes:
        estimator: `"hutchinson"`: estimated without bias from random signs, `probes` backward
            passes a term at an update; the relative standard deviation of one estimate is at most
            `sqrt(2 / probes) |K|_F / tr K`. `"exact"`: from the whole Jacobian, which takes the
            memory of points times parameters and the time of 20 to 30 steps; it wants a loss that
            is a mean of squares.
        probes: vectors of random signs at an update.
        average: part of the old average of the traces that is kept at an update, in [0, 1), with
            the start taken out; 0 for the paper's, who take the traces as they are.
    """

    estimator: str = "hutchinson"
    probes: int = 3
    average: float = 0.9
    name: ClassVar[str] = "ntk"
    needs: ClassVar[frozenset[str]] = frozenset({"ntk"})
    blend_beta: ClassVar[float] = 0.0
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_choice("options.estimator", self.estimator, ESTIMATORS)
        check_number("options.probes", self.probes, 1, integer=True)
        check_number("options.average", self.average, 0, 1, open_high=True)

    @property
    def exact(self) -> bool:
        """Whether the traces are to be measured without an estimate."""
        return self.estimator == "exact"

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return an average that has seen nothing."""
        return {"traces": [0.0] * len(initial_weights), "weight": 0.0}

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose the ratios of the averages; nothing where all traces are zero."""
        if statistics.ntk is None:
            return None, state
        # The sum of a^s over the updates so far: an average with equal shares at the start.
        weight = self.average * state["weight"] + 1.0
        moved = [
            old + (new - old) / weight
            for old, new in zip(state["traces"], statistics.ntk, strict=True)
        ]
        traces = statistics.averaged(state["traces"], statistics.ntk, moved)
        state = {"traces": traces, "weight": weight}
        if not any(traces):
            return None, state
        return Proposal(over(sum(traces), traces), blend=True), state
