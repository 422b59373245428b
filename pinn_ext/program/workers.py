"""Workers of a parallel launcher end when the process that has started them is gone.

A worker of joblib whose parent was killed would finish its job, begin the next one that it has been
handed, and wait for minutes for another.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator

_LAUNCHERS = ("joblib.externals.loky", "loky")
_PERIOD = 0.5  # seconds between two looks
_STATUS = 128 + signal.SIGTERM

_at_work = threading.Lock()
_watched: list[int] = []


@contextlib.contextmanager
def ended_with_parent() -> Iterator[None]:
    """Terminate the job inside the block in order if its launcher's process goes away.

    Elsewhere than in a worker of joblib nothing is watched: under nohup, say, or a cluster's
    scheduler a run outlives whoever has started it.

    Yields:
        Nothing.
    """
    parent = _parent_of_worker()
    if parent is None:
        yield
        return
    if os.getppid() != parent:  # killed before this job has begun
        os._exit(_STATUS)
    if not _watched:
        _watched.append(parent)
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    with _at_work:
        yield


def _parent_of_worker() -> int | None:
    """Return the process that has started this one, if this is a worker of joblib."""
    parent = multiprocessing.parent_process()
    kind = type(multiprocessing.current_process()).__module__
    return parent.pid if parent is not None and kind.startswith(_LAUNCHERS) else None


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PERIOD)
    os.kill(os.getpid(), signal.SIGTERM)  # a job at work writes its report, see `Interrupts`
    with _at_work:
        os._exit(_STATUS)
