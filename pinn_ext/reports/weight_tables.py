"""The tables of a run beside its history: what happened to the weights, and the gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pinn_ext.files import RunError, open_own, replace_file
from pinn_ext.reports.event_files import (
    EVENTS_FILE,
    GRADIENTS_FILE,
    event_table,
    gradient_table,
)

_Rows = Sequence[Mapping[str, Any]]


class _Table:
    """One CSV file that grows with rows that are kept elsewhere; there is none without rows."""

    def __init__(self, path: Path, text: Callable[[_Rows], str]) -> None:
        self.path, self._text = path, text
        self._written = 0

    def start(self, rows: _Rows) -> None:
        """Make the file hold exactly `rows`, whatever a process that was killed has left."""
        self._written = len(rows)
        if rows:
            replace_file(self.path, self._text(rows))
        else:
            self.path.unlink(missing_ok=True)

    def add(self, rows: _Rows) -> _Rows:
        """Append those of `rows` that have come since; return them."""
        new = rows[self._written :]
        if self._written == 0 and new:
            self.start(rows)
        elif new:
            self._written = len(rows)
            _, lines = self._text(new).split("\n", 1)
            with open_own(self.path) as file:
                file.write(lines)
        return new


class Recorded(Protocol):
    """What a callback has recorded, see `pinn_ext.AdaptiveWeights`."""

    gradient_history: list[dict[str, Any]]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened to the weights."""


class RunTables:
    """Writes `events.csv` and `gradients.csv` into the folder of a run as it goes.

    Both follow from the state of the callback, which a checkpoint holds: after a resume they are
    those of an undisturbed run.

    Args:
        folder: of the run.
        weights: the callback.
    """

    def __init__(self, folder: Path, weights: Recorded) -> None:
        self._folder, self._weights = folder, weights
        self._events = _Table(folder / EVENTS_FILE, event_table)
        self._gradients = _Table(folder / GRADIENTS_FILE, gradient_table)

    def start(self) -> None:
        """Begin, or take up what the callback's state holds.

        Raises:
            RunError: if a file cannot be written.
        """
        try:
            self._events.start(self._weights.events)
            self._gradients.start(self._weights.gradient_history)
        except OSError as error:
            raise RunError(
                f"A table in {self._folder} cannot be written ({error.strerror})."
            ) from error

    def add(self) -> _Rows:
        """Append what has come since the last call.

        Returns:
            The new events.

        Raises:
            RunError: if a file cannot be written.
        """
        try:
            self._gradients.add(self._weights.gradient_history)
            return self._events.add(self._weights.events)
        except OSError as error:
            raise RunError(
                f"A table in {self._folder} cannot be written ({error.strerror})."
            ) from error
