"""The raw losses of the period under way."""

from __future__ import annotations

from typing import Any


class Period:
    """Collects the losses of a period's steps; it may be cut by `train()` and by saving.

    Args:
        length: steps in a period.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.clear()

    def clear(self) -> None:
        """Start a period."""
        self._rows: list[list[float]] = []
        self._sums: list[float] | None = None  # of steps that are added up already
        self._count = 0

    def add(self, losses: list[float]) -> None:
        """Take in the losses of a step `[k]`; they are added up later, as steps must be cheap."""
        self._rows.append(losses)

    def missing(self) -> int:
        """Return how many steps are missing for a whole period."""
        return self.length - self._count - len(self._rows)

    def close(self) -> list[float]:
        """Return the mean of each loss over the period `[k]`, and start the next one."""
        self._add_up()
        means = [total / self._count for total in self._sums or []]
        self.clear()
        return means

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers and lists."""
        self._add_up()
        return {"sums": self._sums, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._rows, self._sums, self._count = [], state["sums"], state["count"]

    def _add_up(self) -> None:
        rows = self._rows if self._sums is None else [self._sums, *self._rows]
        self._sums = [sum(column) for column in zip(*rows, strict=True)] if rows else None
        self._count += len(self._rows)
        self._rows = []
