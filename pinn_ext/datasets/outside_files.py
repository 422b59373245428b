"""Files that other programs wrote: what is refused before one of them is read.

Every refusal is an `ArgumentError` of the argument `path`, so that a program can put its own key in
that place; most end with the name of the file.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from pinn_ext.checks import ArgumentError, brief
from pinn_ext.files import shortened

MOST_NUMBERS = 100_000_000
"""Numbers that are read of one file at most, 0.8 GB in float64."""

MOST_BYTES = 16 * MOST_NUMBERS
"""Size of a file at most; a number that is written out takes two bytes or more, mostly about 20."""


class FileError(ArgumentError):
    """A file that cannot be used, in the sentence "`path` must WANTED, got GOT in FILE.".

    Args:
        path: of the file.
        wanted: what it must be or do, the words after "must".
        got: what came, the words after "got".
    """

    def __init__(self, path: Path, wanted: str, got: object) -> None:
        super().__init__("path", wanted, f"{got} in {shortened(Path(path.name))}")
        self.args = (path, wanted, str(got))  # by which it can be pickled


def check_file(path: str | Path) -> Path:
    """Return the path of a file that can be read, is not empty and not too large.

    Args:
        path: as the user wrote it.

    Returns:
        The same as a `Path`.

    Raises:
        ArgumentError: if there is no such file.
        FileError: if it is empty or larger than `MOST_BYTES`.
    """
    if not isinstance(path, (str, Path)) or not str(path):
        raise ArgumentError("path", "name a file", brief(path))
    path = Path(path)
    try:
        is_file, there = path.is_file(), path.exists()
        size = path.stat().st_size if is_file else 0
        if is_file:
            path.open("rb").close()
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise ArgumentError("path", "name a file that can be read", _named(path, reason)) from None
    if not is_file:
        found = "something else" if there else "nothing"
        raise ArgumentError("path", "name a file", _named(path, found))
    if not size:
        raise FileError(path, "hold data", "0 bytes")
    if size > MOST_BYTES:
        raise FileError(path, f"have at most {MOST_BYTES:.2g} bytes", f"{size:.2g}")
    return path


def check_count(path: Path, what: str, count: int) -> None:
    """Refuse a table or an array that is too large, before memory is taken for it.

    Args:
        path: of the file.
        what: the name of the array, for the message.
        count: of its numbers.

    Raises:
        FileError: if there are more than `MOST_NUMBERS`.
    """
    if count > MOST_NUMBERS:
        raise FileError(path, f"hold at most {MOST_NUMBERS:.2g} numbers", f"{count:.2g} of {what}")


def optional(package: str, what: str) -> ModuleType:
    """Return a package of the extra `mesh`.

    Args:
        package: `"meshio"` or `"h5py"`.
        what: that it is needed for, for the message.

    Returns:
        The module, imported when it is first used.

    Raises:
        ValueError: if it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        raise ValueError(
            f"{package} must be installed to read {what}: pip install 'pinn-ext[mesh]'."
        ) from None


def said(error: Exception) -> str:
    """Return what an error of another package says, in the place of what came."""
    return f"{type(error).__name__} ({str(error).strip().rstrip('.') or 'no more is said'})"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, `"1 node"` or `"2 nodes"`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _named(path: Path, found: str) -> str:
    return f"{found} at {shortened(path)}"
