"""A progress bar for long work at a terminal; silent elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

_AFTER = 1.0  # seconds of work before a bar is worth its place


class Bar:
    """Counts steps on stderr once the work has taken a second.

    Args:
        total: Number of steps.
        shown: Whether to show it; None shows it where stderr is a terminal.
    """

    def __init__(self, total: int, shown: bool | None) -> None:
        at_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._total = total
        self._shown = at_terminal if shown is None else shown
        self._start = time.perf_counter()
        self._bar: Any = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._shown = False  # steps that a backward pass takes again are not counted
        if self._bar is not None:
            self._bar.stop()

    def done(self, count: int) -> None:
        """Move to `count` steps."""
        if not self._shown:
            return
        if self._bar is None:
            if time.perf_counter() - self._start < _AFTER or count >= self._total:
                return
            self._open()
        self._bar.update(self._task, completed=count)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = ("steps", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task("", total=self._total)
        self._bar.start()
