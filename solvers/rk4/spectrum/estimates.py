"""The stable step of a Jacobian: by all of its entries where it is small, else by its products."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..tableaus import Tableau
from .dense_step import spectral_step
from .field_of_values import field_of_values, stable_step_of
from .krylov import Krylov, arnoldi, random_start

_SAFETY = 0.98
_PRODUCTS = 64
_FEWEST_PRODUCTS = 32
_BASIS = 1 << 26  # entries of a Krylov basis: half a gigabyte in float64
_REST = 2.5
_NEAR = 1.1
_CERTAIN = 1e-3


@dataclass(frozen=True)
class Estimate:
    """What is known of a Jacobian's stable step and spectrum.

    Attributes:
        step: The stable step, with a margin; infinity if the Jacobian is zero or nilpotent.
        critical: The eigenvalue that allows the smallest step, 0 if there is none.
        largest: The eigenvalue of the largest modulus.
        rightmost: The eigenvalue furthest to the right, among those that are certain.
        mode: `mode(z) -> [n]`, the real part of an eigenvector of the nearest eigenvalue.
    """

    step: float
    critical: complex
    largest: complex
    rightmost: complex
    mode: Callable[[complex], Tensor]


def by_spectrum(matrix: np.ndarray, tableau: Tableau) -> Estimate:
    """Estimate from a matrix [n, n] that is known entry by entry."""
    found = spectral_step(matrix, tableau)

    def mode(value: complex) -> Tensor:
        values, vectors = np.linalg.eig(matrix)
        return torch.from_numpy(vectors[:, np.abs(values - value).argmin()].real.copy())

    return _estimate(_SAFETY * found.step, found.values, np.zeros(len(matrix)), tableau, mode)


def by_products(product: Callable[[Tensor], Tensor], like: Tensor, tableau: Tableau) -> Estimate:
    """Estimate from at most 64 products with a Jacobian.

    The field of values of the Jacobian, seen in a Krylov space, bounds the step. It is found from
    inside, up to the part (ln(1.65 sqrt(n) / delta) / (2 m - 1))^2 of its width with m products
    and probability 1 - delta, for symmetric matrices by theorem 3.2 of Kuczynski and Wozniakowski,
    SIAM J. Matrix Anal. Appl. 13 (1992): where that is more than the margin, it is the margin; and
    the step is reduced by what the last fifth of the products says is left to come. The eigenvalues
    may allow more; they are taken where the residuals of all that come near to bounding the step
    are below a thousandth, and powers of the step's matrix stay bounded.

    Args:
        product: `product(vector [n]) -> [n]`.
        like: [n], of the type and on the device of the vectors.
        tableau: The method.

    Returns:
        The estimate.
    """
    size = like.numel()
    steps = min(_PRODUCTS, max(_FEWEST_PRODUCTS, _BASIS // max(size, 1)))
    krylov = arnoldi(product, random_start(size).to(like), steps)
    values, vectors, residuals = krylov.pairs()
    step, margin = _krylov_step(krylov, tableau), 1 - _SAFETY
    if krylov.beyond:
        unseen = math.log(1.65e3 * math.sqrt(size)) / (2 * len(krylov.matrix) - 1)
        margin = max(margin, unseen**2)

    def mode(value: complex) -> Tensor:
        return krylov.mode(vectors[:, np.abs(values - value).argmin()])

    return _estimate((1 - margin) * step, values, residuals, tableau, mode)


def _krylov_step(krylov: Krylov, tableau: Tableau) -> float:
    matrix = krylov.matrix
    found = spectral_step(matrix, tableau)
    if not krylov.beyond or not found.step:
        return found.step
    if _is_certain(krylov, tableau):
        return found.step
    part = len(matrix) * 4 // 5
    now = stable_step_of(field_of_values(matrix), tableau)
    before = stable_step_of(field_of_values(matrix[:part, :part]), tableau)
    # Of a method that is unstable for any oscillation, the field of values allows no step where
    # it reaches beyond the spectrum to the imaginary axis.
    if not now:
        return 0.8 * found.step
    # What is left to come is 1.8 times the last change if it falls with the square of m.
    return min(found.step, now - _REST * max(before - now, 0.0))


def _is_certain(krylov: Krylov, tableau: Tableau) -> bool:
    """Whether all Ritz values that come near to bounding the step have small residuals."""
    values, _, residuals = krylov.pairs()
    steps = tableau.stable_steps(values)
    bounding = steps <= _NEAR * steps.min()
    return bool((residuals[bounding] <= _CERTAIN * np.abs(values[bounding])).all())


def _estimate(
    step: float,
    values: np.ndarray,
    residuals: np.ndarray,
    tableau: Tableau,
    mode: Callable[[complex], Tensor],
) -> Estimate:
    sure = values[residuals <= 0.1 * np.abs(values.real)]
    nothing = np.zeros(1, dtype=complex)
    values, sure = np.append(values, nothing), np.append(sure, nothing)
    return Estimate(
        step,
        critical=complex(values[tableau.stable_steps(values).argmin()]),
        largest=complex(values[np.abs(values).argmax()]),
        rightmost=complex(sure[sure.real.argmax()]),
        mode=mode,
    )
