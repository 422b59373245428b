"""A strategy in a training: the method, its state, and the `eps` that it inverts losses with."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from pinn_ext.adaptive_weights import checks as checked
from pinn_ext.adaptive_weights.groups import Unit
from pinn_ext.adaptive_weights.loss_floor import LossFloor
from pinn_ext.adaptive_weights.proposals import weights_of
from pinn_ext.adaptive_weights.settings import WeightSettings
from pinn_ext.strategies import Proposal, State, Statistics, Strategy


class Answer(NamedTuple):
    """What a strategy has answered.

    Attributes:
        why: it cannot be used, `""` where it can.
        state: of the strategy after it.
        proposal: None where the weights stay.
        weights: of the units within the limits `[k]`.
        resting: name of the limit that each rests on `[k]`, `""` for none.
    """

    why: str
    state: State
    proposal: Proposal | None = None
    weights: Sequence[float] = ()
    resting: Sequence[str] = ()


class StrategyAtWork:
    """Asks a strategy for weights and keeps its state; a method itself never changes.

    Args:
        method: the strategy.
        initial: weights of the units before the first update `[k]`.
        eps: given, or None: found from the first losses, see `LossFloor`.

    Attributes:
        method: the strategy, with the `eps` in force.
        asked: how many updates it has been asked for.
    """

    def __init__(self, method: Strategy, initial: Sequence[float], eps: float | None) -> None:
        self._given, self._floor = method, LossFloor(eps)
        self.method = method
        self.asked = 0
        self._state = method.init(initial)

    @property
    def eps(self) -> float | None:
        """What is added to a loss before it is inverted, None before the first losses."""
        return self._floor.eps

    def see(self, names: Sequence[str], losses: Sequence[float]) -> str:
        """Look at raw losses before the strategy does.

        Args:
            names: of the terms that take part in the update.
            losses: of them.

        Returns:
            What a user should know of them, `""` for nothing.
        """
        if self._floor.find(losses):
            self.method = self._floor.of(self._given)
        return self._floor.news(names, losses) if self._floor.read_by(self.method) else ""

    def ask(
        self, statistics: Statistics, units: Sequence[Unit], settings: WeightSettings
    ) -> Answer:
        """Return the answer of the strategy, and what follows from it within the limits.

        Args:
            statistics: of the units.
            units: what the strategy sees as terms.
            settings: of the weights.

        Returns:
            The answer; nothing has changed, `take` goes on from it.
        """
        name = self.method.name
        try:
            proposal, state = self.method.update(statistics, self._state)
            if proposal is None:
                return Answer("", state)
            why = checked.bad_proposal(name, proposal, len(units))
            result = None if why else weights_of(proposal, statistics, units, settings)
        except ArithmeticError as error:
            return Answer(f"{name} cannot answer ({error})", self._state)
        if why or result is None:
            return Answer(why or f"{name} answers weights without a scale", self._state)
        return Answer("", state, proposal, *result)

    def take(self, state: State) -> str:
        """Go on from the state of an answer; say what the change means, `""` for nothing."""
        change = self.method.describe_change(self._state, state)
        self._state, self.asked = state, self.asked + 1
        return change or ""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers and lists."""
        own = {"asked": self.asked, "state": copy.deepcopy(self._state)}
        return {**own, **self._floor.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.asked, self._state = state["asked"], copy.deepcopy(state["state"])
        self._floor.load_state_dict(state)
        self.method = self._floor.of(self._given)
