"""Files of a run: written whole or not at all, through no link, over nothing of the user's."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

PART = ".part"
"""At the end of the name of a file that is being written."""

CHECKPOINT = "checkpoint.pt"
"""All that a run goes on from."""
BEST = "best.pt"
"""The best network of a run."""
VERSIONS = "versions.json"
"""What a run was made with."""

_TABLES = ("history.csv", "events.csv", "gradients.csv")
_PICTURES = ("losses.png", "weights.png", "fields.png", "gradients.png", "comparison.png")
LOG = "log.txt"
"""What a run has printed, without progress bars."""
_TEXTS = ("config.yaml", VERSIONS, LOG, "error.log", "comparison.csv", "comparison.json")
_RUN_MARKS = (CHECKPOINT, "report.json", "multirun.yaml")
OWN_FILES = (*_RUN_MARKS, BEST, *_TEXTS, *_TABLES, *_PICTURES)
"""Every file that a run or a sweep writes, its lock apart, which is never emptied."""


LONGEST_NAME = 255
"""Bytes of a file's name, on every usual file system."""
_LONGEST = 200


class RunError(RuntimeError):
    """A run cannot start or go on; the message is one sentence for the user."""


class FolderTaken(RunError):
    """A folder belongs to another run, or holds what a run would write over."""


def exists(path: Path) -> bool:
    """Return whether there is something at a path; False too where nothing can be looked at.

    Args:
        path: that a user has given, which may be longer than any name can be.
    """
    try:
        return path.exists()
    except OSError:
        return False


def shortened(path: Path) -> str:
    """Return a path for a message, cut off where it is longer than anyone reads."""
    text = str(path)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text)} characters)"


def stamp(path: str | Path) -> tuple[int, int] | None:
    """Return what a file is known again by while nobody writes to it; None if there is none.

    Args:
        path: that a user has given.
    """
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return about.st_mtime_ns, about.st_size


def own_file(folder: Path) -> str | None:
    """Return the name of a file in a folder that a run would write over.

    Args:
        folder: that may exist.

    Returns:
        The first name found, also of a link that leads nowhere; None if there is none.
    """
    names = [name + end for name in OWN_FILES for end in ("", PART)]
    return next((name for name in names if os.path.lexists(folder / name)), None)


def refuse_taken(folder: Path) -> None:
    """Refuse a folder in which a new run would write over something.

    Args:
        folder: that may exist.

    Raises:
        FolderTaken: if it holds a run, a sweep, or files of the names that these write.
    """
    name = own_file(folder)
    if name in _RUN_MARKS:
        raise FolderTaken(
            f"The folder {folder} must not hold a run yet: choose another one, or go on "
            f"with that run by training.resume={folder}."
        )
    if name is not None:
        raise FolderTaken(
            f"The folder {folder} must not hold files of the names that a run writes, got {name}: "
            "choose another one."
        )


def part_of(path: Path) -> Path:
    """Return what a file is called while it is written."""
    return path.with_name(path.name + PART)


def open_own(path: Path, mode: str = "a") -> IO[Any]:
    """Open a file of a run for writing at its end; a link is refused, not followed.

    Args:
        path: of the file.
        mode: "a" or "ab", for a file that is not to be emptied; "x" or "xb" for a new one.

    Returns:
        The open file.

    Raises:
        OSError: if it cannot be opened, is a link, or no plain file.
        ValueError: if the mode would empty a file.
    """
    if mode.strip("b") not in ("a", "x"):
        raise ValueError(f"`mode` must be a, ab, x or xb, got {mode!r}.")

    def opener(name: str, flags: int) -> int:
        # Without O_NONBLOCK a pipe of that name would hold the program up for ever.
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)

    if path.is_symlink():
        raise OSError(0, f"{path.name} is a link")
    file = open(path, mode, opener=opener)  # noqa: SIM115 (the caller closes it)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(0, f"{path.name} is no file")
    return file


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a new file to write, which takes a name in one step once it is whole.

    A link of that name is replaced itself; what it leads to stays.

    Args:
        path: the name to take.

    Yields:
        An empty file beside it; it is gone if the block fails.
    """
    part = part_of(path)
    part.unlink(missing_ok=True)  # left by a process that was killed, or a link
    try:
        open_own(part, "xb").close()
        yield part
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file such that a crash leaves the former one or the new one, never a part.

    Args:
        path: of the file.
        content: of the file.
    """
    mode = "ab" if isinstance(content, bytes) else "a"
    with replacing(path) as part, open_own(part, mode) as file:
        file.write(content)


def make_file(path: Path, content: str) -> None:
    """Write a file where there is none, whole or not at all.

    Args:
        path: of the file.
        content: of the file.

    Raises:
        OSError: if it cannot be written, or there is something at the path, be it a link.
    """
    with open_own(path, "xb") as file:
        try:
            file.write(content.encode())
            file.flush()
        except BaseException:
            path.unlink()
            raise
