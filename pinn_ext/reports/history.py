"""The history of a run, one CSV row an epoch, written as the run goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinn_ext.files import RunError
from pinn_ext.reports.growing_file import GrowingFile, csv_line, csv_rows, number

FILE_NAME = "history.csv"


@dataclass(frozen=True)
class PhaseNames:
    """What a phase of a run is called where a user reads it.

    Attributes:
        label: at the start of its lines.
        counted: what it counts.
        total: key of the report that holds how many were made.
    """

    label: str
    counted: str
    total: str


PHASES = {
    "epochs": PhaseNames("Epoch", "epoch", "epochs"),
    "lbfgs": PhaseNames("L-BFGS", "L-BFGS iteration", "lbfgs_iterations"),
    "gauss_newton": PhaseNames("Gauss-Newton", "Gauss-Newton iteration", "gauss_newton_iterations"),
}
"""The phases of a run in their order, by their name in `history.csv` and in checkpoints."""


class History:
    """Rows of numbers under fixed column names, appended to a file one by one.

    Args:
        path: the CSV file.
        columns: names of the columns; the first, `row`, counts.
        added: those among them that files from before they were noted lack; nan stands there.

    Attributes:
        rows: all rows so far, each a dict of numbers and strings.
    """

    def __init__(self, path: Path, columns: Sequence[str], added: Sequence[str] = ()) -> None:
        self.path, self.columns, self._added = path, list(columns), set(added)
        self._file = GrowingFile(path)
        self.rows: list[dict[str, Any]] = []

    def start(self) -> None:
        """Write the header of a new file."""
        self._write(lambda: self._file.start(csv_line(self.columns)))

    def mark(self) -> dict[str, Any]:
        """Return what a checkpoint has to say of the rows so far, see `GrowingFile.mark`."""
        return self._file.mark()

    def take_up(
        self, count: int, mark: Mapping[str, Any] | None, folder: Path | None = None
    ) -> bytes:
        """Take up the rows of an existing file, without those that came after the checkpoint.

        Args:
            count: number of rows at the time of the checkpoint.
            mark: what `mark` returned then; None of a checkpoint of version 0.1, which has none.
            folder: that the file lies in now, if it is another one.

        Returns:
            What the file is to hold from now on; it is not written here.

        Raises:
            RunError: if the file holds fewer rows, other columns or another run's rows.
        """
        found = GrowingFile(self.path if folder is None else folder / self.path.name)
        content = _first_lines(found.path, count) if mark is None else found.belonging(mark)
        rows = csv_rows(content.decode(errors="replace"))
        before = [column for column in self.columns if column not in self._added]
        if self._added and before in rows[:1] and all(len(row) == len(before) for row in rows):
            named = [dict(zip(before, row, strict=True)) for row in rows[1:]]
            cells = [[row.get(column, "nan") for column in self.columns] for row in named]
            rows = [list(self.columns), *cells]
            content = "".join(map(csv_line, rows)).encode()
        whole = all(len(row) == len(self.columns) for row in rows)
        if not rows or rows[0] != self.columns or len(rows) != count + 1 or not whole:
            got = f"{max(len(rows) - 1, 0)} rows or damaged ones"
            raise found.misfit(count, got)
        self.rows = [
            {key: number(value) for key, value in zip(self.columns, row, strict=True)}
            for row in rows[1:]
        ]
        self._file.hold(content, count)
        return content

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row to memory and file; floats keep all their digits."""
        line = csv_line([row[column] for column in self.columns])
        self._write(lambda: self._file.append(line))
        self.rows.append(dict(row))

    def column(self, name: str) -> list[Any]:
        """Return one column."""
        return [row[name] for row in self.rows]

    def _write(self, writing: Callable[[], None]) -> None:
        try:
            writing()
        except OSError as error:
            raise RunError(f"{self.path} cannot be written ({error.strerror}).") from error


def _first_lines(path: Path, count: int) -> bytes:
    """Return the header and `count` whole lines, or as many as there are."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError:
        lines = []
    return b"".join(line for line in lines[: count + 1] if line.endswith(b"\n"))


def check_last_row(
    history: History, phase: str, number: int, slab: tuple[int, int] | None = None
) -> None:
    """Refuse a history that does not end where its checkpoint does.

    Args:
        history: with the rows of the checkpoint.
        phase: that the checkpoint was made in.
        number: of its last epoch, or iteration.
        slab: number and count of the slab of time that it was made in, None for all times.

    Raises:
        RunError: if the rows of the phase end elsewhere.
    """
    own = [row for row in history.rows if slab is None or row["slab"] == slab[0]]
    last = next((row for row in reversed(own) if row["phase"] == phase), None)
    found = 0 if last is None else last["epoch"]
    if found != number:
        counted = PHASES[phase].counted
        raise RunError(
            f"{history.path} must end with {counted} {number} of the checkpoint, got {found}."
        )


def stretches(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return the phases that a run has gone through, in each of its slabs of time if it has slabs.

    Args:
        rows: history of the run.

    Returns:
        Name and length of each in their order; those without rows left out.
    """
    made: dict[tuple[Any, str], int] = {}
    for row in rows:
        made[row.get("slab"), row["phase"]] = row["epoch"]
    return [(phase, length) for (_, phase), length in made.items()]


def lengths(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how long each phase of a run was.

    Args:
        rows: history of the run.

    Returns:
        The largest number of each phase by its name, in their order; those without rows left out.
        Of a run in slabs of time these are the lengths in one slab.
    """
    made = {name: [row["epoch"] for row in rows if row["phase"] == name] for name in PHASES}
    return {name: max(numbers) for name, numbers in made.items() if numbers}
