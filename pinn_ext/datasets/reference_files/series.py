"""Fields on the points of meshes, a file or a step a time: VTU, VTK, PVD and XDMF, by meshio."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pinn_ext.datasets.meshes.meshio_files import check_sizes, read_quietly, refusing_damage
from pinn_ext.datasets.outside_files import FileError, check_count, check_file, optional
from pinn_ext.datasets.reference_files.data import ReferenceData
from pinn_ext.datasets.reference_files.names import (
    AXES,
    FIELDS,
    check_told,
    find,
    lacking,
    listed,
)
from pinn_ext.datasets.reference_files.samples import (
    Samples,
    check_dimension,
    check_finite,
    steady,
)

_FLAT = 1e-12  # of the largest extent
_TIME = re.compile(
    rb'<DataArray[^>]*Name="(?:TimeValue|TIME)"[^>]*>\s*([-+0-9.eE]+)|TIME 1 1 \w+\s+([-+0-9.eE]+)'
)
_NUMBER = re.compile(r"(\d+)\D*$")


class Step(NamedTuple):
    """Fields at one time.

    Attributes:
        path: of the file that holds them.
        time: None where the file states none.
        points: `[N, 1 to 3]`.
        data: fields at the points `[N]` or `[N, k]`.
        cells: names of fields at the cells, for messages.
    """

    path: Path
    time: float | None
    points: np.ndarray
    data: Mapping[str, np.ndarray]
    cells: tuple[str, ...]


def read_series(
    path: Path, columns: object, dimension: int | None, time: float | None
) -> ReferenceData:
    """Return the fields of a file, or of the files that it lists; arguments as in `read_reference`.

    Components of a vector are called `velocity[0]`, `velocity[1]`. Coordinates at the end that are
    the same at all points, as these formats always have three, are left out.
    """
    told = {key: name for key, name in check_told(columns).items() if key in FIELDS}
    steps = list(_taken(path, told, time))
    found, axes = steps[0][0], steps[0][1].shape[1]
    count = _dimension(path, steps[0][1], dimension) if axes else 0
    check_dimension(path, count, dimension)
    t = np.array([step[2] for step in steps])
    x = [_flat(path, step[1], count) for step in steps]
    fields = [step[3] for step in steps]

    def where(index: int) -> str:
        return f"point {index}"

    columns_taken = {**{role: role for role in AXES[:count]}, **found}
    if all(np.array_equal(x[0], other) for other in x[1:]):
        return steady(path, x[0], t, np.stack(fields, axis=1), where, columns_taken)
    lengths = [len(part) for part in x]
    listed_fields = np.concatenate(fields, axis=1).T
    times = np.repeat(t, lengths)
    return Samples(path, np.concatenate(x), times, listed_fields, where, columns_taken).data()


def _taken(
    path: Path, told: Mapping[str, str], time: float | None
) -> Iterator[tuple[dict[str, str], np.ndarray, float, np.ndarray]]:
    """Yield names, points, time and fields `[2, N]` of each step, checked."""
    total = 0
    for step in _steps(path):
        parts = _components(step.data)
        if step.cells and not set(FIELDS) <= {*told, *find(step.path, [*parts], {}, FIELDS)}:
            wanted = "hold u and v at the points"
            raise FileError(step.path, wanted, f"{listed(step.cells)} at the cells")
        found = find(step.path, list(parts), told)
        at = time if step.time is None else step.time
        if at is None:
            raise FileError(step.path, *lacking(["t"], ["no TimeValue", *parts]))
        fields = np.stack([np.asarray(parts[found[role]], dtype=np.float64) for role in FIELDS])
        names = [found[role] for role in FIELDS]
        check_finite(step.path, fields.T, partial(_place, names))
        points = np.asarray(step.points, dtype=np.float64)
        check_finite(step.path, points, partial(_place, AXES))
        total += points.size + fields.size
        check_count(path, "its steps", total)
        yield found, points, float(at), fields


def _place(names: Sequence[str], row: int, column: int) -> str:
    return f"{names[column]} of point {row}"


def _components(data: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    parts = {}
    for name, values in data.items():
        flat = np.asarray(values).reshape(len(values), -1)
        if flat.shape[1] == 1:
            parts[name] = flat[:, 0]
        else:
            parts.update({f"{name}[{k}]": flat[:, k] for k in range(flat.shape[1])})
    return parts


def _dimension(path: Path, points: np.ndarray, dimension: int | None) -> int:
    """Return how many coordinates are left without those at the end that are constant."""
    extent = np.ptp(points, axis=0)
    varying = np.flatnonzero(extent > _FLAT * extent.max())
    found = int(varying.max()) + 1 if varying.size else 1
    return max(found, min(dimension or 1, points.shape[1]))


def _flat(path: Path, points: np.ndarray, count: int) -> np.ndarray:
    check_dimension(path, _dimension(path, points, count), count)
    return np.ascontiguousarray(points[:, :count])


def _steps(path: Path) -> Iterator[Step]:
    suffix = path.suffix.lower()
    if "*" in path.name:
        yield from (_file(each) for each in _numbered(path))
    elif suffix == ".pvd":
        yield from (_file(each)._replace(time=time) for time, each in _of_pvd(path))
    elif suffix in (".xdmf", ".xmf") and _is_series(path):
        yield from _of_xdmf(path)
    else:
        yield _file(path)


def _file(path: Path) -> Step:
    mesh = read_quietly(check_file(path))
    with path.open("rb") as file:
        match = _TIME.search(file.read(1 << 16))
    time = float(next(filter(None, match.groups()))) if match else None
    return Step(path, time, mesh.points, mesh.point_data, tuple(mesh.cell_data))


def _numbered(pattern: Path) -> list[Path]:
    """Return the files of a pattern such as `run_*.vtu`, by the last number in their names."""
    found = {each: _NUMBER.search(each.stem) for each in pattern.parent.glob(pattern.name)}
    numbered = {each: int(match[1]) for each, match in found.items() if match}
    if not numbered:
        raise FileError(pattern, "stand for files with numbers in their names", "none")
    return sorted(numbered, key=lambda each: (numbered[each], each.name))


def _root(path: Path) -> ET.Element:
    try:
        return ET.fromstring(path.read_bytes())
    except (ET.ParseError, ValueError, LookupError) as error:
        raise FileError(path, "be whole XML", f"{error}") from None


def _of_pvd(path: Path) -> list[tuple[float, Path]]:
    """Return times and files that ParaView's collection lists."""
    found: list[tuple[float, Path]] = []
    for item in _root(path).iter("DataSet"):
        name, said = item.get("file"), item.get("timestep")
        try:
            time = float(said)  # type: ignore[arg-type]  # None is told like other text
        except (TypeError, ValueError):
            raise FileError(path, "have a timestep for each file", f"{said} for {name}") from None
        if not name:
            raise FileError(path, "name a file for each timestep", f"none at {time:g}")
        if any(time == other for other, _ in found):
            wanted = "list one file for each time, as pieces are not put together"
            raise FileError(path, wanted, f"two at {time:g}")
        found.append((time, path.parent / name))
    if not found:
        raise FileError(path, "list files with their times", "none")
    return found


