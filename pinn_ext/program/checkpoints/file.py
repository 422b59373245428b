"""Checkpoints that are whole or absent, and the lock on a run's folder."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from pinn_ext.files import CHECKPOINT, OWN_FILES, PART, FolderTaken, RunError, open_own, part_of

FORMAT = "pinn_ext checkpoint"
VERSION = 2
"""Version 1, of pinn_ext 0.1, has events and gradients within and no marks of the tables."""
FILE_NAME = CHECKPOINT


def save(
    path: Path, content: dict[str, Any], others: Mapping[Path, bytes | None] | None = None
) -> None:
    """Write a checkpoint so that a crash leaves the former one or the new one, never a mixture.

    The bytes go to a temporary file beside it, reach the disk, and take its name in one step.

    Args:
        path: file to write.
        content: tensors, numbers, strings, lists and dicts.
        others: files in the same folder that change with it, None for one to be removed. Nothing
            takes its name before all of them are on the disk.

    Raises:
        RunError: if the disk is full or the folder cannot be written; the former files stay.
    """
    written = {**(others or {}), path: to_bytes(content)}
    parts = {file: part_of(file) for file, data in written.items() if data is not None}
    try:
        for file, part in parts.items():
            _write(part, written[file] or b"")
        for file in written:  # the checkpoint last
            if file in parts:
                os.replace(parts[file], file)
            else:
                file.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink()
        raise RunError(
            f"The checkpoint {path} cannot be written ({error.strerror}); the former one is whole."
        ) from error


def to_bytes(content: Mapping[str, Any]) -> bytes:
    """Return what `load` reads as the content of a file.

    Args:
        content: tensors, numbers, strings, lists and dicts.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "version": VERSION, **content}, buffer)
    return buffer.getvalue()


def _write(part: Path, data: bytes) -> None:
    part.unlink(missing_ok=True)  # left by a process that was killed, or a link
    with open_own(part, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def load(path: Path, keys: Sequence[str] = ()) -> dict[str, Any]:
    """Read a checkpoint without running any code from it.

    Args:
        path: file to read.
        keys: what it must hold.

    Returns:
        What was saved, on the CPU.

    Raises:
        RunError: if the file is absent, damaged, no checkpoint of pinn_ext, or of a newer one.
    """
    if not path.is_file():
        raise RunError(f"There is no checkpoint at {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load does not look at checksums
        if damaged:
            raise RunError(f"The checkpoint {path} is damaged (checksum of {damaged}).")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"{path} is damaged or no checkpoint of pinn_ext.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RunError(f"{path} is no checkpoint of pinn_ext.")
    if content.get("version") not in (1, VERSION):
        raise RunError(
            f"{path} is a checkpoint of format {content.get('version')}, this pinn_ext reads "
            f"1 to {VERSION}."
        )
    absent = [key for key in keys if key not in content]
    if absent:
        raise RunError(f"The checkpoint {path} is incomplete, it lacks {', '.join(absent)}.")
    return content


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder, so that no second process writes into it.

    The lock goes with the process, however that ends.

    Args:
        folder: an existing folder.

    Yields:
        Nothing.

    Raises:
        FolderTaken: if another process holds the folder.
        RunError: if the folder cannot be written.
    """
    import fcntl

    try:
        file = open_own(folder / "run.lock")  # held open until the run ends, never emptied
    except OSError as error:
        raise RunError(f"The folder {folder} cannot be written ({error.strerror}).") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FolderTaken(f"Another process is running in {folder}.") from None
        with contextlib.suppress(OSError):
            for name in OWN_FILES:  # left by a process that was killed
                (folder / (name + PART)).unlink(missing_ok=True)
        yield


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
