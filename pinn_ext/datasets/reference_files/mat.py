"""Arrays of MATLAB's mat files: versions 4 to 7 by scipy, 7.3, which is HDF5, by h5py."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from pinn_ext.datasets.outside_files import FileError, optional, said
from pinn_ext.datasets.reference_files.arrays import StoredArray

_NUMBERS = {
    "double",
    "single",
    "logical",
    *(f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)),
}
_HDF5 = b"\x89HDF\r\n\x1a\n"


def mat_arrays(path: Path) -> dict[str, StoredArray]:
    """Return the variables of a mat file; only their shapes are read.

    Args:
        path: of a file that exists.

    Raises:
        FileError: if it is no mat file, or is damaged.
        ValueError: if it is of version 7.3 and h5py is not installed.
    """
    with path.open("rb") as file:
        start = file.read(2056)
    if any(start[at : at + 8] == _HDF5 for at in (0, 512, 1024, 2048)):
        return _of_hdf5(path)
    try:
        with path.open("rb") as file:
            listed = scipy.io.whosmat(file)
    except Exception as error:  # a damaged file makes scipy raise nearly anything
        raise FileError(path, "be a whole mat file", said(error)) from None
    return {
        name: StoredArray(tuple(shape), _kind(what), partial(_load, path, name))
        for name, shape, what in listed
    }


def _kind(what: str) -> str:
    if what in _NUMBERS:
        return "numbers"
    article = "an" if what[:1] in "aeiou" else "a"
    return f"{article} {what}{' matrix' if what == 'sparse' else ''}"


def _load(path: Path, name: str) -> np.ndarray:
    try:
        with path.open("rb") as file:
            return np.asarray(scipy.io.loadmat(file, variable_names=[name])[name])
    except Exception as error:
        raise FileError(path, f"hold all of {name}", said(error)) from None


def _of_hdf5(path: Path) -> dict[str, StoredArray]:
    h5py = optional("h5py", "mat files of MATLAB 7.3")
    found = {}
    try:
        with h5py.File(path, "r") as file:
            for name, item in file.items():
                if not name.startswith("#"):  # MATLAB's own
                    shape = tuple(item.shape)[::-1] if hasattr(item, "shape") else ()
                    load = partial(_load_hdf5, h5py, path, name)
                    found[name] = StoredArray(shape, _kind_hdf5(item), load)
    except (OSError, RuntimeError, KeyError) as error:
        raise FileError(path, "be a whole mat file", said(error)) from None
    return found


def _kind_hdf5(item: Any) -> str:
    said = item.attrs.get("MATLAB_class", b"")
    what = said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)
    if not hasattr(item, "dtype"):
        return _kind(what if what not in _NUMBERS and what else "struct")
    if item.attrs.get("MATLAB_empty", 0):
        return "an empty array"
    if what and what not in _NUMBERS:
        return _kind(what)
    plain = item.dtype.kind in "biufc" or set(item.dtype.names or ()) == {"real", "imag"}
    return "numbers" if plain else f"the type {item.dtype}"


def _load_hdf5(h5py: Any, path: Path, name: str) -> np.ndarray:
    try:
        with h5py.File(path, "r") as file:
            values = file[name][()]
    except (OSError, RuntimeError, KeyError) as error:
        raise FileError(path, f"hold all of {name}", said(error)) from None
    if values.dtype.names:
        values = values["real"] + 1j * values["imag"]
    return values.T  # MATLAB counts columns first
