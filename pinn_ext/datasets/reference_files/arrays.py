"""From named arrays, as npz and mat files hold them, to fields: which axis is which.

Files of this kind agree on little but the names: times `[T]`, `[T, 1]` or `[1, T]`; positions as
one array an axis, as grids of the fields' shape or as points `[N, d]`; fields with the time first
or last. The order of a field's axes follows from their lengths. Where it does not, as two lengths
are the same, nothing is guessed: the user says it, `columns={"u": "usol[t,x,y]"}`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.outside_files import FileError, check_count
from pinn_ext.datasets.reference_files.data import ReferenceData
from pinn_ext.datasets.reference_files.names import (
    AXES,
    FIELDS,
    check_told,
    complex_names,
    find,
    lacking,
)
from pinn_ext.datasets.reference_files.samples import Samples, check_dimension, check_finite, steady

_AXES_TOLD = re.compile(r"(?P<name>.*\S)\s*\[\s*(?P<axes>[xyzt](?:\s*,\s*[xyzt])*)\s*\]")


@dataclass(frozen=True)
class StoredArray:
    """An array of a file that is read when it is asked for.

    Attributes:
        shape: as stored, without a look at the numbers.
        kind: `"numbers"`, or what else it holds: `"a struct"`.
        load: reads it.
    """

    shape: tuple[int, ...]
    kind: str
    load: Callable[[], np.ndarray]


def read_arrays(
    path: Path,
    arrays: Mapping[str, StoredArray],
    columns: object,
    dimension: int | None,
    time: float | None,
) -> ReferenceData:
    """Return the fields of a file of named arrays.

    Args:
        path: of the file, for messages.
        arrays: that it holds.
        columns: as in `read_reference`.
        dimension: as in `read_reference`.
        time: as in `read_reference`.

    Raises:
        FileError: if an array is missing, holds no finite numbers, or does not fit the others.
    """
    told, axes = _split_told(check_told(columns))
    found = find(path, list(arrays), told, optional=FIELDS)
    fields = _fields(path, arrays, found)
    if "x" not in found:
        raise FileError(path, *lacking(["x"], list(arrays)))
    x = [numbers_of(path, arrays, found[role]) for role in AXES if role in found]
    if list(found)[: len(x)] != list(AXES[: len(x)]):
        raise FileError(path, *lacking(["y"], list(arrays)))
    if "t" in found:
        t = numbers_of(path, arrays, found["t"])
    elif time is not None:
        t = np.array([float(time)])
    else:
        raise FileError(path, *lacking(["t"], list(arrays)))
    layout = _Layout(path, found, x, t, fields, axes, dimension)
    return layout.samples() if layout.listed else layout.steady()


def _split_told(told: Mapping[str, str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return told names without their axes, and the axes: `"usol[t,x]"`."""
    names, axes = dict(told), {}
    for role in FIELDS:
        match = _AXES_TOLD.fullmatch(told.get(role, ""))
        if match:
            names[role] = match["name"]
            axes[role] = [axis.strip() for axis in match["axes"].split(",")]
            if len(set(axes[role])) < len(axes[role]):
                raise ArgumentError("columns", f"name each axis of {role} once", told[role])
    return names, axes


def _fields(
    path: Path, arrays: Mapping[str, StoredArray], found: dict[str, str]
) -> dict[str, np.ndarray]:
    """Return u and v; of a complex array they are its parts. `found` gets the names."""
    if "u" not in found:
        able = [name for name in complex_names(arrays) if arrays[name].kind == "numbers"]
        able = [name for name in able if np.iscomplexobj(numbers_of(path, arrays, name))]
        if len(able) != 1:
            raise FileError(path, *lacking([r for r in FIELDS if r not in found], list(arrays)))
        found["u"] = able[0]
    u = numbers_of(path, arrays, found["u"])
    if "v" not in found:
        if not np.iscomplexobj(u):
            raise FileError(path, *lacking(["v"], list(arrays)))
        found["v"] = found["u"]
        return {"u": u.real, "v": u.imag}
    parts = {"u": u, "v": numbers_of(path, arrays, found["v"])}
    if found["u"] == found["v"] and np.iscomplexobj(u):
        return {"u": u.real, "v": u.imag}
    for role, values in parts.items():
        if np.iscomplexobj(values):
            if values.imag.any():
                raise FileError(path, f"hold real numbers for {role}", f"complex {found[role]}")
            parts[role] = values.real
    return parts


def numbers_of(path: Path, arrays: Mapping[str, StoredArray], name: str) -> np.ndarray:
    """Return an array of a file in float64, or complex128.

    Args:
        path: of the file, for messages.
        arrays: that it holds.
        name: of one of them.

    Raises:
        FileError: if it holds no finite numbers, or too many.
    """
    stored = arrays[name]
    if stored.kind != "numbers":
        raise FileError(path, f"hold numbers for {name}", stored.kind)
    check_count(path, name, int(np.prod(stored.shape, dtype=object)))
    values = stored.load()
    values = values.astype(np.complex128 if np.iscomplexobj(values) else np.float64)

    def where(index: int, _: int) -> str:
        place = np.unravel_index(index, values.shape) if values.ndim else ()
        return f"{name}{[int(k) for k in place]}"

    if not values.size:
        raise FileError(path, f"hold numbers for {name}", "none")
    check_finite(path, values.reshape(-1, 1), where)
    return values


