"""The stable step of a matrix that is known entry by entry: its spectrum and its powers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..tableaus import Tableau

# How far powers of the step's matrix may exceed what the equation itself amplifies.
_AMPLIFICATION = 10.0
# Steps are tried in reductions, fine ones first.
_REDUCTIONS = 20 * (0.985,) + 20 * (0.9,)
_DOUBLINGS = 12
_PROBES = 8


@dataclass(frozen=True)
class SpectralStep:
    """The largest stable step of a matrix, and what it is made from.

    Attributes:
        step: Step, in units of 1 / the matrix; infinity if all eigenvalues are zero.
        of_spectrum: The step by the eigenvalues alone.
        values: All eigenvalues.
    """

    step: float
    of_spectrum: float
    values: np.ndarray


def spectral_step(matrix: np.ndarray, tableau: Tableau) -> SpectralStep:
    """Find the largest step that is stable for all eigenvalues, and whose powers stay bounded.

    |R(h z)| <= 1 at all eigenvalues z makes a solution decay in the end. Of a non-normal matrix
    it may grow by many orders of magnitude before (Trefethen and Embree, Spectra and
    Pseudospectra, 2005, chapter 32), so the step is reduced until no power of R(h J) exceeds ten
    times what e^{tJ} has reached by then.

    Args:
        matrix: [m, m], the Jacobian J.
        tableau: The method, of stability function R.

    Returns:
        The step and the spectrum.
    """
    values = np.linalg.eigvals(matrix)
    of_spectrum = float(tableau.stable_steps(values).min(initial=math.inf))
    step = of_spectrum
    if 0.0 < step < math.inf:
        exact: list[float] | None = None
        for reduction in _REDUCTIONS:
            if _contracts(power := tableau.of_matrix(step * matrix)):
                break
            exact = _amplifications(matrix, of_spectrum, tableau) if exact is None else exact
            if _is_bounded(power, exact):
                break
            step *= reduction
    return SpectralStep(step, of_spectrum, values)


def _contracts(power: np.ndarray) -> bool:
    return bool(np.linalg.norm(power, 2) <= 1.0 + 1e-6)


def _is_bounded(power: np.ndarray, exact: list[float]) -> bool:
    """Whether the powers 1, 2, 4, … of a step's matrix stay near the amplifications of e^{tJ}."""
    for allowed in exact:
        size = _norm(power)
        if not size <= _AMPLIFICATION * allowed:
            return False
        if size < 0.5:
            break
        power = power @ power
    return True


def _amplifications(matrix: np.ndarray, step: float, tableau: Tableau) -> list[float]:
    """Largest norm, at least 1, that e^{tJ} has had by t = 1, 2, 4, … steps."""
    power = tableau.of_matrix(step / 8.0 * matrix)
    largest, found = 1.0, []
    for doubling in range(_DOUBLINGS + 3):
        largest = max(largest, _norm(power))
        if doubling >= 3:
            found.append(largest)
        if largest > 1e12:  # real growth: the norms are about to overflow
            break
        power = power @ power
    return found


def _norm(matrix: np.ndarray) -> float:
    """2-norm of a matrix, from below, by a block power iteration."""
    if not np.isfinite(matrix).all():
        return math.inf
    block = np.random.default_rng(0).standard_normal((len(matrix), _PROBES))
    for _ in range(3):
        block, _ = np.linalg.qr(matrix.T @ (matrix @ block))
    return float(np.linalg.norm(matrix @ block, 2))
