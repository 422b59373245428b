"""What a reference file holds, and the error of other fields at its points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pinn_ext.checks import ArgumentError

_SAME_TIME = 1e-9  # of the largest time: files hold times with ten digits and more


@dataclass(frozen=True)
class ReferenceData:
    """Fields u and v at positions and times; all in the units of the file, float64.

    Where the points are the same at all times, fields are `[T, N]`, times ascend and points keep
    the file's order. Where they are not, everything is a list of M samples.

    Attributes:
        x: positions `[N, d]`, or `[M, d]` of samples.
        t: times `[T]`, ascending and all different, or `[M]` of samples.
        u: first field `[T, N]`, or `[M]`.
        v: second field `[T, N]`, or `[M]`.
        source: path of the file.
        columns: what the file calls each of x, y, z, t, u and v that was taken.
        notes: what was done to the data on the way, and units, a sentence each.

    Example:
        >>> x, t = np.linspace(0, 1, 5)[:, None], np.array([0.0, 0.5])
        >>> data = ReferenceData(x, t, u=np.zeros((2, 5)), v=np.ones((2, 5)))
        >>> data.dimension, data.covers([0.25]), data.outside([0.25, 2.0]).tolist()
        (1, True, [2.0])
        >>> data.at([0.5]).u.shape, [part.shape for part in data.samples()]
        ((1, 5), [(10, 1), (10,), (10, 2)])
        >>> data.scattered, data.times.tolist()
        (False, [0.0, 0.5])
    """

    x: np.ndarray
    t: np.ndarray
    u: np.ndarray
    v: np.ndarray
    source: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def dimension(self) -> int:
        """Number of space dimensions d."""
        return self.x.shape[1]

    @property
    def scattered(self) -> bool:
        """Whether the points are not the same at all times."""
        return self.u.ndim == 1

    @property
    def times(self) -> np.ndarray:
        """All times `[T]`, ascending and different."""
        return np.unique(self.t)

    def outside(self, times: ArrayLike) -> np.ndarray:
        """Return those of some times that lie before the first or after the last one.

        Args:
            times: `[K]` or one number.

        Returns:
            The times outside, in their order.
        """
        asked = np.atleast_1d(np.asarray(times, dtype=np.float64))
        low, high = self.t.min(), self.t.max()
        slack = _SAME_TIME * max(abs(low), abs(high))
        return asked[~((asked >= low - slack) & (asked <= high + slack))]

    def covers(self, times: ArrayLike) -> bool:
        """Return whether all of some times lie between the first and the last one."""
        return not len(self.outside(times))

    def at(self, times: ArrayLike) -> ReferenceData:
        """Return the data at some of its times; nothing is interpolated.

        Args:
            times: `[K]` or one number, each within 1e-9 of the largest time of one in the file.

        Returns:
            The same with these times alone, ascending.

        Raises:
            ArgumentError: if one is not there; the message says which are nearest to it.
        """
        asked = np.unique(np.asarray(times, dtype=np.float64))
        if not len(asked) or not np.isfinite(asked).all():
            raise ArgumentError("times", "be finite numbers", times)
        there = self.times
        nearest = there[np.abs(there[None] - asked[:, None]).argmin(axis=1)]
        far = np.abs(nearest - asked) > _SAME_TIME * np.abs(there).max()
        if far.any():
            first = int(far.argmax())
            wanted = f"be of the {len(there)} times of the file, {there[0]:g} to {there[-1]:g}"
            raise ArgumentError("times", wanted, f"{asked[first]:g}, nearest to {nearest[first]:g}")
        kept = np.isin(self.t, nearest)
        x = self.x[kept] if self.scattered else self.x
        return replace(self, x=x, t=self.t[kept], u=self.u[kept], v=self.v[kept])

    def samples(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return all data as a list: positions `[M, d]`, times `[M]` and u, v `[M, 2]`.

        Of fields `[T, N]` all points at the first time come first.
        """
        fields = np.stack([self.u.ravel(), self.v.ravel()], axis=1)
        if self.scattered:
            return self.x, self.t, fields
        count, points = self.u.shape
        return np.tile(self.x, (count, 1)), np.repeat(self.t, points), fields


class FieldErrors(NamedTuple):
    """Relative L2 errors, dimensionless.

    Attributes:
        u: of the first field.
        v: of the second field.
        joint: of both together.

    Example:
        >>> u, v = np.array([[3.0]]), np.array([[4.0]])
        >>> errors = field_errors(ReferenceData(np.zeros((1, 1)), np.zeros(1), u, v), [[3.0, 5.0]])
        >>> errors.u, errors.v, errors.joint
        (0.0, 0.25, 0.2)
    """

    u: float
    v: float
    joint: float


def field_errors(reference: ReferenceData, fields: ArrayLike) -> FieldErrors:
    """Return how far fields are from a reference, at all its points and times.

    With sums over all samples i, each counted once,

        e_u = sqrt(sum (U_i - u_i)^2) / sqrt(sum u_i^2),   e_v alike,
        e_joint = sqrt(sum (U_i - u_i)^2 + (V_i - v_i)^2) / sqrt(sum u_i^2 + v_i^2),

    where U, V are the given fields and u, v the reference. Points are not weighted by the area
    around them: a file that is denser somewhere counts more there.

    Args:
        reference: what is taken for the truth.
        fields: u and v `[M, 2]` at `reference.samples()`.

    Returns:
        The three errors; infinite, or NaN for zeros, where the reference is 0 everywhere.

    Raises:
        ArgumentError: if the fields have another shape.

    >>> u, v = np.array([[3.0]]), np.array([[4.0]])
    >>> field_errors(ReferenceData(np.zeros((1, 1)), np.zeros(1), u, v), [[3.0, 5.0]])
    FieldErrors(u=0.0, v=0.25, joint=0.2)
    """
    wanted = reference.samples()[2]
    given = np.asarray(fields, dtype=np.float64)
    if given.shape != wanted.shape:
        raise ArgumentError("fields", f"have shape {list(wanted.shape)}", list(given.shape))
    difference, size = np.linalg.norm(given - wanted, axis=0), np.linalg.norm(wanted, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = difference / size
        joint = np.divide(np.hypot(*difference), np.hypot(*size))
    return FieldErrors(float(each[0]), float(each[1]), float(joint))
