"""The saved state of a race between candidates, part by part, before any of it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pinn_ext.checks import ArgumentError, brief, check_mapping, check_number, check_sequence

_WHERE = "pilots.tournament"
_ROW = {"candidate", "round", "iterations", "score", "kept", "why", "seconds"}


def check_race(state: Mapping[str, Any], candidates: int) -> None:
    """Refuse what no race can have returned.

    Args:
        state: with all of its keys.
        candidates: how many there are.

    Raises:
        ArgumentError: naming the part.
    """
    last = candidates - 1
    for key in ("round", "turn", "done"):
        check_number(f"{_WHERE}.{key}", state[key], 0, integer=True)
    check_number(f"{_WHERE}.live", state["live"], 0, last, integer=True)
    for key in ("next", "chosen", "incumbent"):
        if state[key] is not None:
            check_number(f"{_WHERE}.{key}", state[key], 0, last, integer=True)
    if not isinstance(state["reason"], str):
        raise ArgumentError(f"{_WHERE}.reason", "be text", brief(state["reason"]))
    for candidate in _list("running", state["running"]):
        check_number(f"{_WHERE}.running", candidate, 0, last, integer=True)
    for count in _list("own", state["own"], candidates):
        check_number(f"{_WHERE}.own", count, 0, integer=True)
    for one in _list("rounds", state["rounds"]):
        for number in _list("rounds", one, 2):
            check_number(f"{_WHERE}.rounds", number, 0, integer=True)
    for key, kind in (("scores", (int, float)), ("broken", str), ("courses", (list, tuple))):
        _check_by_candidate(key, state[key], kind, last)
    for course in state["courses"].values():
        for score in course:  # that of a pilot that broke may be infinite
            if not isinstance(score, (int, float)) or isinstance(score, bool):
                raise ArgumentError(f"{_WHERE}.courses", "hold numbers", brief(score))
    for row in _list("rows", state["rows"]):
        if not isinstance(row, Mapping) or not set(row) >= _ROW:
            raise ArgumentError(f"{_WHERE}.rows", "hold mappings of a pilot's columns", brief(row))


def _check_by_candidate(key: str, value: Any, kind: Any, last: int) -> None:
    check_mapping(f"{_WHERE}.{key}", value)
    for candidate, item in value.items():
        check_number(f"{_WHERE}.{key}", candidate, 0, last, integer=True)
        if not isinstance(item, kind) or isinstance(item, bool):
            raise ArgumentError(f"{_WHERE}.{key}.{candidate}", "be of its kind", brief(item))


def _list(key: str, value: Any, length: int | None = None) -> Sequence[Any]:
    return check_sequence(f"{_WHERE}.{key}", value, length)
