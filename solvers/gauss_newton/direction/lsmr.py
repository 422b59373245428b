"""LSMR: least squares by products with a matrix and its transpose alone."""

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
        iterations: Pairs of products after the first.
        normal: |A^T (b - A x) - damp^2 x|, as the recurrence has it.
        converged: Whether the tolerance was met.
    """

    x: Tensor
    iterations: int
    normal: float
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
    on Scientific Computing 33 (2011), with the regularisation of section 5.

    Args:
        forward: x -> A x, [n] -> [m].
        backward: w -> A^T w, [m] -> [n].
        right: [m], b.
        damp: Square root of the damping.
        tolerance: It ends when the residual of the normal equations is at most this part of what
            it is at x = 0, |A^T b|.
        max_iterations: Largest number of iterations; None takes twice the smaller dimension and
            10, but at most 1000.

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
        max_iterations = min(2 * min(len(right), len(v)) + 10, 1000)
    # The names are those of the paper.
    zeta_bar, alpha_bar = alpha * beta, alpha
    goal = tolerance * zeta_bar
    rho, rho_bar, c_bar, s_bar = 1.0, 1.0, 1.0, 0.0
    h, h_bar = v.clone(), torch.zeros_like(v)
    iterations = 0
    while abs(zeta_bar) > goal and iterations < max_iterations:
        iterations += 1
        u, beta = _normalised(forward(v) - alpha * u)
        v, alpha = _normalised(backward(u) - beta * v)
        _, _, alpha_hat = _rotation(alpha_bar, damp)
        rho_old, (c, s, rho) = rho, _rotation(alpha_hat, beta)
        theta, alpha_bar = s * alpha, c * alpha
        rho_bar_old, theta_bar = rho_bar, s_bar * rho
        c_bar, s_bar, rho_bar = _rotation(c_bar * rho, theta)
        if rho == 0 or rho_bar == 0:  # a matrix of zeros, as far as b can see
            break
        zeta, zeta_bar = c_bar * zeta_bar, -s_bar * zeta_bar
        h_bar = h - (theta_bar * rho / (rho_old * rho_bar_old)) * h_bar
        x = x + (zeta / (rho * rho_bar)) * h_bar
        h = v - (theta / rho) * h
    return LSMRResult(x, iterations, abs(zeta_bar), abs(zeta_bar) <= goal)
