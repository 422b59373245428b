"""The folder of a study: made, locked, and looked at before anything is run in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pinn_ext.files import RunError, exists, open_own, own_file, shortened
from pinn_ext.reports.study.records import STUDY_FILE, Record, check_goes_on, read_record

_LOCK = "study.lock"
_PATIENCE = 30.0  # seconds in which the jobs of a study that was killed end


@contextlib.contextmanager
def locked(folder: Path, patience: float = _PATIENCE) -> Iterator[int]:
    """Hold a study's folder, which is made if there is none.

    The lock is inherited by workers: after a study was killed it is free once they have ended.

    Args:
        folder: of the study.
        patience: seconds to wait for another process.

    Yields:
        The descriptor that holds the lock.

    Raises:
        RunError: if it cannot be made or written, or another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open_own(folder / _LOCK)
    except OSError as error:
        why = error.strerror or error
        raise RunError(f"The folder {shortened(folder)} cannot be written ({why}).") from None
    with file:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > end:
                    message = f"Another process is running the study in {folder}."
                    raise RunError(message) from None
                time.sleep(0.1)
        yield file.fileno()


def take_up(folder: Path, record: Record) -> None:
    """Begin a study in a folder, or go on with the one that it holds.

    Args:
        folder: of the study, locked.
        record: what is to be run.

    Raises:
        RunError: if the folder holds a run, or another study.
    """
    if os.path.lexists(folder / STUDY_FILE):
        check_goes_on(record, read_record(folder), folder)
    elif name := own_file(folder):
        raise RunError(
            f"The folder {folder} must be new or that of this study, got one that holds {name}."
        )
    record.write(folder)


def check_place(folder: Path) -> None:
    """Refuse a folder that cannot be one, before anything else is looked at.

    Args:
        folder: of a study.

    Raises:
        RunError: if there is a file of its name, or it cannot be written.
    """
    first = folder
    while not exists(first) and first != first.parent:
        first = first.parent
    if not first.is_dir():
        raise RunError(f"The folder {shortened(folder)} cannot be made, as {first} is a file.")
    if not os.access(first, os.W_OK | os.X_OK):
        raise RunError(f"The folder {shortened(folder)} cannot be written (Permission denied).")
