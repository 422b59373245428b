"""The tables of a run beside its history: what happened to the weights, and the gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pinn_ext.files import RunError
from pinn_ext.reports.event_files import (
    EVENTS_FILE,
    GRADIENTS_FILE,
    event_rows,
    event_table,
    gradient_rows,
    gradient_table,
)
from pinn_ext.reports.growing_file import GrowingFile

_Rows = Sequence[Mapping[str, Any]]


class _Table:
    """One CSV file that grows with rows that are kept elsewhere; there is none without rows."""

    def __init__(
        self,
        path: Path,
        text: Callable[[_Rows], str],
        rows_of: Callable[[str], list[dict[str, Any]]],
    ) -> None:
        self.path, self.file = path, GrowingFile(path)
        self._text, self._rows_of = text, rows_of
        self._header = ""

    def take_up(
        self, mark: Mapping[str, Any], folder: Path
    ) -> tuple[bytes | None, list[dict[str, Any]]]:
        """Return what the file is to hold (None: there is to be none), and its rows."""
        found = GrowingFile(folder / self.path.name)
        content = found.belonging(mark)
        try:
            rows = self._rows_of(content.decode()) if content else []
        except (ValueError, KeyError):
            rows = []
        if len(rows) != mark["rows"]:
            raise found.misfit(mark["rows"], "damaged ones")
        return self._hold(content, len(rows)), rows

    def rebuild(self, rows: _Rows) -> bytes | None:
        """Return what the file is to hold, of rows that a checkpoint of version 0.1 has kept."""
        return self._hold(self._text(rows).encode() if rows else b"", len(rows))

    def _hold(self, content: bytes, rows: int) -> bytes | None:
        self._header = content.decode().partition("\n")[0]
        self.file.hold(content, rows)
        return content or None

    def add(self, rows: _Rows) -> _Rows:
        """Append those of `rows` that have come since; return them."""
        new = rows[self.file.mark()["rows"] :]
        if new:
            header, _, lines = self._text(new).partition("\n")
            if header == self._header:
                self.file.append(lines, len(new))
            else:  # the first rows, or ones of other terms
                self._header, _, _ = self._text(rows).partition("\n")
                self.file.start(self._text(rows), len(rows))
        return new


class _SlabRows:
    """Rows of callbacks that come one after the other, each in its slab of time.

    Attributes:
        all: the rows so far, which say their slab.
        before: how many of them are of slabs before the present one.
    """

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self.before = 0

    def with_new(self, rows: _Rows, slab: int | None) -> _Rows:
        """Return all rows, once those of the present callback are among them."""
        if slab is None:  # there is one callback
            return rows
        new = rows[len(self.all) - self.before :]
        self.all += [{"slab": slab, **row} for row in new]
        return self.all

    def take_up(self, rows: list[dict[str, Any]], slab: int | None) -> list[dict[str, Any]]:
        """Take up all rows; return those of the present callback, as it has them."""
        if slab is None:
            return rows
        self.all, self.before = rows, sum(row["slab"] < slab for row in rows)
        return [{k: v for k, v in row.items() if k != "slab"} for row in rows[self.before :]]


class RunTables:
    """Writes `events.csv` and `gradients.csv` into the folder of a run as it goes.

    A checkpoint holds a mark of each, and of their rows nothing: after a resume they are those of
    an undisturbed run.

    Args:
        folder: of the run.
        weights: the callback, with `events` and `gradient_history`.
        slab: number of the slab of time that it is of, None for all times.
    """

    def __init__(self, folder: Path, weights: Any, slab: int | None = None) -> None:
        self._folder, self._weights, self._slab = folder, weights, slab
        self._of_events, self._of_gradients = _SlabRows(), _SlabRows()
        self._events = _Table(folder / EVENTS_FILE, event_table, event_rows)
        self._gradients = _Table(folder / GRADIENTS_FILE, gradient_table, gradient_rows)

    def leave(self) -> None:
        """Let go of the callback of a slab of time that is over, as it holds model and graphs."""
        for rows in (self._of_events, self._of_gradients):
            rows.before = len(rows.all)
        self._weights = None

    def follow(self, weights: Any, slab: int) -> None:
        """Go on with the callback of the next slab of time, whose rows come after all others.

        Args:
            weights: the callback, which is new.
            slab: its number.
        """
        self._weights, self._slab = weights, slab

    def all_gradients(self) -> _Rows:
        """Return the rows of `gradients.csv`, of slabs before this one as well."""
        return self._of_gradients.with_new(self._weights.gradient_history, self._slab)

    def start(self) -> None:
        """Begin a run: no file is there before its first row.

        Raises:
            RunError: if a file that was left cannot be removed.
        """
        try:
            for table in (self._events, self._gradients):
                table.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._failed(error) from error

    def marks(self) -> dict[str, Any]:
        """Return what a checkpoint has to say of the tables."""
        return {"events": self._events.file.mark(), "gradients": self._gradients.file.mark()}

    def take_up(
        self, state: Mapping[str, Any], marks: Mapping[str, Any] | None, folder: Path
    ) -> tuple[dict[str, Any], dict[Path, bytes | None]]:
        """Take up the tables of a checkpoint, without what came after it.

        Args:
            state: of the callback, in the checkpoint.
            marks: what `marks` returned then; None of a checkpoint of version 0.1, whose state
                has all rows itself.
            folder: that the tables lie in now, which need not be the run's.

        Returns:
            The state with all rows, and what each file is to hold from now on.

        Raises:
            RunError: if a file is not the one that the checkpoint was made beside.
        """
        if marks is None:
            events = self._events.rebuild(state["events"])
            gradients = self._gradients.rebuild(state["gradient_history"])
        else:
            events, rows = self._events.take_up(marks["events"], folder)
            gradients, history = self._gradients.take_up(marks["gradients"], folder)
            own = self._of_events.take_up(rows, self._slab)
            other = self._of_gradients.take_up(history, self._slab)
            state = {**state, "events": own, "gradient_history": other}
        return dict(state), {self._events.path: events, self._gradients.path: gradients}

    def add(self) -> _Rows:
        """Append what has come since the last call.

        Returns:
            The new events.

        Raises:
            RunError: if a file cannot be written.
        """
        try:
            self._gradients.add(self.all_gradients())
            return self._events.add(self._of_events.with_new(self._weights.events, self._slab))
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> RunError:
        return RunError(f"A table in {self._folder} cannot be written ({error.strerror}).")


def without_rows(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of the callback without the rows that the tables hold.

    Args:
        state: of the callback.

    Returns:
        The state, whose size does not grow with the epochs.
    """
    return {**state, "events": [], "gradient_history": []}
