"""What strategies add to a loss before they invert it, and which losses have come near it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pinn_ext.checks import check_number
from pinn_ext.strategies import Strategy
from pinn_ext.strategies.base.terms import EPS

_NEAR = 100.0  # times eps: below it eps moves a weight by more than 1 %
_LEAST = 1e-100  # the inverse of anything below may be infinite


class LossFloor:
    """The `eps` of a training: given, or found from its first losses.

    Args:
        given: in the units of the losses; None takes `EPS` times the geometric mean of the first
            losses above 0, so that the weights do not depend on those units.

    Attributes:
        eps: in force, None before the first losses.
        told: names of the terms whose losses have been near it.
    """

    def __init__(self, given: float | None) -> None:
        self._given = self.eps = given
        self.told: list[str] = []

    def find(self, losses: Sequence[float]) -> bool:
        """Find `eps` from the first raw losses; return whether it was found just now."""
        logs = [math.log(loss) for loss in losses if loss > 0.0]
        if self.eps is not None or not logs:
            return False
        self.eps = max(EPS * math.exp(math.fsum(logs) / len(logs)), _LEAST)
        return True

    def of(self, strategy: Strategy) -> Strategy:
        """Return a strategy with the `eps` in force, the same one if it has none of its own."""
        if self.eps is None or not self.read_by(strategy):
            return strategy
        new: Strategy = dataclasses.replace(strategy, eps=self.eps)  # type: ignore[type-var]
        return new

    @staticmethod
    def read_by(strategy: Strategy) -> bool:
        """Return whether a strategy, or a stage of it, has an `eps`."""
        stages = getattr(strategy, "parts", None)
        if stages is not None:
            return any(LossFloor.read_by(stage.method) for stage in stages)
        return hasattr(strategy, "eps")

    def news(self, names: Sequence[str], losses: Sequence[float]) -> str:
        """Say which losses are near `eps` for the first time, once a term.

        Args:
            names: of the terms.
            losses: of them, not negative.

        Returns:
            A sentence without its full stop, `""` where there is nothing to say.
        """
        if self.eps is None or min(losses, default=math.inf) >= _NEAR * self.eps:
            return ""
        told = set(self.told)
        pairs = zip(names, losses, strict=True)
        near = {n: loss for n, loss in pairs if loss < _NEAR * self.eps and n not in told}
        self.told += near
        if not near:
            return ""
        text = ", ".join(f"{name} = {loss:.3g}" for name, loss in near.items())
        return f"losses below 100 eps = {_NEAR * self.eps:.3g} are not made equal exactly: {text}"

    def state_dict(self) -> dict[str, Any]:
        """Return `eps`, and the names under `"near_eps"`."""
        return {"eps": self.eps, "near_eps": list(self.told)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned; an `eps` that was given stays."""
        self.eps = state["eps"] if self._given is None else self._given
        self.told = list(state["near_eps"])


OF_OLD_STATES = {"eps": EPS, "near_eps": []}
"""What states hold that were saved before they held it."""


def check_saved_floor(state: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuse what no `LossFloor` of these terms can have saved."""
    if state["eps"] is not None:
        check_number("The saved eps", state["eps"], 0, open_low=True)
    near = state["near_eps"]
    if not isinstance(near, list) or not all(isinstance(name, str) for name in near):
        raise ValueError(f"The saved state must have near_eps as a list of names, got {near!r}.")
    if not set(near) <= set(names):
        raise ValueError(f"The saved state must have near_eps among {list(names)}, got {near!r}.")
