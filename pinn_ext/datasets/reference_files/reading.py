"""The reader of a file by the ending of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.datasets.outside_files import check_file
from pinn_ext.datasets.reference_files.arrays import read_arrays
from pinn_ext.datasets.reference_files.data import ReferenceData
from pinn_ext.datasets.reference_files.mat import mat_arrays
from pinn_ext.datasets.reference_files.npz import npz_arrays
from pinn_ext.datasets.reference_files.series import read_series
from pinn_ext.datasets.reference_files.tables import read_text

_Reader: TypeAlias = Callable[[Path, object, "int | None", "float | None"], ReferenceData]


def _read_npz(
    path: Path, columns: object, dimension: int | None, time: float | None
) -> ReferenceData:
    return read_arrays(path, npz_arrays(path), columns, dimension, time)


def _read_mat(
    path: Path, columns: object, dimension: int | None, time: float | None
) -> ReferenceData:
    return read_arrays(path, mat_arrays(path), columns, dimension, time)


_READERS: dict[str, _Reader] = {
    ".npz": _read_npz,
    ".mat": _read_mat,
    **dict.fromkeys((".csv", ".tsv", ".txt", ".dat"), read_text),
    **dict.fromkeys((".vtu", ".vtk", ".pvd", ".xdmf", ".xmf"), read_series),
}
ENDINGS = tuple(_READERS)
"""Endings of the names of files that can be read."""


def read_reference(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    dimension: int | None = None,
    time: float | None = None,
) -> ReferenceData:
    """Read fields u and v that were computed or measured elsewhere.

    The ending of the name says what the file is: npz, mat (also MATLAB 7.3); csv, tsv, txt, dat
    (tables, and COMSOL's export); vtu, vtk, pvd, xdmf, xmf by meshio, `run_*.vtu` for files with
    numbers in their names. Units are taken as they are.

    Args:
        path: of the file.
        columns: what the file calls x, y, z, t, u or v, for those that it does not call so. For
            arrays the order of their axes may follow, `{"u": "usol[t,x]"}`; for a table that names
            no columns, their numbers from 1; for COMSOL's parameters, the value to take,
            `{"k": "2"}`.
        dimension: number of space dimensions that there must be; None takes what is there.
        time: of fields in a file that states none; None refuses such a file.

    Returns:
        Positions, times and fields in float64.

    Raises:
        ArgumentError: if an argument is wrong or the file does not fit, in one sentence that names
            the line, the column, the array or the file.
        ValueError: if the file needs a package that is not installed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "measured.csv")
        ...     _ = file.write_text(chr(10).join(["x,t,u,speed", "0,0,1,3", "1,0,2,4"]))
        ...     data = read_reference(file, columns={"v": "speed"})
        >>> data.u.tolist(), data.v.tolist()
        ([[1.0, 2.0]], [[3.0, 4.0]])
    """
    if dimension is not None:
        check_number("dimension", dimension, 1, 3, integer=True)
    if time is not None:
        check_number("time", time)
    path = Path(path) if isinstance(path, (str, Path)) and str(path) else check_file(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        wanted = f"end in one of {', '.join(ENDINGS)}"
        raise ArgumentError("path", wanted, f"{path.suffix!r} of {path.name}")
    if not ("*" in path.name and read is read_series):
        check_file(path)
    return read(path, columns, dimension, time)
