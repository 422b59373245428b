"""GradNorm: weights that let all terms train at similar rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pinn_ext.checks import check_choice, check_number
from pinn_ext.strategies.base.loss_ratios import ratios
from pinn_ext.strategies.base.scalar_optimizer import BETA1, BETA2, EPS
from pinn_ext.strategies.base.terms import Proposal, State, Statistics, Strategy, over

SOLVERS = ("inner", "closed")
_MOST = 1e100


@dataclass(frozen=True)
class GradNorm(Strategy):
    """Bring `G_i = w_i |g_i|` to `mean_j G_j * r_i**alpha`, with the sum of the weights kept at k.

    `r_i` is the inverse training rate of term i: its loss over its first loss, divided by the mean
    of this over the terms. (Chen, Badrinarayanan, Lee and Rabinovich 2018, ICML, eq. 1 and 2 and
    algorithm 1, which uses the gradient by the last shared layer: `gradients_of="last_layer"`.)
    The weights are part of its state and start in the ratios of the initial ones. Its statistic
    costs one backward pass per term at an update.

    Attributes:
        alpha: how strongly slow terms are pulled along, dimensionless.
        solver: `"inner"`: `steps` of Adam on `sum_i |G_i - target_i|`, targets constant, weights
            held at 0 or above and scaled to the sum k after each; `"closed"`: the weights at which
            that sum is zero, `target_i / |g_i|`, scaled likewise. Unless alpha is 1, the mean of
            the targets is not that of G, and repeated steps end near, not at, the closed form.
        lr: learning rate of the inner Adam, in the units of the weights.
        steps: of the inner Adam at an update.
    """

    alpha: float = 1.5
    solver: str = "inner"
    lr: float = 0.025
    steps: int = 1
    name: ClassVar[str] = "gradnorm"
    needs: ClassVar[frozenset[str]] = frozenset({"losses", "gradients"})
    blend_beta: ClassVar[float] = 0.0
    scale_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse options out of range."""
        check_number("options.alpha", self.alpha, 0, 10)
        check_choice("options.solver", self.solver, SOLVERS)
        check_number("options.lr", self.lr, 0, open_low=True)
        check_number("options.steps", self.steps, 1, integer=True)

    def init(self, initial_weights: Sequence[float]) -> State:
        """Return the weights with the sum k, and an optimiser that has made no step."""
        count = len(initial_weights)
        return {
            "weights": _with_sum(initial_weights, count),
            "first": None,
            "unit": 0.0,
            "average": [0.0] * count,
            "square": [0.0] * count,
            "steps": 0,
        }

    def update(self, statistics: Statistics, state: State) -> tuple[Proposal | None, State]:
        """Propose weights after the inner steps, or those of the closed form."""
        norms = [] if statistics.gradients is None else statistics.gradients.norms
        if not any(norms):
            return None, state
        active = statistics.taking_part()
        if len(active) < len(norms):
            return self._update_some(statistics, state, norms, active)
        return self._update_all(statistics.losses, state, norms)

    def _update_some(
        self, statistics: Statistics, state: State, norms: Sequence[float], active: Sequence[int]
    ) -> tuple[Proposal | None, State]:
        """Update the active terms by themselves; the others keep what they have in the state."""
        rows = ("weights", "first", "average", "square")
        whole = {**state, "first": state["first"] or [0.0] * len(norms)}
        some = {**whole, **{key: [whole[key][i] for i in active] for key in rows}}
        losses = [statistics.losses[i] for i in active]
        _, some = self._update_all(losses, some, [norms[i] for i in active])
        for key in rows:
            row = list(whole[key])
            for i, value in zip(active, some[key], strict=True):
                row[i] = value
            whole[key] = row
        whole |= {key: some[key] for key in ("unit", "steps")}
        return Proposal(whole["weights"], blend=self.solver == "closed"), whole

    def _update_all(
        self, losses: Sequence[float], state: State, norms: Sequence[float]
    ) -> tuple[Proposal, State]:
        """Propose weights of terms that all take part."""
        # A term begins with its first loss above 0: nothing compares with 0.
        begun = state["first"] or [0.0] * len(norms)
        first = [old or float(loss) for old, loss in zip(begun, losses, strict=True)]
        pull = [rate**self.alpha for rate in _rates(losses, first)]
        state = {**state, "first": first}
        if self.solver == "closed":
            shares = [
                over(r, [norm], _MOST)[0] if r > 0.0 else 0.0
                for r, norm in zip(pull, norms, strict=True)
            ]
            state["weights"] = _with_sum(shares, len(norms))
            return Proposal(state["weights"], blend=True), state
        # In units of the first mean length, so that Adam's eps does not see that of the losses.
        state["unit"] = state["unit"] or sum(norms) / len(norms)
        relative = [min(norm / state["unit"], _MOST) for norm in norms]
        for _ in range(self.steps):
            state = self._step(relative, pull, state)
        return Proposal(state["weights"], blend=False), state

    def _step(self, norms: Sequence[float], pull: Sequence[float], state: State) -> State:
        """Return the state after one step of Adam on the distance from the targets."""
        lengths = [w * norm for w, norm in zip(state["weights"], norms, strict=True)]
        mean = sum(lengths) / len(lengths)
        steps = state["steps"] + 1
        weights, average, square = [], [], []
        for i, norm in enumerate(norms):
            excess = lengths[i] - mean * pull[i]
            slope = math.copysign(norm, excess) if excess else 0.0
            average.append(BETA1 * state["average"][i] + (1.0 - BETA1) * slope)
            square.append(BETA2 * state["square"][i] + (1.0 - BETA2) * slope**2)
            root = math.sqrt(square[i] / (1.0 - BETA2**steps)) + EPS
            move = self.lr * average[i] / (1.0 - BETA1**steps) / root
            weights.append(max(state["weights"][i] - move, 0.0))
        scaled = _with_sum(weights, len(weights)) if any(weights) else state["weights"]
        return {
            **state,
            "weights": scaled,
            "average": average,
            "square": square,
            "steps": steps,
        }


def _with_sum(values: Sequence[float], total: float) -> list[float]:
    """Return the values times what makes their sum `total`; they are not all zero."""
    largest = max(values)
    relative = [value / largest for value in values]
    factor = total / sum(relative)
    return [factor * value for value in relative]


def _rates(losses: Sequence[float], first: Sequence[float]) -> list[float]:
    """Return `(L_i / L_i(0)) / mean_j (L_j / L_j(0))`; 0 / 0 is 1, as at the start."""
    relative = ratios(losses, first, _MOST)
    mean = sum(relative) / len(relative)
    return [ratio / mean for ratio in relative] if mean > 0.0 else [1.0] * len(relative)
