"""The largest stable step from a whole spectrum, by other code than what is measured."""

from __future__ import annotations

import numpy as np

_POLYNOMIAL = (1.0, 1.0, 1 / 2, 1 / 6, 1 / 24)  # R of RK4
_OUTSIDE = 1e-9


def largest_step(eigenvalues: np.ndarray) -> float:
    """The largest h with `|R(h z)| <= 1` at all z that do not grow, for RK4.

    Args:
        eigenvalues: [k], complex.

    Returns:
        The least h at which a mode of them first becomes unstable.
    """
    z = eigenvalues[eigenvalues.real <= 0]
    z = z[np.abs(z) > 0.2 * np.abs(z).max()]  # the region's radius varies by less than that
    low, high = np.zeros(len(z)), np.zeros(len(z))
    found = np.zeros(len(z), dtype=bool)
    for h in np.linspace(0.0, 4.0, 801)[1:]:
        out = ~found & _outside(h * z / np.abs(z))
        low[out], high[out] = h - 0.005, h
        found |= out
    for _ in range(40):
        middle = 0.5 * (low + high)
        out = _outside(middle * z / np.abs(z))
        low, high = np.where(out, low, middle), np.where(out, middle, high)
    return float((low / np.abs(z)).min())


def _outside(z: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(np.polynomial.polynomial.polyval(z, _POLYNOMIAL)) > 1 + _OUTSIDE)


def growth(eigenvalues: np.ndarray) -> float:
    """The largest real part, as a part of the radius."""
    return float(eigenvalues.real.max() / np.abs(eigenvalues).max())


def eigenvector_condition(matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """Eigenvalues, and the condition of the eigenvectors: 1 if normal, infinity if defective."""
    values, vectors = np.linalg.eig(matrix)
    return values, float(np.linalg.cond(vectors))
