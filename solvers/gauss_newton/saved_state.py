"""The saved state of a stepper by kind and range, before any of it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

_PARTS = ("x", "cost", "memory", "scale", "first_gradient", "nfev", "njev")


def check_state(state: Any) -> None:
    """Refuse what no stepper can have returned.

    Args:
        state: What is said to be one.

    Raises:
        _error: A ValueError that names the part.
    """
    if not isinstance(state, Mapping) or not set(_PARTS) <= set(state):
        raise _error("state", f"be a mapping of {', '.join(_PARTS)}", state)
    _check_vector("x", state["x"], None)
    _check_number("cost", state["cost"], 0.0)
    _check_memory(state["memory"])
    if state["scale"] is not None:
        _check_vector("scale", state["scale"], state["x"].numel())
        if not bool((state["scale"] >= 0).all()):
            raise _error("scale", "be positive", "others")
    if state["first_gradient"] is not None:
        _check_number("first_gradient", state["first_gradient"], 0.0)
    for key in ("nfev", "njev", "moves"):
        count = state.get(key, 0)  # older states have no moves
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise _error(key, "be a whole number >= 0", count)
    standstill = state.get("standstill", [])
    if not isinstance(standstill, (list, tuple)):
        raise _error("standstill", "be a list", standstill)
    for pair in standstill:  # the fall that was found, and that which was promised
        _check_numbers("standstill", pair)
        if len(pair) != 2:
            raise _error("standstill", "hold pairs of numbers", pair)


def _check_memory(memory: Any) -> None:
    if not isinstance(memory, Mapping):
        raise _error("memory", "be a mapping", memory)
    for key, value in memory.items():
        if isinstance(value, (list, tuple)):
            _check_numbers(f"memory.{key}", value)
        elif not isinstance(value, bool):
            _check_number(f"memory.{key}", value, 0.0)


def _check_vector(name: str, value: Any, count: int | None) -> None:
    size = "n" if count is None else count
    fits = isinstance(value, Tensor) and value.is_floating_point() and value.dim() == 1
    if not fits or (count is not None and len(value) != count):
        raise _error(name, f"be numbers [{size}]", value)
    if not bool(value.isfinite().all()):
        raise _error(name, "be finite", "others")


def _check_number(name: str, value: Any, low: float) -> None:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not plain or not math.isfinite(value) or value < low:
        raise _error(name, f"be a finite number >= {low:g}", value)


def _check_numbers(name: str, values: Any) -> None:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise _error(name, "be a list of numbers", values)
    for value in values:
        _check_number(name, value, -math.inf)


def _error(name: str, wanted: str, got: Any) -> ValueError:
    text = f"{list(got.shape)} of {got.dtype}" if isinstance(got, Tensor) else repr(got)
    short = text if len(text) <= 80 else f"{text[:80]} …"
    return ValueError(f"`{name}` of the saved state must {wanted}, got {short}.")
