"""LSMR: least squares by products with a matrix and its transpose alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...devices import is_waited_for, read

Product = Callable[[Tensor], Tensor]

_AHEAD = 8  # pairs of products at most before their numbers are read


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


def _normalised(vector: Tensor) -> tuple[Tensor, Tensor]:
    length = torch.linalg.vector_norm(vector)
    return torch.where(length > 0, vector / length, vector), length


class _Bidiagonalisation:
    # The bidiagonalisation of Golub and Kahan. On an accelerator it runs ahead of the recurrences,
    # one pair of products at first, then more and more, and its numbers are read together.

    def __init__(self, forward: Product, backward: Product, right: Tensor) -> None:
        self._forward, self._backward = forward, backward
        self._u, beta = _normalised(right)
        self.v, self._alpha = _normalised(backward(self._u))
        self._last, self._count = self.v, 1
        self._ahead: list[tuple[Tensor, float, float]] = []
        at_once = 1 if is_waited_for(right) else 0
        self.beta, self.alpha = self._run(at_once, beta, self._alpha)

    def next(self, left: int) -> tuple[Tensor, float, float]:
        """Return v [n], beta and alpha of the next pair of products, of at most so many."""
        if not self._ahead:
            self._run(min(self._count, left))
            if is_waited_for(self._u):
                self._count = min(2 * self._count, _AHEAD)
        return self._ahead.pop(0)

    def _run(self, count: int, *first: Tensor) -> list[float]:
        # Numbers of before are read along, and returned.
        vectors, numbers = [], list(first)
        for _ in range(count):
            self._u, beta = _normalised(self._forward(self._last) - self._alpha * self._u)
            self._last, self._alpha = _normalised(self._backward(self._u) - beta * self._last)
            vectors.append(self._last)
            numbers += [beta, self._alpha]
        values = read(*numbers)
        own = values[len(first) :]
        self._ahead = list(zip(vectors, own[::2], own[1::2], strict=True))
        return values[: len(first)]


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
    on Scientific Computing 33 (2011), with the regularisation of section 5. On an accelerator the
    host waits once in eight iterations, for which up to seven pairs of products are made in vain.

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
    pairs = _Bidiagonalisation(forward, backward, right)
    v, alpha, beta = pairs.v, pairs.alpha, pairs.beta
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
        v, beta, alpha = pairs.next(max_iterations - iterations)
        iterations += 1
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
