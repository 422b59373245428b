"""The saved state of a quasi-Newton training by kind and range, before any of it is used."""

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
from solvers.quasi_newton.saved_state import check_state

_PARTS = ("stepper", "done", "converged", "message", "loss_weights")


def check_training(state: Any, method: str, num_parameters: int) -> None:
    """Refuse what no training of a method and size can have returned.

    Args:
        state: what is said to be one.
        method: of the training.
        num_parameters: of its model.

    Raises:
        ArgumentError: naming the part.
        ValueError: naming the part of the stepper.
    """
    check_mapping("state", state, _PARTS)
    if state["stepper"] is not None:
        check_state(state["stepper"], method, num_parameters)
    check_number("state.done", state["done"], 0, integer=True)
    check_switch("state.converged", state["converged"])
    if state["message"] is not None and not isinstance(state["message"], str):
        raise ArgumentError("state.message", "be text", brief(state["message"]))
    for weight in check_sequence("state.loss_weights", state["loss_weights"]):
        check_number("state.loss_weights", weight, 0)
