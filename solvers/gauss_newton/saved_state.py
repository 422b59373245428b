"""The saved state of a stepper by kind and range, before any of it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..checks import SavedStateError, check_saved_number

_PARTS = ("x", "cost", "memory", "scale", "first_gradient", "nfev", "njev")


def check_state(state: Any) -> None:
    """Refuse what no stepper can have returned.

    Args:
        state: What is said to be one.

    Raises:
        SavedStateError: If it is none; it names the part.
    """
    if not isinstance(state, Mapping) or not set(_PARTS) <= set(state):
        raise SavedStateError("state", f"be a mapping of {', '.join(_PARTS)}", state)
    _check_vector("x", state["x"], None)
    check_saved_number("cost", state["cost"], 0.0)
    _check_memory(state["memory"])
    if state["scale"] is not None:
        _check_vector("scale", state["scale"], state["x"].numel())
        if not bool((state["scale"] >= 0).all()):
            raise SavedStateError("scale", "be positive", "others")
    if state["first_gradient"] is not None:
        check_saved_number("first_gradient", state["first_gradient"], 0.0)
    for key in ("nfev", "njev", "moves"):
        count = state.get(key, 0)  # older states have no moves
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise SavedStateError(key, "be a whole number >= 0", count)
    standstill = state.get("standstill", [])
    if not isinstance(standstill, (list, tuple)):
        raise SavedStateError("standstill", "be a list", standstill)
    for pair in standstill:  # the fall that was found, and that which was promised
        _check_numbers("standstill", pair)
        if len(pair) != 2:
            raise SavedStateError("standstill", "hold pairs of numbers", pair)


def _check_memory(memory: Any) -> None:
    if not isinstance(memory, Mapping):
        raise SavedStateError("memory", "be a mapping", memory)
    for key, value in memory.items():
        if isinstance(value, (list, tuple)):
            _check_numbers(f"memory.{key}", value)
        elif not isinstance(value, bool):
            check_saved_number(f"memory.{key}", value, 0.0)


def _check_vector(name: str, value: Any, count: int | None) -> None:
    size = "n" if count is None else count
    fits = isinstance(value, Tensor) and value.is_floating_point() and value.dim() == 1
    if not fits or (count is not None and len(value) != count):
        raise SavedStateError(name, f"be numbers [{size}]", value)
    if not bool(value.isfinite().all()):
        raise SavedStateError(name, "be finite", "others")


def _check_numbers(name: str, values: Any) -> None:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise SavedStateError(name, "be a list of numbers", values)
    for value in values:
        check_saved_number(name, value, -math.inf)
