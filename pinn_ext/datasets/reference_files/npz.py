"""Arrays of numpy's npz files; nothing that is pickled in them is ever loaded."""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from pinn_ext.datasets.outside_files import FileError, said
from pinn_ext.datasets.reference_files.arrays import StoredArray

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


def npz_arrays(path: Path) -> dict[str, StoredArray]:
    """Return the arrays of an npz file; only their headers are read.

    Args:
        path: of a file that exists.

    Raises:
        FileError: if it is no zip file of numpy's arrays, or is damaged.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith(".npy"):
                    shape, dtype = _header(archive, member)
                    load = partial(_load, path, member[:-4])
                    found[member[:-4]] = StoredArray(shape, _kind(dtype), load)
    except _DAMAGE as error:
        raise FileError(path, "be a whole npz file", said(error)) from None
    if not found:
        raise FileError(path, "hold arrays of numpy (.npy)", "none")
    return found


def _header(archive: zipfile.ZipFile, member: str) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(member) as file:
        first = np.lib.format.read_magic(file) == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return shape, dtype


def _kind(dtype: np.dtype) -> str:
    if dtype.hasobject:
        return "pickled Python objects (never loaded)"
    return "numbers" if dtype.kind in "biufc" else f"the type {dtype}"


def _load(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file[name])
    except _DAMAGE as error:
        raise FileError(path, f"hold all of {name}", said(error)) from None
