"""Fields in files of other programs: npz, CSV, VTU; each whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import quoteattr

import numpy as np

from pinn_ext.datasets.outside_files import optional, plural
from pinn_ext.datasets.reference_files.names import AXES
from pinn_ext.files import RunError, replacing, shortened
from pinn_ext.program.trained.places import targets
from pinn_ext.program.trained.prediction import Prediction

_ROWS = 1 << 14  # rows of a table that are made into text at a time
_PIECES = """\
<?xml version="1.0"?>
<VTKFile type="Collection" version="0.1" byte_order="LittleEndian">
  <Collection>
{}
  </Collection>
</VTKFile>
"""


def write(prediction: Prediction, path: Path) -> str:
    """Write fields into a file, or into one for each time and one that lists them.

    `.npz` has x `[N, d]`, t `[T]`, u and v `[T, N]`; `.csv` a row for each time and point, numbers
    as `repr` gives them, which are read back as they were; `.vtu` the points with their cells.

    Args:
        prediction: points, times and fields.
        path: of the file; its ending says the format.

    Returns:
        What was written, one sentence.

    Raises:
        RunError: if it cannot be written; then no file is new and none is changed.
        ValueError: if meshio is needed and not installed.
    """
    files = targets(path, len(prediction.t))
    try:
        {".npz": _write_npz, ".csv": _write_csv, ".vtu": _write_vtu}[path.suffix.lower()](
            prediction, files
        )
    except OSError as error:
        raise RunError(f"{shortened(path)} cannot be written ({error.strerror}).") from error
    what = (
        f"u and v at {plural(len(prediction.at.x), 'point')} and "
        f"{plural(len(prediction.t), 'time')}"
    )
    if len(files) == 1:
        return f"Written: {path} ({what})."
    return f"Written: {files[-1]} and {files[0].name} to {files[-2].name} ({what})."


def _write_npz(prediction: Prediction, files: list[Path]) -> None:
    with _all_new(files) as (part,), part.open("wb") as file:
        np.savez(file, x=prediction.at.x, t=prediction.t, u=prediction.u, v=prediction.v)


def _write_csv(prediction: Prediction, files: list[Path]) -> None:
    with _all_new(files) as (part,), part.open("w", encoding="utf-8") as file:
        file.write(",".join((*AXES[: prediction.at.x.shape[1]], "t", "u", "v")) + "\n")
        for time, u, v in zip(prediction.t, prediction.u, prediction.v, strict=True):
            for start in range(0, len(u), _ROWS):
                rows = slice(start, start + _ROWS)
                _write_rows(file, prediction.at.x[rows], float(time), u[rows], v[rows])


def _write_rows(file: IO[str], x: np.ndarray, time: float, u: np.ndarray, v: np.ndarray) -> None:
    columns = [*x.T.tolist(), [time] * len(u), u.tolist(), v.tolist()]
    file.writelines(",".join(map(repr, row)) + "\n" for row in zip(*columns, strict=True))


def _write_vtu(prediction: Prediction, files: list[Path]) -> None:
    meshio = optional("meshio", ".vtu files")
    at = prediction.at
    points = np.zeros((len(at.x), 3))
    points[:, : at.x.shape[1]] = at.x
    with _all_new(files) as parts:
        for row, part in enumerate(parts[: len(prediction.t)]):
            data = {"u": prediction.u[row], "v": prediction.v[row]}
            mesh = meshio.Mesh(points, [(at.kind, at.cells)], point_data=data)
            mesh.write(str(part), file_format="vtu")
        if len(parts) > len(prediction.t):
            parts[-1].write_text(_listed(prediction.t, files), encoding="utf-8")


def _listed(times: Any, files: list[Path]) -> str:
    """Return the .pvd that says which file has which time."""
    lines = [
        f'    <DataSet timestep="{float(time)!r}" part="0" file={quoteattr(file.name)}/>'
        for time, file in zip(times, files, strict=False)
    ]
    return _PIECES.format("\n".join(lines))


@contextlib.contextmanager
def _all_new(files: list[Path]) -> Iterator[list[Path]]:
    """Give a new file for each name, which they take once all are whole, the last name last."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(replacing(file)) for file in reversed(files)][::-1]
