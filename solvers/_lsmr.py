"""LSMR: sparse or operator least squares by products with a matrix and its transpose."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LSMRResult:
    """What `lsmr` found.

    Attributes:
        x: [n].
        iterations: Products with the matrix, less one.
        normal: |A^T r| of the damped system, an estimate.
        rest: |r| of the damped system, an estimate.
        converged: Whether the tolerance was met.
    """

    x: Tensor
    iterations: int
    normal: float
    rest: float
    converged: bool


def _rotation(a: float, b: float) -> tuple[float, float, float]:
    # c, s, r with [c s; -s c] [a; b] = [r; 0].
    r = math.hypot(a, b)
    return (1.0, 0.0, 0.0) if r == 0 else (a / r, b / r, r)


def _normalised(vector: Tensor) -> tuple[Tensor, float]:
    length = float(torch.linalg.vector_norm(vector))
    return (vector / length if length > 0 else vector), length


def lsmr(
    forward: Product,
    backward: Product,
    right: Tensor,
    *,
    damp: float = 0.0,
    tolerance: float = 1e-6,
    max_iterations: int | None = None,
) -> LSMRResult:
    """Solve `min |A x - b|^2 + damp^2 |x|^2` from x = 0.

    Fong and Saunders, LSMR: an iterative algorithm for sparse least-squares problems, SIAM Journal
    on Scientific Computing 33 (2011), section 5.1 with the damping of section 2.8.

    Args:
        forward: x -> A x, [n] -> [m].
        backward: w -> A^T w, [m] -> [n].
        right: [m], b.
        damp: Square root of the damping.
        tolerance: Ends when |A^T r| is at most this part of |A^T b|, which it is at the start, or
            |A^T r| <= tolerance^2 |A| |r|, the residual of a least-squares solution.
        max_iterations: Largest number of iterations; min(m, n) and at most 1000 if None.

    Returns:
        The solution and how far it came.

    Example:
        >>> a = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
        >>> b = torch.tensor([2.0, 3.0])
        >>> lsmr(lambda v: a @ v, lambda w: a.T @ w, b).x.round(decimals=4).tolist()
        [1.0, 3.0]
    """
    u, beta = _normalised(right)
    v, alpha = _normalised(backward(u))
    x = torch.zeros_like(v)
    if max_iterations is None:
        max_iterations = min(right.shape[0], v.shape[0], 1000)
    start = alpha * beta
    if start == 0:
        return LSMRResult(x, 0, 0.0, beta, True)
    # The names are those of the paper: a bar is written `bar_`, a tilde `tilde_`.
    zeta_bar, alpha_bar, rho, rho_bar, c_bar, s_bar = alpha * beta, alpha, 1.0, 1.0, 1.0, 0.0
    h, h_bar = v.clone(), torch.zeros_like(v)
    frobenius = alpha**2 + damp**2
    iteration = 0
    rest = beta
    while iteration < max_iterations:
        iteration += 1
        u, beta = _normalised(forward(v) - alpha * u)
        v, alpha = _normalised(backward(u) - beta * v)
        _, _, alpha_hat = _rotation(alpha_bar, damp)
        rho_old, (c, s, rho) = rho, _rotation(alpha_hat, beta)
        theta, alpha_bar = s * alpha, c * alpha
        rho_bar_old, theta_bar, rho_temp = rho_bar, s_bar * rho, c_bar * rho
        c_bar, s_bar, rho_bar = _rotation(rho_temp, theta)
        zeta, zeta_bar = c_bar * zeta_bar, -s_bar * zeta_bar
        h_bar = h - (theta_bar * rho / (rho_old * rho_bar_old)) * h_bar
        x = x + (zeta / (rho * rho_bar)) * h_bar
        h = v - (theta / rho) * h
        frobenius += alpha**2 + beta**2 + damp**2
        if abs(zeta_bar) <= tolerance * start:
            break
    converged = abs(zeta_bar) <= tolerance * start
    return LSMRResult(x, iteration, abs(zeta_bar), rest, converged)
