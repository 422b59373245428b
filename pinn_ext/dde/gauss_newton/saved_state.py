"""The saved state of a Gauss-Newton training by kind and range, before any of it is used."""

from __future__ import annotations

from typing import Any

from pinn_ext.checks import (
    ArgumentError,
    brief,
    check_mapping,
    check_number,
    check_sequence,
    check_switch,
)
from solvers.gauss_newton.saved_state import check_state

_PARTS = ("stepper", "done", "slow", "converged", "message", "loss_weights")


def check_training(state: Any) -> None:
    """Refuse what no training can have returned.

    Args:
        state: what is said to be one.

    Raises:
        ArgumentError: naming the part.
        ValueError: naming the part of the stepper.
    """
    check_mapping("training", state, _PARTS)
    if state["stepper"] is not None:
        check_state(state["stepper"])
    for key in ("done", "slow"):
        check_number(f"training.{key}", state[key], 0, integer=True)
    check_switch("training.converged", state["converged"])
    if state["message"] is not None and not isinstance(state["message"], str):
        raise ArgumentError("training.message", "be text", brief(state["message"]))
    weights = state["loss_weights"]
    if weights is not None:
        for weight in check_sequence("training.loss_weights", weights):
            check_number("training.loss_weights", weight, 0)
