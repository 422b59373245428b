"""The saved state of pilots, part by part, before any of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinn_ext.checks import (
    ArgumentError,
    brief,
    check_mapping,
    check_number,
    check_sequence,
    check_switch,
)
from pinn_ext.dde.model import state as model_state
from pinn_ext.dde.model.saved_state import check_model_state
from pinn_ext.measurements.meter import check_generator

_JUDGE = ("start", "active", "scales", "conditions")


def plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a candidate's state in a form that `torch.load(weights_only=True)` reads."""
    return {**state, "model": model_state.without_points(state["model"])}


def check_pilots(state: Mapping[str, Any], candidates: int, model: Any) -> None:
    """Refuse what no pilots can have returned; the race looks at its own part itself.

    Args:
        state: with all of its keys.
        candidates: how many there are.
        model: compiled, which the waiting candidates' states are to go into.

    Raises:
        ArgumentError: naming the part.
    """
    for key in ("begun", "total", "offset"):
        check_number(f"pilots.{key}", state[key], integer=True)
    if state["position"] is not None:
        check_number("pilots.position", state["position"], 0, integer=True)
    _numbers("pilots.first", state["first"])
    check_mapping("pilots.tournament", state["tournament"])
    _check_judge(state["judge"])
    check_mapping("pilots.waiting", state["waiting"])
    for candidate, own in state["waiting"].items():
        check_number("pilots.waiting", candidate, 0, candidates - 1, integer=True)
        _check_candidate(f"pilots.waiting.{candidate}", own, ("model", "meter", "weights"), model)
    if state["start"] is not None:
        _check_candidate("pilots.start", state["start"], ("model", "meter", "common"), model)
        _check_common("pilots.start.common", state["start"]["common"])
    if state["common"] is not None:
        _check_common("pilots.common", state["common"])


def _check_candidate(name: str, state: Any, parts: tuple[str, ...], model: Any) -> None:
    check_mapping(name, state, parts)
    check_model_state(f"{name}.model", state["model"], model)
    check_generator(f"{name}.meter", state["meter"])
    if "weights" in parts:
        keys = ("manager", "epoch", "jump", "first_weights")
        check_mapping(f"{name}.weights", state["weights"], keys)


def _check_common(name: str, state: Any) -> None:
    check_mapping(name, state, ("losses", "gradients"))
    _numbers(f"{name}.losses", state["losses"])


def _check_judge(state: Any) -> None:
    check_mapping("pilots.judge", state, _JUDGE)
    if state["start"] is not None:
        _numbers("pilots.judge.start", state["start"])
    _numbers("pilots.judge.scales", state["scales"])
    for key, check in (("active", _count), ("conditions", check_switch)):
        for item in check_sequence(f"pilots.judge.{key}", state[key]):
            check(f"pilots.judge.{key}", item)


def _count(name: str, value: Any) -> None:
    check_number(name, value, 0, integer=True)


def _numbers(name: str, values: Any) -> None:
    if not isinstance(values, (list, tuple)):
        raise ArgumentError(name, "be a list of numbers", brief(values))
    for value in values:  # losses of a pilot that broke may be infinite
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise ArgumentError(name, "be a list of numbers", brief(values))
