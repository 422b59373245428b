"""Saved tables of points, part by part, before any of them is used."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pinn_ext.checks import (
    ArgumentError,
    brief,
    check_mapping,
    check_number,
    check_sequence,
    check_switch,
)
from pinn_ext.strategies import PointStrategy

_PARTS = ("terms", "state", "keys", "count", "updated")


def check_tables(strategy: PointStrategy, saved: Any) -> None:
    """Refuse saved tables that those of a strategy cannot have returned.

    Args:
        strategy: that weighs the points.
        saved: one state a table, None where no batch has come yet.

    Raises:
        ArgumentError: naming the part.
    """
    if saved is None:
        return
    for index, state in enumerate(check_sequence("points.tables", saved)):
        try:
            _check_table(strategy, state)
        except ArgumentError as error:
            raise error.under(f"points.tables.{index}") from None


def _check_table(strategy: PointStrategy, state: Any) -> None:
    check_mapping("table", state, _PARTS)
    terms = state["terms"]
    if not isinstance(terms, (list, tuple)) or not terms:
        raise ArgumentError("terms", "be a list of numbers of terms", brief(terms))
    for term in terms:
        check_number("terms", term, 0, integer=True)
    count = check_number("count", state["count"], 0, integer=True)
    check_switch("updated", state["updated"])
    keys = state["keys"]
    if keys is not None:
        whole = isinstance(keys, Tensor) and not (keys.is_floating_point() or keys.is_complex())
        if not whole or keys.shape != (count,):
            raise ArgumentError("keys", f"be whole numbers [{count}]", brief(keys))
    if state["state"] is not None:
        strategy.check_state(state["state"], count, len(terms))
