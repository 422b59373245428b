"""The field of values of a matrix, and the step for which all of it is stable.

W(J) = {x* J x : |x| = 1} is convex and holds the spectrum. Where h W(J) lies in the stability
region, no power of a step's matrix R(h J) exceeds 1 + sqrt(2) times the largest |R| there
(Crouzeix and Palencia, SIAM J. Matrix Anal. Appl. 38, 2017): safe for non-normal matrices too,
whose eigenvalues alone say little of what many steps do (Trefethen and Embree, Spectra and
Pseudospectra, 2005, chapters 17 and 32).
"""

from __future__ import annotations

import math

import numpy as np

from ..tableaus import Tableau

_DIRECTIONS = 33
_ON_AN_EDGE = 8


def field_of_values(matrix: np.ndarray) -> np.ndarray:
    """Corners of a polygon around the upper half of a real matrix's field of values.

    The largest eigenvalue of the symmetric part of e^{-it} J is how far W(J) reaches towards the
    angle t: Johnson, SIAM J. Numer. Anal. 15 (1978).

    Args:
        matrix: [m, m], real, so that W is symmetric about the real axis.

    Returns:
        [k], complex, from the right end on the real axis to the left one.
    """
    angles = np.linspace(0.0, math.pi, _DIRECTIONS)
    symmetric, skew = 0.5 * (matrix + matrix.T), 0.5j * (matrix - matrix.T)
    reach = np.array(
        [np.linalg.eigvalsh(math.cos(t) * symmetric - math.sin(t) * skew)[-1] for t in angles]
    )
    # Each corner is where the tangents of two neighbouring directions meet.
    (a, b), (s, t) = (angles[:-1], angles[1:]), (reach[:-1], reach[1:])
    x = (s * np.sin(b) - t * np.sin(a)) / np.sin(b - a)
    y = (t * np.cos(a) - s * np.cos(b)) / np.sin(b - a)
    return np.concatenate([[reach[0]], x + 1j * y, [-reach[-1]]])


def stable_step_of(corners: np.ndarray, tableau: Tableau) -> float:
    """Largest step for which the decaying part of a field of values is stable.

    Values in the right half plane count by their frequency: there the equation itself may grow, if
    only for a while.

    Args:
        corners: From `field_of_values`.
        tableau: The method.

    Returns:
        Step in the unit of 1 / `corners`; infinity if all are zero.
    """
    part = np.linspace(0.0, 1.0, _ON_AN_EDGE, endpoint=False)
    edges = (corners[:-1, None] * (1 - part) + corners[1:, None] * part).ravel()
    values = np.append(edges, corners[-1])
    decaying = np.minimum(values.real, 0.0) + 1j * values.imag
    return float(tableau.stable_steps(decaying).min())
