"""Files of processed problems: versioned, whole or absent, and read without running any code."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.choices import UNSAID
from pinn_ext.files import replace_file, shortened

FORMAT = "pinn_ext family"
VERSION = 1
"""Of the files; raised whenever the same description makes other numbers."""


class Unusable(Exception):
    """A file does not hold what was asked for; the message says why, in a few words."""


def folder_of(root: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder of a data set's files; nothing is made.

    Args:
        root: that a user gives; None keeps nothing.

    Returns:
        `root/processed`, or None.

    Raises:
        ArgumentError: if it names no folder.

    >>> folder_of("data").as_posix()
    'data/processed'
    """
    if root is None:
        return None
    text = os.fspath(root)
    if not text.strip() or text == UNSAID:
        raise ArgumentError("root", "name a folder", repr(text))
    return Path(text).expanduser() / "processed"


def warn(error: Unusable) -> None:
    """Say that a file is made again, and why."""
    warnings.warn(f"{error}: it is made again.", RuntimeWarning, stacklevel=4)


def name_of(description: Mapping[str, Any]) -> str:
    """Return the name of the file of some problems.

    Args:
        description: plain values that decide them.

    Returns:
        A name that no other description has.
    """
    text = json.dumps(description, sort_keys=True)
    return f"{description['split']}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pt"


def write(path: Path, description: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Write a file, the same bytes for the same content.

    Args:
        path: of the file, whose folder is made where it is not there.
        description: plain values that decide the content.
        content: tensors, numbers and strings in nested dicts.

    Raises:
        ArgumentError: if it cannot be written.
    """
    buffer = io.BytesIO()
    whole = {
        "format": FORMAT,
        "version": VERSION,
        "description": json.dumps(description, sort_keys=True),
        "sha256": _digest(content),
        "content": dict(content),
    }
    torch.save(whole, buffer)
    with writing(path.parent):
        replace_file(path, buffer.getvalue())


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make a folder for files that are written inside the block.

    Args:
        folder: of the files.

    Yields:
        Nothing.

    Raises:
        ArgumentError: naming `root`, in the place of an error of the file system.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        got = f"{shortened(folder.parent)} ({error.strerror})"
        raise ArgumentError("root", "be a folder that can be written", got) from None


def read(path: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    """Read a file that `write` made.

    Args:
        path: of the file.
        description: of what it is to hold.

    Returns:
        The content, whole.

    Raises:
        Unusable: if it is damaged, of another version, or holds something else.
    """
    name = shortened(path)
    try:
        whole = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of zipfile, pickle or torch, whatever the damage makes of it
        raise Unusable(f"{name} is damaged ({type(error).__name__})") from None
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise Unusable(f"{name} holds something else")
    if whole.get("version") != VERSION:
        raise Unusable(f"{name} is of version {whole.get('version')}, wanted {VERSION}")
    if whole.get("description") != json.dumps(description, sort_keys=True):
        raise Unusable(f"{name} holds other problems")
    content = whole.get("content")
    if not isinstance(content, dict) or _digest(content) != whole.get("sha256"):
        raise Unusable(f"{name} is damaged (its digest is another one)")
    return content


def _digest(content: Any) -> str:
    digest = hashlib.sha256()
    for part in _parts(content):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    """Yield what a digest is made of: names, kinds and numbers."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield str(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, Tensor):
        yield f"{value.dtype}{list(value.shape)}".encode()
        yield value.contiguous().numpy().tobytes()
    else:
        yield repr(value).encode()
