"""Tables and lists of samples, put into shape: sorted, without duplicates, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pinn_ext.datasets.outside_files import FileError, plural
from pinn_ext.datasets.reference_files.data import ReferenceData

_SAME_VALUE = 1e-9  # of a field's largest value: exports write a node twice with other last digits


@dataclass(frozen=True)
class Samples:
    """Fields at positions and times as a file lists them, finite, in any order.

    Attributes:
        path: of the file.
        x: positions `[M, d]`.
        t: times `[M]`.
        fields: u and v `[M, 2]`.
        where: says where a sample stands in the file: `"line 12"`.
        columns: what the file calls what was taken.
        notes: so far.
    """

    path: Path
    x: np.ndarray
    t: np.ndarray
    fields: np.ndarray
    where: Callable[[int], str]
    columns: Mapping[str, str]
    notes: Sequence[str] = ()

    def data(self) -> ReferenceData:
        """Return the samples as fields `[T, N]` where all times have the same points.

        Raises:
            FileError: if a point stands there twice at one time, with other values.
        """
        alone, notes = self._without_duplicates()
        times, count = np.unique(alone.t, return_counts=True)
        source, columns = str(self.path), dict(self.columns)
        order = np.lexsort((*alone.x.T[::-1], alone.t))
        if len(times) * count[0] == len(order) and (count == count[0]).all():
            x = alone.x[order].reshape(len(times), count[0], -1)
            if (x == x[0]).all():
                kept = order[: count[0]].argsort()  # as the file has them at the first time
                fields = alone.fields[order].reshape(len(times), count[0], 2)[:, kept]
                u, v = np.ascontiguousarray(fields.transpose(2, 0, 1))
                return ReferenceData(x[0, kept], times, u, v, source, columns, notes)
        notes = (*notes, "The points are not the same at all times: the data are single samples.")
        u, v = np.ascontiguousarray(alone.fields.T)
        return ReferenceData(alone.x, alone.t, u, v, source, columns, notes)

    def _without_duplicates(self) -> tuple[Samples, tuple[str, ...]]:
        keys = np.concatenate([self.x, self.t[:, None]], axis=1) + 0.0  # -0.0 is 0.0
        order = np.lexsort(keys.T)
        again = np.zeros(len(order), dtype=bool)
        again[1:] = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
        if not again.any():
            return replace(self, x=keys[:, :-1], t=keys[:, -1]), tuple(self.notes)
        first = order[np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))]
        apart = np.abs(self.fields[order] - self.fields[first])
        wrong = (apart > _SAME_VALUE * np.abs(self.fields).max(axis=0)).any(axis=1)
        if wrong.any():
            which = int(wrong.argmax())
            at = ", ".join(f"{value:g}" for value in keys[order[which]])
            places = " and ".join(self.where(int(k)) for k in (first[which], order[which]))
            raise FileError(
                self.path,
                "have one value of u and v at each point and time",
                f"two that differ at ({at}), {places},",
            )
        kept = np.sort(order[~again])
        note = f"{plural(int(again.sum()), 'sample')} that stood there twice were taken once."
        alone = replace(self, x=keys[kept, :-1], t=keys[kept, -1], fields=self.fields[kept])
        return alone, (*self.notes, note)


def steady(
    path: Path,
    x: np.ndarray,
    t: np.ndarray,
    fields: np.ndarray,
    where: Callable[[int], str],
    columns: Mapping[str, str],
    notes: Sequence[str] = (),
) -> ReferenceData:
    """Return fields at points that are the same at all times, as `ReferenceData`.

    Args:
        path: of the file.
        x: positions `[N, d]`.
        t: times `[T]`, in any order.
        fields: u and v `[2, T, N]`.
        where: says where a point stands in the file.
        columns: what the file calls what was taken.
        notes: so far.

    Raises:
        FileError: if two times are the same, or a point stands there twice with other values.
    """
    order = np.argsort(t, kind="stable")
    same = np.flatnonzero(np.diff(t[order]) == 0)
    if same.size:
        first = t[order][same[0]]
        raise FileError(path, "have times that are all different", f"{first:g} twice")
    if not (order == np.arange(len(t))).all():
        notes = (*notes, "The times were not sorted.")
    count = len(t)
    one = Samples(path, x, np.zeros(len(x)), np.zeros((len(x), 2)), where, columns)
    if len(np.unique(x + 0.0, axis=0)) == len(x):
        u, v = np.ascontiguousarray(fields[:, order])
        return ReferenceData(x + 0.0, t[order], u, v, str(path), dict(columns), tuple(notes))
    # Rare, and then the samples of all times are compared.
    listed = replace(
        one,
        x=np.tile(x, (count, 1)),
        t=np.repeat(t[order], len(x)),
        fields=fields[:, order].reshape(2, -1).T,
        where=lambda k: where(k % len(x)),
        notes=notes,
    )
    return listed.data()


def check_dimension(path: Path, found: int, dimension: int | None) -> None:
    """Refuse data in another number of space dimensions than asked for."""
    if dimension is not None and found != dimension:
        wanted = f"have positions in {plural(dimension, 'dimension')}"
        raise FileError(path, wanted, plural(found, "coordinate"))


def check_finite(path: Path, values: np.ndarray, where: Callable[[int, int], str]) -> None:
    """Refuse NaN and infinity.

    Args:
        path: of the file.
        values: `[M, C]`.
        where: says where a row and a column stand in the file.

    Raises:
        FileError: if there is one; the first place is named.
    """
    wrong = ~np.isfinite(values)
    if wrong.any():
        row, column = (int(k[0]) for k in wrong.nonzero())
        more = plural(int(wrong.sum()), "such number")
        raise FileError(
            path,
            "hold finite numbers",
            f"{values[row, column]} in {where(row, column)} ({more} in all)",
        )
