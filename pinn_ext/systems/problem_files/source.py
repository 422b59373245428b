"""The text of a problem file: read, and run as a module of its own."""

from __future__ import annotations

import hashlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


class ProblemFileError(ValueError):
    """A problem file that cannot be used; the message names the file, and what is wrong in it."""


@dataclass(frozen=True)
class Source:
    """The text of a problem file.

    Attributes:
        path: of the file.
        text: what it holds.
    """

    path: Path
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read(path: str | Path) -> Source:
    """Return the text of a problem file, which is not run.

    Args:
        path: of the file.

    Returns:
        The file with its text.

    Raises:
        ProblemFileError: if it cannot be read as text.
    """
    try:
        return Source(Path(path), Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ProblemFileError(f"The problem file {path} cannot be read ({why}).") from None


def run(source: Source) -> dict[str, Any]:
    """Run the text of a file as a module of its own; return the module's names."""
    name = f"problem_file_{source.digest[:16]}"
    module = ModuleType(name)
    module.__file__ = str(source.path)
    sys.modules[name] = module  # where dataclasses in it look for their module
    try:
        exec(compile(source.text, str(source.path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise ProblemFileError(
            f"{source.path.name} cannot be run{line_of(error, source)}: {kind_of(error)}."
        ) from None
    return vars(module)


def line_of(error: BaseException, source: Source) -> str:
    """Return in which line of a file an error arose, empty if in none."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(source.path)]
    return f", line {lines[-1]}" if lines else ""


def kind_of(error: BaseException) -> str:
    """Return the kind and the text of an error on one line."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}".rstrip(": .")