def _is_series(path: Path) -> bool:
    grids = _root(path).iter("Grid")
    return any(grid.get("CollectionType") == "Temporal" for grid in grids)


def _of_xdmf(path: Path) -> Iterator[Step]:
    """Yield the steps of a temporal collection, whose mesh has to be the same at all times.

    meshio takes the first mesh for all steps, whatever these say.

    Yields:
        A step at a time.

    Raises:
        FileError: if there are no steps, or several meshes.
    """
    optional("meshio", "XDMF files")
    from meshio.xdmf import TimeSeriesReader

    check_sizes(path)
    _check_one_mesh(path)
    with refusing_damage(path, "xdmf"), TimeSeriesReader(path) as reader:
        points, _ = reader.read_points_cells()
        found: list[tuple[Any, ...]] = [reader.read_data(k) for k in range(reader.num_steps)]
    if not found:
        raise FileError(path, "hold steps in time", "none")
    for time, data, cells in found:
        yield Step(path, time, points, data, tuple(cells))


def _check_one_mesh(path: Path) -> None:
    texts = {
        " ".join((item.text or "").split())
        for geometry in _root(path).iter("Geometry")
        for item in geometry.iter("DataItem")
    }
    if len(texts) > 1:
        raise FileError(path, "have one mesh at all times", f"{len(texts)} different ones")
