"""A progress bar where the output is a terminal, plain lines where it is not."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pinn_ext.files import open_own
from pinn_ext.program.ranks import environment
from pinn_ext.version import __version__

if TYPE_CHECKING:  # loaded where there is a bar
    from rich.progress import Progress as RichProgress


def say(text: str) -> None:
    """Print lines; a reader that has gone away does not end the work.

    Args:
        text: to be printed.
    """
    try:
        print(text, flush=True)
    except (OSError, ValueError):  # a closed pipe, a full disk, a closed file
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (the interpreter flushes it at its end)


def say_aside(text: str) -> None:
    """Print a line beside the results that says what the user is waiting for.

    Args:
        text: to be printed after the name and the version of the program.
    """
    if not environment.is_follower() and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # as for `say`
            print(f"pinn-ext {__version__}: {text}", file=sys.stderr, flush=True)


def say_loading() -> None:
    """Say once that the libraries are being loaded, which takes seconds."""
    if "torch" not in sys.modules:
        say_aside("loading PyTorch …")


class Progress:
    """Counts epochs, or iterations, and lets lines through above the bar.

    Args:
        log: file that gets the lines too, at its end; None for none.
    """

    def __init__(self, log: Path | None = None) -> None:
        self._log = log
        self._bar: RichProgress | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def count(self, total: int, done: int, unit: str) -> None:
        """Begin to count, in place of what was counted before.

        Args:
            total: number of epochs.
            done: epochs made before.
            unit: what is counted.
        """
        self._stop()
        if sys.stdout is not None and sys.stdout.isatty() and done < total:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            columns = (TextColumn(unit), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = RichProgress(*columns, console=Console(), transient=True)
            self._task = self._bar.add_task("", total=total, completed=done)
            self._bar.start()

    def _stop(self) -> None:
        if self._bar:
            self._bar.stop()
        self._bar = None

    def write(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            say(text)
        if self._log is not None:
            with contextlib.suppress(OSError), open_own(self._log, "ab") as file:  # a full disk
                file.write(f"{text}\n".encode())

    def advance(self, done: int) -> None:
        """Move the bar to `done`."""
        if self._bar:
            self._bar.update(self._task, completed=done)
