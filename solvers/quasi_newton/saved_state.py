"""The saved state of a minimisation by kind and range, before any of it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..checks import SavedStateError, check_saved_number

_PARTS = (
    *("method", "x", "cost", "gradient", "direction", "inverse_hessian", "scale", "past"),
    *("nfev", "iterations", "resets"),
)
_MATRIX = ("factor", "array", "rows", "signs")


def check_state(state: Any, method: str, n: int) -> None:
    """Refuse what no stepper of a method and size can have returned.

    Args:
        state: What is said to be one.
        method: Of the stepper.
        n: Its number of parameters.

    Raises:
        SavedStateError: If it is none; it names the part.
    """
    _check_parts("state", state, _PARTS)
    if state["method"] != method:
        raise SavedStateError("method", f"be {method!r}", state["method"])
    _check_tensor("x", state["x"], (n,))
    check_saved_number("cost", state["cost"], -math.inf)
    _check_tensor("gradient", state["gradient"], (n,))
    if state["direction"] is not None:
        _check_tensor("direction", state["direction"], (n,))
    if state["scale"] is not None:
        check_saved_number("scale", state["scale"], 0.0)
    if not _is_list(state["past"]):
        raise SavedStateError("past", "be a list of numbers", state["past"])
    for value in state["past"]:
        check_saved_number("past", value, -math.inf)
    for key in ("nfev", "iterations", "resets"):
        check_saved_number(key, state[key], 0.0, whole=True)
    _check_matrix(state["inverse_hessian"], n)


def _check_matrix(state: Any, n: int) -> None:
    _check_parts("inverse_hessian", state, _MATRIX)
    check_saved_number("factor", state["factor"], 0.0)
    if state["array"] is not None:
        _check_tensor("array", state["array"], (n, n))
    signs = state["signs"]
    if not _is_list(signs) or any(sign not in (1.0, -1.0) for sign in signs):
        raise SavedStateError("signs", "be a list of 1 and -1", signs)
    _check_tensor("rows", state["rows"], (len(signs), n))


def _check_parts(name: str, state: Any, parts: Sequence[str]) -> None:
    if not isinstance(state, Mapping) or not set(parts) <= set(state):
        raise SavedStateError(name, f"be a mapping of {', '.join(parts)}", state)


def _check_tensor(name: str, value: Any, shape: tuple[int, ...]) -> None:
    fits = isinstance(value, Tensor) and value.is_floating_point()
    if not fits or tuple(value.shape) != shape:
        raise SavedStateError(name, f"be numbers {list(shape)}", value)
    # A sum is finite where all are, but for overflow, and needs no second array.
    if not bool(value.sum().isfinite()) and not all(bool(row.isfinite().all()) for row in value):
        raise SavedStateError(name, "be finite", "others")


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))