def _lengths(shape: Sequence[int]) -> list[int]:
    return [length for length in shape if length != 1]


@dataclass
class _Layout:
    """Positions, times and fields, and how they belong together."""

    path: Path
    found: Mapping[str, str]
    x: list[np.ndarray]
    t: np.ndarray
    fields: Mapping[str, np.ndarray]
    axes: Mapping[str, list[str]]
    dimension: int | None

    @property
    def listed(self) -> bool:
        """Whether positions, times and fields all have one shape, so that they are samples."""
        shapes = [part.squeeze().shape for part in (*self.x, self.t, *self.fields.values())]
        points = self.x[0]
        if len(self.x) == 1 and points.ndim == 2 and 1 < points.shape[1] <= 3:
            shapes[0] = points[:, 0].shape  # samples of points [M, d]
        return not self.axes and len(set(shapes)) == 1

    def samples(self) -> ReferenceData:
        """Return the fields of single samples."""
        if len(self.x) == 1 and self.x[0].squeeze().shape != self.t.squeeze().shape:
            x = self.x[0]
        else:
            x = np.stack([part.ravel() for part in self.x], axis=1)
        check_dimension(self.path, x.shape[1], self.dimension)
        fields = np.stack([self.fields[role].ravel() for role in FIELDS], axis=1)

        def where(index: int) -> str:
            return f"sample {index}"

        return Samples(self.path, x, self.t.ravel(), fields, where, self.found).data()

    def steady(self) -> ReferenceData:
        """Return the fields of points that are the same at all times."""
        if len(_lengths(self.t.shape)) > 1:
            got = f"shape {list(self.t.shape)}"
            raise FileError(self.path, f"hold times [T] or samples for {self.found['t']}", got)
        t = self.t.ravel()
        points, space, fixed = self._points()
        check_dimension(self.path, points.shape[1], self.dimension)
        ordered = [
            self._ordered(role, {"t": len(t), **space}, fixed).reshape(len(t), -1)
            for role in FIELDS
        ]
        fields = np.stack(ordered)

        def where(index: int) -> str:
            return f"point {index}"

        return steady(self.path, points, t, fields, where, self.found)

    def _points(self) -> tuple[np.ndarray, dict[str, int], bool]:
        """Return points `[N, d]`, the axes they lie on, and whether the order of these is given."""
        first = self.x[0]
        dims = [len(_lengths(part.shape)) for part in self.x]
        if len(self.x) == 1 and dims[0] == 2:
            flat: np.ndarray = first.reshape(_lengths(first.shape))
            points = flat if flat.shape[1] <= 3 or flat.shape[0] > 3 else flat.T
            if points.shape[1] > 3:
                got = f"shape {list(first.shape)}"
                raise FileError(self.path, f"hold points [N, d] for {self.found['x']}", got)
            return points, {"x": len(points)}, True
        if len({part.squeeze().shape for part in self.x}) == 1 and (
            max(dims) > 1 or (len(self.x) > 1 and not self._is_grid())
        ):
            shape = first.squeeze().shape
            names = AXES if len(shape) <= 3 else ()
            space = dict(zip(names, shape, strict=False)) or {"x": first.size}
            return np.stack([part.ravel() for part in self.x], axis=1), space, True
        if max(dims) > 1:
            got = " and ".join(str(list(part.shape)) for part in self.x)
            raise FileError(self.path, "hold an axis or a grid for each coordinate", got)
        axes = [part.ravel() for part in self.x]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
        space = {role: len(axis) for role, axis in zip(AXES, axes, strict=False)}
        return grid, space, False

    def _is_grid(self) -> bool:
        """Whether the fields have a value for each pair of x and y, and not for each point."""
        count = int(np.prod([part.size for part in self.x], dtype=object))
        return self.fields["u"].size == count * self.t.size

    def _ordered(self, role: str, axes: Mapping[str, int], fixed: bool) -> np.ndarray:
        """Return a field with the time first and then the axes of space, in the points' order.

        Args:
            role: u or v.
            axes: lengths of t and of the axes of space.
            fixed: whether the axes of space follow each other as in `axes`.

        Raises:
            FileError: if it has other axes, or their order does not follow from their lengths.
        """
        values, name = self.fields[role], self.found[role]
        lengths = _lengths(values.shape)
        wanted = [axis for axis in axes if axes[axis] != 1]
        space = [axis for axis in wanted if axis != "t"]
        orders = [
            order
            for order in itertools.permutations(wanted)
            if [axes[axis] for axis in order] == lengths
            and (not fixed or [axis for axis in order if axis != "t"] == space)
        ]
        if role in self.axes:
            told = [axis for axis in self.axes[role] if axes.get(axis, 1) != 1]
            orders = [order for order in orders if list(order) == told]
        sizes = ", ".join(f"{axis} {length}" for axis, length in axes.items())
        if not orders:
            said = f"[{', '.join(self.axes[role])}]" if role in self.axes else ""
            fit = f"have axes of {name}{said} as long as {sizes}"
            raise FileError(self.path, fit, f"shape {list(values.shape)}")
        if len(orders) > 1:
            able = " or ".join(f"{name}[{','.join(order)}]" for order in orders[:2])
            fit = f"be told the axes of {name} by `columns`, as {able}, as two have one length"
            raise FileError(self.path, fit, f"shape {list(values.shape)}")
        moved = values.reshape(lengths).transpose([orders[0].index(axis) for axis in wanted])
        return moved
