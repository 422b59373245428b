"""The parts of an aggregator's saved state, before any of them is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinn_ext.adaptive_weights.saved_period import check_period
from pinn_ext.checks import check_names, check_number
from pinn_ext.measurements.meter import check_generator
from pinn_ext.plain_torch.point_losses import PointLosses
from pinn_ext.point_weights.table import check_saved


def check_state(state: Any, own: Mapping[str, Any], points: PointLosses | None, terms: int) -> None:
    """Refuse what no aggregator of this kind can have returned.

    The weights' manager looks at its part itself, before anything is taken up.

    Args:
        state: what the user gave.
        own: the present state of the one that will take it.
        points: its points, None where the strategy weighs terms.
        terms: how many loss terms there are.

    Raises:
        ValueError: if it is incomplete, or of another strategy.
        ArgumentError: naming a part that is damaged.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"The saved state must be of a LossAggregator, got {state!r}.")
    check_saved(points, state.get("points"))
    check_names("The saved state", own, state)
    check_period(state["period"], terms)
    for key in ("epoch", "switches"):
        check_number(f"saved.{key}", state[key], 0, integer=True)
    if state["step"] is not None:
        check_number("saved.step", state["step"], integer=True)
    if own["meter"]["generator"] is not None:
        check_generator("saved.meter", state["meter"])
