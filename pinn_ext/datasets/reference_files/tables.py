"""From the columns of a table to fields: a row a sample, or a row a point and a column a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.outside_files import FileError, plural
from pinn_ext.datasets.reference_files.data import ReferenceData
from pinn_ext.datasets.reference_files.names import (
    AXES,
    FIELDS,
    Column,
    check_told,
    find,
    lacking,
    listed,
    units_note,
)
from pinn_ext.datasets.reference_files.samples import (
    Samples,
    check_dimension,
    check_finite,
    steady,
)
from pinn_ext.datasets.reference_files.text import Table, read_table


def read_text(
    path: Path, columns: object, dimension: int | None, time: float | None
) -> ReferenceData:
    """Return the fields of a text file; arguments as in `read_reference`."""
    table = read_table(path)
    heads = table.columns
    if heads is None:
        heads, table = _by_position(table, columns, dimension, time)
    parameters = list(dict.fromkeys(key for head in heads for key in head.at))
    told = check_told(columns, [key for key in parameters if key not in (*AXES, "t", *FIELDS)])
    read = _Wide if parameters else _Long
    return read(table, heads, told, dimension, time).data()


def _by_position(
    table: Table, columns: object, dimension: int | None, time: float | None
) -> tuple[list[Column], Table]:
    """Return heads of columns that have none: x, (y, z,) t, u, v, or numbers from 1 if told."""
    count = table.values.shape[1]
    if columns:
        return [Column(str(place)) for place in range(1, count + 1)], table
    no_time = time is not None and dimension is not None and count == dimension + 2
    found = count - 2 if no_time else count - 3
    wanted = "have columns x, t, u, v in this order, with y and z after x, where it names none"
    if not 1 <= found <= 3 or (dimension is not None and found != dimension):
        raise FileError(table.path, wanted, plural(count, "column"))
    names = [*AXES[:found], *(() if no_time else ("t",)), *FIELDS]
    note = f"The columns have no names and were taken for {', '.join(names)}."
    kept = Table(table.path, None, table.values, table.lines, (*table.notes, note))
    return [Column(name) for name in names], kept


@dataclass
class _Columns:
    """A table with the heads of its columns, and what the user said."""

    table: Table
    heads: list[Column]
    told: Mapping[str, str]
    dimension: int | None
    time: float | None

    def values(self, places: list[int]) -> np.ndarray:
        """Return columns `[R, C]`, all finite."""
        values = self.table.values[:, places]
        check_finite(
            self.table.path,
            values,
            lambda row, column: (
                f"line {self.table.lines[row]}, column {places[column] + 1} "
                f"({self.heads[places[column]].name})"
            ),
        )
        return values

    def where(self, row: int) -> str:
        return f"line {self.table.lines[row]}"

    def positions(self, found: Mapping[str, str], places: Mapping[str, int]) -> list[int]:
        axes = [role for role in AXES if role in found]
        if axes != list(AXES[: len(axes)]) or not axes:
            lost = next(role for role in AXES if role not in found)
            raise FileError(self.table.path, *lacking([lost], [head.name for head in self.heads]))
        check_dimension(self.table.path, len(axes), self.dimension)
        return [places[found[role]] for role in axes]

    def notes(self, used: list[int]) -> list[str]:
        units = {self.heads[place].name: self.heads[place].unit for place in used}
        return [*self.table.notes, *units_note(units)]


class _Long(_Columns):
    """A row a sample."""

    def data(self) -> ReferenceData:
        """Return the fields."""
        path, names = self.table.path, [head.name for head in self.heads]
        if twice := [name for name in names if names.count(name) > 1]:
            raise FileError(path, "have columns of different names", f"{twice[0]!r} twice")
        places = {name: place for place, name in enumerate(names)}
        found = find(path, names, self.told)
        axes = self.positions(found, places)
        used = [*axes, *(places[found[role]] for role in FIELDS)]
        if "t" in found:
            used.append(places[found["t"]])
        elif self.time is None:
            raise FileError(path, *lacking(["t"], names))
        values, count = self.values(used), len(axes)
        t = values[:, -1] if "t" in found else np.full(len(values), float(self.time or 0.0))
        fields = values[:, count : count + 2]
        notes = self.notes(used)
        return Samples(path, values[:, :count], t, fields, self.where, found, notes).data()


class _Wide(_Columns):
    """A row a point, and for each field a column at each value of a parameter, mostly the time."""

    def data(self) -> ReferenceData:
        """Return the fields."""
        path = self.table.path
        plain = {head.name: k for k, head in enumerate(self.heads) if not head.at}
        names = list(dict.fromkeys([*plain, *(head.name for head in self.heads)]))
        told = {key: name for key, name in self.told.items() if key in (*AXES, *FIELDS)}
        found = {key: name for key, name in find(path, names, told).items() if key != "t"}
        if stray := [found[role] for role in FIELDS if found[role] in plain]:
            raise FileError(
                path, "state the time of every column of u and v", f"none of {stray[0]}"
            )
        axes = self.positions(found, plain)
        key, notes = self._time_key([found[role] for role in FIELDS])
        places = {role: self._times(found[role], key) for role in FIELDS}
        times = list(places["u"])
        if sorted(times) != sorted(places["v"]):
            lone = sorted(set(times) ^ set(places["v"]))[0]
            wanted = f"have u and v at the same {key}"
            raise FileError(path, wanted, f"{key}={lone:g} for one of them")
        used = [*axes, *(places[role][t] for role in FIELDS for t in times)]
        values, count = self.values(used), len(axes)
        fields = values[:, count:].T.reshape(2, len(times), -1)
        taken = {**found, "t": key}
        notes = [*self.notes(used), *notes]
        x = values[:, :count]
        return steady(path, x, np.array(times), fields, self.where, taken, notes)

    def _time_key(self, names: list[str]) -> tuple[str, list[str]]:
        """Return which parameter is the time; columns at other values than told are dropped."""
        path = self.table.path
        own = [head for head in self.heads if head.name in names]
        legal = list(dict.fromkeys(key for head in own for key in head.at))
        for key, value in self.told.items():
            if key in legal and key != "t":
                at = [head.at[key] for head in own if key in head.at]
                if value not in at:
                    wanted = f"give {key} as one of {listed(at)}"
                    raise ArgumentError("columns", wanted, repr(value))
                self.heads = [
                    head if not head.at or head.at.get(key) == value else Column("", at=head.at)
                    for head in self.heads
                ]
        own = [head for head in self.heads if head.name in names]
        varying = [key for key in legal if len({head.at.get(key) for head in own}) > 1]
        if "t" in self.told and self.told["t"] not in legal:
            wanted = f"name t by one of {listed(legal)}"
            raise ArgumentError("columns", wanted, f"{self.told['t']!r} for {path.name}")
        default = "t" if "t" in legal else (varying or legal)[0]
        time = self.told.get("t", default)
        if others := [key for key in varying if key != time]:
            values = listed([head.at[others[0]] for head in own if others[0] in head.at])
            wanted = f"have one {others[0]}, or be told it by `columns`"
            raise FileError(path, wanted, values)
        notes = [] if time == "t" else [f"{time} was taken in the place of the time."]
        return time, notes

    def _times(self, name: str, key: str) -> dict[float, int]:
        """Return the columns of a field by time, in the file's order."""
        path = self.table.path
        found: dict[float, int] = {}
        for place, head in enumerate(self.heads):
            if head.name != name:
                continue
            try:
                time = float(head.at[key])
            except (KeyError, ValueError):
                got = f"{head.at.get(key, 'none')} in column {place + 1}"
                raise FileError(path, f"state {key} as a number for each {name}", got) from None
            if not np.isfinite(time) or time in found:
                got = f"{time:g} in column {place + 1}"
                got += f" as in column {found[time] + 1}" if time in found else ""
                raise FileError(path, f"have each {key} of {name} once", got)
            found[time] = place
        return found
