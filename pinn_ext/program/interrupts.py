"""Ctrl-C, SIGTERM and SIGHUP as a flag that a run looks at between its steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any


class Interrupts:
    """Remembers the first signal; a second one acts at once.

    Attributes:
        signal: number of the signal that came, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._former: dict[int, Any] = {}

    @contextlib.contextmanager
    def caught(self) -> Iterator[Interrupts]:
        """Catch SIGINT, SIGTERM and SIGHUP inside the block, if this is the main thread.

        SIGHUP stays ignored where it is, as under nohup.

        Yields:
            This object.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            numbers.remove(signal.SIGHUP)
        self._former = {number: signal.getsignal(number) for number in numbers}
        try:
            for number in numbers:
                signal.signal(number, self._note)
            yield self
        finally:
            self._restore()

    def agree(self) -> None:
        """Let processes that train together take note of a signal together; alone, do nothing."""

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    @property
    def exit_status(self) -> int:
        """128 plus the number of the signal, as shells have it; 0 if none came."""
        return 128 + self.signal if self.signal else 0


class SweepEnd:
    """Ends a sweep at SIGTERM or SIGHUP, wherever between its jobs the signal comes.

    An exception that a signal raises is lost where it meets a destructor or code that takes every
    exception for its own; the next job looks here before it begins.

    Attributes:
        exit_status: 128 plus the number of the signal that came, 0 if none did.
    """

    def __init__(self) -> None:
        self.exit_status = 0

    @contextlib.contextmanager
    def caught(self) -> Iterator[SweepEnd]:
        """Catch the signals inside the block; SIGHUP stays ignored where it is, as under nohup.

        Yields:
            This object.
        """
        self.exit_status = 0
        numbers = (signal.SIGTERM, signal.SIGHUP)
        former = {n: signal.getsignal(n) for n in numbers}
        heard = [n for n in numbers if former[n] is not signal.SIG_IGN]
        try:
            for number in heard:
                signal.signal(number, self._end)
            yield self
        finally:
            for number in heard:
                signal.signal(number, former[number])

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.exit_status = 128 + number
        raise SystemExit(self.exit_status)

    def raise_again(self) -> None:
        """Raise what a signal has raised, if one has come.

        Raises:
            SystemExit: with the exit status.
        """
        if self.exit_status:
            raise SystemExit(self.exit_status)
