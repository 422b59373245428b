"""The saved state of `PseudoTime` by kind and range, before any of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pinn_ext.checks import ArgumentError, brief, check_mapping, check_number, check_sequence
from pinn_ext.dde.model.saved_state import check_tensor

PARTS = ("steps", "next_look", "history", "correction")
_CORRECTION = ("rule", "first", "before")


def check_state(state: Any, model: Any) -> None:
    """Refuse what no callback can have returned of a model.

    Args:
        state: what is said to be one.
        model: of DeepXDE, that is to be trained on.

    Raises:
        ArgumentError: naming the part.
    """
    check_mapping("state", state, PARTS)
    for key in ("steps", "next_look"):
        check_number(f"state.{key}", state[key], 0, integer=True)
    for row in check_sequence("state.history", state["history"]):
        check_mapping("state.history", row)
    if state["correction"] != {}:
        _check_correction(state["correction"], dict(model.net.named_parameters()))


def _check_correction(state: Any, parameters: Mapping[str, Tensor]) -> None:
    check_mapping("state.correction", state, _CORRECTION)
    check_mapping("state.correction.rule", state["rule"], ("inverse", "against"))
    inverse = check_sequence("state.correction.rule.inverse", state["rule"]["inverse"])
    for value in inverse:
        check_number("state.correction.rule.inverse", value, 0, open_low=True)
    for value in check_sequence("state.correction.rule.against", state["rule"]["against"]):
        check_number("state.correction.rule.against", value, 0, integer=True)
    for value in check_sequence("state.correction.first", state["first"]):
        if not isinstance(value, Tensor) or value.ndim:
            raise ArgumentError("state.correction.first", "hold numbers as tensors", brief(value))
    before = state["before"]
    if before != {}:  # of a training that has made no step
        check_mapping("state.correction.before", before, parameters)
        for name, tensor in parameters.items():
            check_tensor(f"state.correction.before.{name}", before[name], tensor)
