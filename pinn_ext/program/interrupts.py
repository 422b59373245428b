"""Ctrl-C, SIGTERM and SIGHUP as a flag that a run looks at between its steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupts:
    """Remembers the first signal; a second one acts at once.

    Attributes:
        signal: number of the signal that came, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

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
        former = {s: signal.signal(s, self._note) for s in numbers}
        self._former = former
        try:
            yield self
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        for one, handler in self._former.items():
            signal.signal(one, handler)

    @property
    def exit_status(self) -> int:
        """128 plus the number of the signal, as shells have it; 0 if none came."""
        return 128 + self.signal if self.signal else 0
