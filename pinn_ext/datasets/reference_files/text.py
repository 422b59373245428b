"""Tables of text: CSV and the like, and COMSOL's export.

A table is lines of numbers, at the same number of columns each, separated by semicolons, tabs,
commas or blanks; `#` and `%` begin lines of comment. Its columns have names in the line before the
first one of numbers, which may be a comment.

COMSOL writes nine lines with `%` (eight in one dimension). They name the model and say, partly in
the language of whoever exported it, how many dimensions, nodes and expressions there are; the last
one holds the columns, `x  y  u (1) @ t=0  u (1) @ t=0.1`. Nodes are in COMSOL's own order.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pinn_ext.checks import brief
from pinn_ext.datasets.outside_files import FileError, check_count, plural
from pinn_ext.datasets.reference_files.names import COLUMN, Column

_COMMENTS = ("#", "%")
_LINE = re.compile("\r\n|\n|\r")
_COUNT = re.compile(r"%[^:：,]*[:：,]\s*(\d+)\s*")
_NAMES = re.compile(r"[A-Za-z]{2}|[@=(]")
_EXCEL = re.compile(r"sep=(.)", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """Numbers of a text file.

    Attributes:
        path: of the file.
        columns: heads of the columns; None where the file names none.
        values: `[R, C]` float64; NaN where the file says so.
        lines: numbers `[R]` of their lines, from 1.
        notes: what was assumed, a sentence each.
    """

    path: Path
    columns: list[Column] | None
    values: np.ndarray
    lines: np.ndarray
    notes: tuple[str, ...]


def read_table(path: Path) -> Table:
    """Return the numbers of a text file and the names of its columns.

    Args:
        path: of a file that exists.

    Raises:
        FileError: if it is not text, holds no numbers, a line has another number of columns or
            text where a number should be, or COMSOL's own counts do not agree.
    """
    comments, rows, separator = _lines_of(path)
    if not rows:
        raise FileError(path, "hold lines of numbers", "none")
    separator = separator or _separator(rows[min(1, len(rows) - 1)][1])
    counts = _counts(comments)
    columns = _columns(path, comments, rows, separator, counts)
    if not rows:
        raise FileError(path, "hold lines of numbers", "only the names of columns")
    numbers, texts = np.array([row[0] for row in rows]), [row[1] for row in rows]
    notes: tuple[str, ...] = ()
    if separator != "," and any("," in text for text in texts):
        texts = [text.replace(",", ".") for text in texts]
        notes = ("Commas were read as decimal points.",)
    width = len(columns) if columns else len(_cells(texts[0], separator))
    check_count(path, "its table", len(texts) * width)
    values = _numbers(path, texts, numbers, separator, width)
    if counts and counts[1] != len(values):
        wanted = f"have a line for each of the {counts[1]} nodes of its header"
        raise FileError(path, wanted, plural(len(values), "line"))
    return Table(path, columns, values, numbers, notes)


def _lines_of(path: Path) -> tuple[list[str], list[tuple[int, str]], str | None]:
    """Return the comments before the first row, numbered rows, and a separator that is stated."""
    comments: list[str] = []
    rows: list[tuple[int, str]] = []
    separator = None
    for number, line in enumerate(_LINE.split(_text_of(path)), start=1):
        text = line.strip(" ")
        if not text.strip():
            continue
        if text.startswith(_COMMENTS):
            if not rows:
                comments.append(text)
        elif not rows and separator is None and (stated := _EXCEL.fullmatch(text)):
            separator = stated[1]
        else:
            rows.append((number, text))
    return comments, rows, separator


def _text_of(path: Path) -> str:
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace").lstrip("\ufeff")
    if b"\0" in raw:
        raise FileError(path, "be text", "bytes of something else")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:  # only names and comments hold such letters
        return raw.decode("latin-1")


def _separator(text: str) -> str:
    """Return what separates the columns of a line: a character, or a blank for any blanks."""
    for able in (";", "\t"):
        if able in text:
            return able
    parts = text.split(",")
    # In "0,1 0,2" commas are decimal, in "0.1, 0.2" they separate.
    blanks = any(re.search(r"\S\s+\S", part) and not _NAMES.search(part) for part in parts)
    return "," if len(parts) > 1 and not blanks else " "


def _cells(text: str, separator: str) -> list[str]:
    return text.split() if separator == " " else [c.strip() for c in text.split(separator)]


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _counts(comments: list[str]) -> tuple[int, int, int] | None:
    """Return dimensions, nodes and expressions of COMSOL's header, None if it is not one.

    The words before the numbers are in anybody's language: three such lines follow each other.
    """
    if len(comments) < 4 or not comments[0].startswith("%"):
        return None
    found = [_COUNT.fullmatch(text) for text in comments]
    for triple in zip(found, found[1:], found[2:], strict=False):
        if all(triple):
            dimensions, nodes, expressions = (int(match[1]) for match in triple if match)
            return (dimensions, nodes, expressions) if 1 <= dimensions <= 3 else None
    return None


def _columns(
    path: Path,
    comments: list[str],
    rows: list[tuple[int, str]],
    separator: str,
    counts: tuple[int, int, int] | None,
) -> list[Column] | None:
    """Return the heads of the columns; where the first row holds them, it is taken off the rows."""
    first = _cells(rows[0][1], separator)
    if counts:
        columns = _heads(comments[-1][1:].strip(), separator)
        if len(columns) != counts[0] + counts[2]:
            wanted = (
                f"name {plural(counts[0], 'coordinate')} and "
                f"{plural(counts[2], 'expression')}, as its header says"
            )
            raise FileError(path, wanted, plural(len(columns), "column"))
        return columns
    if not any(_is_number(cell) for cell in first if cell):
        return _heads(rows.pop(0)[1], separator)
    if comments:
        columns = _heads(comments[-1].lstrip("#% "), separator)
        named = not any(_is_number(column.name) for column in columns)
        return columns if named and len(columns) == len(first) else None
    return None


def _heads(text: str, separator: str) -> list[Column]:
    if separator == " " and ("@" in text or "," not in text):
        return [Column.of(match) for match in COLUMN.finditer(text)]
    mark = "," if separator == " " else separator
    return [Column.parse(cell) for cell in next(csv.reader([text], delimiter=mark))]


def _numbers(
    path: Path, texts: list[str], numbers: np.ndarray, separator: str, width: int
) -> np.ndarray:
    delimiter = None if separator == " " else separator
    try:
        values = np.loadtxt(texts, delimiter=delimiter, ndmin=2, comments=None, dtype=np.float64)
    except ValueError:
        values = None
    if values is not None and values.shape == (len(texts), width):
        return values
    for number, text in zip(numbers, texts, strict=True):
        cells = _cells(text, separator)
        if len(cells) != width:
            wanted = f"have {plural(width, 'column')} in each line"
            raise FileError(path, wanted, f"{len(cells)} in line {number}")
        for place, cell in enumerate(cells, start=1):
            if not _is_number(cell):
                raise FileError(
                    path, "hold numbers", f"{brief(cell)} in line {number}, column {place}"
                )
    return np.array([[float(cell) for cell in _cells(text, separator)] for text in texts])
