"""A text file that only grows: a checkpoint knows it by its length and digest, and not by heart."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinn_ext.files import RunError, open_own


class GrowingFile:
    """A table on the disk, written line by line, that can be told from any other.

    The digest is kept up to date as lines come: what a mark costs does not depend on the length.

    Args:
        path: of the file; it is not looked at.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hold(b"", 0)

    def hold(self, content: bytes, rows: int) -> None:
        """Take note of what the file holds, or will hold once someone has written it.

        Args:
            content: of the file.
            rows: how many lines of it are rows of the table.
        """
        self._digest, self._bytes, self._rows = hashlib.sha256(content), len(content), rows

    def start(self, text: str, rows: int = 0) -> None:
        """Write a new file, in the place of one that may be there.

        Args:
            text: its content.
            rows: how many rows of the table are among it.

        Raises:
            OSError: if it cannot be written.
        """
        self.path.unlink(missing_ok=True)
        self.hold(b"", 0)
        self.append(text, rows)

    def append(self, text: str, rows: int = 1) -> None:
        """Write further rows; they are on the disk when this returns.

        Args:
            text: whole lines.
            rows: how many they are.

        Raises:
            OSError: if the file cannot be written.
        """
        data = text.encode()
        with open_own(self.path, "ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # as the checkpoint, which counts on it
        self._digest.update(data)
        self._bytes, self._rows = self._bytes + len(data), self._rows + rows

    def mark(self) -> dict[str, Any]:
        """Return what tells the present content: `rows`, `bytes`, `sha256`."""
        return {"rows": self._rows, "bytes": self._bytes, "sha256": self._digest.hexdigest()}

    def belonging(self, mark: Mapping[str, Any]) -> bytes:
        """Return the part of the file that was there when a mark was made.

        Args:
            mark: what `mark` returned then.

        Raises:
            RunError: if the file does not begin with that part.
        """
        try:
            content = self.path.read_bytes() if mark["bytes"] else b""
        except OSError:
            content = b""
        part = content[: mark["bytes"]]
        if len(part) < mark["bytes"]:
            raise self.misfit(mark["rows"], "fewer")
        if hashlib.sha256(part).hexdigest() != mark["sha256"]:
            raise self.misfit(mark["rows"], "other ones")
        return part

    def misfit(self, rows: int, got: str) -> RunError:
        """Return the error about a file that is not the checkpoint's.

        Args:
            rows: how many belong to the checkpoint.
            got: what is there.
        """
        return RunError(
            f"{self.path} must hold the {rows} rows that belong to the checkpoint, got {got}."
        )


def csv_line(values: Sequence[Any]) -> str:
    """Return a line of a CSV file; floats keep all their digits."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def csv_rows(text: str) -> list[list[str]]:
    """Return the lines of a CSV text as lists of cells."""
    return list(csv.reader(io.StringIO(text, newline="")))


def number(text: str) -> Any:
    """Return a cell as a number if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
