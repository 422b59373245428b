"""The history of a run, one CSV row an epoch, written as the run goes."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinn_ext.files import RunError, open_own, replace_file

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

    Attributes:
        rows: all rows so far, each a dict of numbers and strings.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, list(columns)
        self.rows: list[dict[str, Any]] = []

    def start(self) -> None:
        """Write the header of a new file."""
        try:
            replace_file(self.path, "")
        except OSError as error:
            raise RunError(f"{self.path} cannot be written ({error.strerror}).") from error
        self._write(self._line(self.columns))

    def resume(self, count: int) -> None:
        """Take up an existing file, without the rows that came after the checkpoint.

        Args:
            count: number of rows at the time of the checkpoint.

        Raises:
            RunError: if the file holds fewer rows or other columns.
        """
        try:
            lines = self.path.read_text().splitlines(keepends=True)
        except (OSError, UnicodeError):
            lines = []
        rows = list(csv.reader(line for line in lines if line.endswith("\n")))
        whole = all(len(row) == len(self.columns) for row in rows[: count + 1])
        if not rows or rows[0] != self.columns or len(rows) < count + 1 or not whole:
            raise RunError(
                f"{self.path} must hold the {count} rows that belong to the checkpoint, "
                f"got {max(len(rows) - 1, 0)} rows or damaged ones."
            )
        kept = rows[: count + 1]
        self.rows = [
            {key: _number(value) for key, value in zip(self.columns, row, strict=True)}
            for row in kept[1:]
        ]
        replace_file(self.path, "".join(lines[: count + 1]))

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row to memory and file; floats keep all their digits."""
        self._write(self._line([row[column] for column in self.columns]))
        self.rows.append(dict(row))

    def column(self, name: str) -> list[Any]:
        """Return one column."""
        return [row[name] for row in self.rows]

    @staticmethod
    def _line(values: Sequence[Any]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(values)
        return text.getvalue()

    def _write(self, text: str) -> None:
        try:
            with open_own(self.path) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())  # as the checkpoint, which counts on it
        except OSError as error:
            raise RunError(f"{self.path} cannot be written ({error.strerror}).") from error


def lengths(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how long each phase of a run was.

    Args:
        rows: history of the run.

    Returns:
        The largest number of each phase by its name, in their order; those without rows left out.
    """
    made = {name: [row["epoch"] for row in rows if row["phase"] == name] for name in PHASES}
    return {name: max(numbers) for name, numbers in made.items() if numbers}


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
