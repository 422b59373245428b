"""The saved state of a period's losses, before it is used."""

from __future__ import annotations

from typing import Any

from pinn_ext.checks import ArgumentError, brief, check_mapping, check_number


def check_period(state: Any, terms: int) -> None:
    """Refuse what no `Period` can have returned.

    Args:
        state: what is said to be one.
        terms: how many loss terms there are.

    Raises:
        ArgumentError: naming the part.
    """
    check_mapping("saved.period", state, ("sums", "count"))
    count = check_number("saved.period.count", state["count"], 0, integer=True)
    sums = state["sums"]
    if sums is None and not count:
        return
    plain = isinstance(sums, (list, tuple)) and all(
        isinstance(total, (int, float)) and not isinstance(total, bool) for total in sums
    )
    if not plain or len(sums) != terms:
        raise ArgumentError("saved.period.sums", f"be {terms} numbers", brief(sums))
