"""Explicit Runge-Kutta methods as data that checks itself."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

__all__ = ["HEUN", "RK4", "THREE_EIGHTHS", "Tableau", "names"]

Number = int | float | Fraction
_TOLERANCE = 1e-12
_ANGLES = 721  # half a degree over the left half plane's upper part, and a little more
_RADII = 1000  # places on each ray where the stability region is looked for, before bisection


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method `k_i = f(t + c_i h, y + h sum_j a_ij k_j)`, `y + h b k`.

    Butcher tableau: Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I (1993),
    eq. (II.1.8). The coefficients are dimensionless.

    Attributes:
        name: What users write.
        a: Row i holds `a_i1 … a_i,i-1`: row 0 is empty.
        b: Weight of each stage, of sum 1.
        c: Times of the stages, in units of the step: the row sums of `a`.
        last_use: The last stage that uses each stage's rates, or the stage itself.

    Raises:
        ValueError: If the rows do not have lengths 0, 1, 2, …, there is not one weight a stage, or
            the method is not consistent.

    Example:
        >>> RK4.order(), HEUN.order(), [float(c) for c in RK4.c]
        (4, 2, [0.0, 0.5, 0.5, 1.0])
        >>> RK4.stages, [round(number, 4) for number in RK4.polynomial]
        (4, [1.0, 1.0, 0.5, 0.1667, 0.0417])
        >>> HEUN.of_matrix(np.diag([-1.0, 0.0])).tolist()
        [[0.5, 0.0], [0.0, 1.0]]
    """

    name: str
    a: tuple[tuple[Number, ...], ...]
    b: tuple[Number, ...]
    c: tuple[Number, ...] = field(init=False, compare=False)
    last_use: tuple[int, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        lengths = [len(row) for row in self.a]
        if not lengths or lengths != list(range(len(self.a))):
            raise ValueError(f"`a` must have rows of lengths 0, 1, 2, …, got {lengths}.")
        if len(self.b) != len(self.a):
            raise ValueError(f"`b` must have one weight a stage, {len(self.a)}, got {len(self.b)}.")
        # Plain attributes, as torch.compile does not follow cached properties.
        object.__setattr__(self, "c", tuple(sum(row) for row in self.a))
        object.__setattr__(self, "last_use", tuple(self._last_use(j) for j in range(self.stages)))
        if not self.order():
            raise ValueError(
                f"`b` must have sum 1 for a consistent method, got {float(sum(self.b))}."
            )

    @property
    def stages(self) -> int:
        """Number of evaluations of the right-hand side in a step."""
        return len(self.b)

    def _last_use(self, j: int) -> int:
        return max((i for i in range(j, self.stages) if i == j or self.a[i][j]), default=j)

    def order(self) -> int:
        """Order of accuracy, from the order conditions up to order 4.

        Hairer, Norsett and Wanner (1993), section II.2: one condition for each rooted tree.

        Returns:
            The largest p up to 4 such that all conditions of orders 1 to p hold; 0 if none does.
        """
        matrix = np.zeros((self.stages, self.stages))
        for i, row in enumerate(self.a):
            matrix[i, :i] = [float(x) for x in row]
        b, c = np.array([float(x) for x in self.b]), np.array([float(x) for x in self.c])
        conditions: list[list[tuple[float, float]]] = [
            [(b.sum(), 1)],
            [(b @ c, 1 / 2)],
            [(b @ c**2, 1 / 3), (b @ matrix @ c, 1 / 6)],
            [
                (b @ c**3, 1 / 4),
                ((b * c) @ matrix @ c, 1 / 8),
                (b @ matrix @ c**2, 1 / 12),
                (b @ matrix @ matrix @ c, 1 / 24),
            ],
        ]
        for order, trees in enumerate(conditions):
            if any(abs(value - wanted) > _TOLERANCE for value, wanted in trees):
                return order
        return len(conditions)

    def stability_limit(self, angle: float = math.pi) -> float:
        """How far from 0 the stability region reaches, towards an angle and beyond it.

        R(z) = 1 + b z (1 - a z)^-1 1 is the factor by which a step multiplies a mode of eigenvalue
        z / h. Hairer and Wanner, Solving Ordinary Differential Equations II (1996), section IV.2.

        Args:
            angle: Of the eigenvalue, in radians: pi is decay, pi / 2 is oscillation. Growth (below
                pi / 2) counts as decay at the same rate, as no step makes it decay.

        Returns:
            The least distance, dimensionless, at which `|R|` first exceeds 1, over all angles from
            this one to pi, so that modes nearer to the real axis are safe too.

        Example:
            >>> round(RK4.stability_limit(), 3), round(RK4.stability_limit(math.pi / 2), 2)
            (2.785, 2.62)
            >>> HEUN.stability_limit(), HEUN.stability_limit(math.pi / 2)
            (2.0, 0.0)
        """
        angle = min(abs(angle), math.pi)
        angle = max(angle, math.pi - angle)
        angles, limits = self._limits
        at = float(np.interp(angle, angles, limits))
        return float(min([at, *limits[angles >= angle]]))

    def stable_steps(self, eigenvalues: np.ndarray) -> np.ndarray:
        """The largest stable step for each of some eigenvalues.

        As `stability_limit`, but for each eigenvalue alone, whatever lies at other angles.

        Args:
            eigenvalues: [k], complex, in any unit; growth counts as decay at the same rate.

        Returns:
            [k], in 1 / that unit: the least h at which `|R(h z)|` first exceeds 1; infinity for 0.

        Example:
            >>> RK4.stable_steps(np.array([-1.0, 1j, 0.0])).round(3).tolist()
            [2.785, 2.828, inf]
        """
        sizes = np.abs(eigenvalues)
        tiny = sizes <= 1e-14 * sizes.max(initial=0.0)
        safe = np.where(tiny, 1.0, sizes)
        directions = (-np.abs(eigenvalues.real) + 1j * np.abs(eigenvalues.imag)) / safe
        return np.where(tiny, np.inf, self._reach(directions) / safe)

    def of_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """R(Z) of a matrix Z [m, m], which advances `y' = (Z / h) y` by one step h."""
        one = np.eye(len(matrix))
        result = self.polynomial[-1] * one
        for coefficient in reversed(self.polynomial[:-1]):
            result = matrix @ result + coefficient * one
        return result

    @functools.cached_property
    def polynomial(self) -> tuple[float, ...]:
        """Coefficients of R, the constant first."""
        found = [1.0]
        rates: list[Fraction | float] = [Fraction(1)] * self.stages
        for _ in range(self.stages):
            found.append(float(sum(b * k for b, k in zip(self.b, rates, strict=True))))
            rates = [sum((x * k for x, k in zip(row, rates)), Fraction(0)) for row in self.a]  # noqa: B905
        return tuple(found)

    def _reach(self, directions: np.ndarray) -> np.ndarray:
        """How far the stability region reaches without a gap towards directions of modulus 1."""
        r = np.linspace(0.0, 2.0 * self.stages, _RADII + 1)[1:]

        def outside(z: np.ndarray) -> np.ndarray:
            size = np.abs(np.polynomial.polynomial.polyval(z, self.polynomial))
            return np.asarray(size - 1 > _TOLERANCE)

        beyond = outside(directions[:, None] * r)
        first = np.where(beyond.any(1), beyond.argmax(1), len(r) - 1)
        low, high = np.where(first == 0, 0.0, r[first - 1]), r[first]
        for _ in range(50):
            middle = 0.5 * (low + high)
            out = outside(directions * middle)
            low, high = np.where(out, low, middle), np.where(out, middle, high)
        return np.where(low > 0.01, low, 0.0)  # what rounding leaves of an unstable mode

    @functools.cached_property
    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        angles = np.linspace(math.pi / 2, math.pi, _ANGLES)
        return angles, np.round(self._reach(np.exp(1j * angles)), 10)


RK4 = Tableau(
    "rk4",
    a=((), (Fraction(1, 2),), (0, Fraction(1, 2)), (0, 0, 1)),
    b=(Fraction(1, 6), Fraction(1, 3), Fraction(1, 3), Fraction(1, 6)),
)
"""The classical method of order 4: Hairer, Norsett and Wanner (1993), table II.1.2, left."""

THREE_EIGHTHS = Tableau(
    "three_eighths",
    a=((), (Fraction(1, 3),), (Fraction(-1, 3), 1), (1, -1, 1)),
    b=(Fraction(1, 8), Fraction(3, 8), Fraction(3, 8), Fraction(1, 8)),
)
"""The 3/8 rule of order 4: the same table, right."""

HEUN = Tableau("heun", a=((), (1,)), b=(Fraction(1, 2), Fraction(1, 2)))
"""The method of order 2 that averages the slopes at both ends: the same book, section II.1."""

_ALL = {tableau.name: tableau for tableau in (RK4, THREE_EIGHTHS, HEUN)}


def names() -> list[str]:
    """Return the names of all methods.

    Returns:
        The names, sorted.

    Example:
        >>> names()
        ['heun', 'rk4', 'three_eighths']
    """
    return sorted(_ALL)


def find(method: str | Tableau) -> Tableau:
    """Return a method by name; a tableau is returned as it is.

    Args:
        method: A name or a tableau.

    Returns:
        The tableau.

    Raises:
        ValueError: If there is no method of that name.
    """
    if isinstance(method, Tableau):
        return method
    if method not in _ALL:
        raise ValueError(
            f"`method` must be a Tableau or one of {', '.join(names())}, got {method!r}."
        )
    return _ALL[method]
