"""The parts of a saved state of the callback, by kind and range, before any of them is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pinn_ext.checks import check_names, check_number

_BEST = ("first", "step", "score", "parameters")


def check_state(state: Mapping[str, Any]) -> None:
    """Refuse a saved state that no callback can have returned.

    The weights, the points and the pilots look at their own parts themselves.

    Args:
        state: with all of its keys.

    Raises:
        ValueError: naming the part.
    """
    manager = state["manager"]
    if manager is not None and not isinstance(manager, Mapping):
        raise ValueError(f"The saved manager must be a mapping, got {manager!r}.")
    count = None if manager is None else len(manager.get("loss_names", ()))
    for key in ("epoch", "switches"):
        check_number(f"The saved {key}", state[key], 0, integer=True)
    check_number("The saved jump", state["jump"])
    _numbers("first_weights", state["first_weights"], count)
    if state["first"] is not None:
        _numbers("first", state["first"], count)
    period = _mapping("period", state["period"], ("sums", "count"))
    check_number("The saved count of steps", period["count"], 0, integer=True)
    if period["sums"] is not None or period["count"]:
        _numbers("sums", period["sums"], count)
    _check_best(_mapping("best", state["best"], _BEST))
    for key in ("events", "gradient_history"):
        rows = state[key]
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise ValueError(f"The saved {key} must be a list of mappings, got {rows!r}.")


def _check_best(best: Mapping[str, Any]) -> None:
    if best["step"] is not None:
        check_number("The saved step of the best parameters", best["step"], 0, integer=True)
    if best["first"] is not None:
        _numbers("first losses", best["first"], None)
    _numbers("score", [best["score"]], 1)  # infinite before the first
    tensors = best["parameters"]
    if not isinstance(tensors, list) or not all(isinstance(t, Tensor) for t in tensors):
        raise ValueError("The saved best parameters must be a list of tensors.")


def _mapping(what: str, value: Any, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"The saved {what} must be a mapping, got {value!r}.")
    check_names(f"The saved {what}", keys, value)
    return value


def _numbers(what: str, values: Any, count: int | None) -> None:
    """Refuse what is no list of numbers; a user's losses may be negative, a score infinite."""
    plain = isinstance(values, list) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
        for value in values
    )
    if not plain or (count is not None and len(values) not in (0, count)):
        wanted = "" if count is None else f"{count} "
        raise ValueError(f"The saved {what} must be a list of {wanted}numbers, got {values!r}.")
