"""How a step changes the inverse Hessian: the two numbers that each method of Broyden's class sets.

With the step s, the change y of the gradient, z = H y and n parameters the update is

    H+ = (H - z z' / z'y + phi z'y v v') / tau + s s' / s'y,   v = s / s'y - z / z'y.

`phi` blends between the methods of Davidon, Fletcher and Powell (0) and of Broyden, Fletcher,
Goldfarb and Shanno (1), `tau` scales what is kept of the past. The factors of the self-scaled
methods are those of Al-Baali as Urban, Stefanou and Pons, J. Comput. Phys. 523 (2025) use them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


class Factors(NamedTuple):
    """What a method says of an update.

    Attributes:
        phi: Share of the method of Broyden, Fletcher, Goldfarb and Shanno.
        tau: What the past is divided by.
    """

    phi: float
    tau: float


def bfgs(h: float, b: float, n: int) -> Factors:
    """Return the factors of BFGS: `phi = tau = 1`.

    Args:
        h: `y'Hy / y's`.
        b: `s'Bs / y's`, B the inverse of H.
        n: Number of parameters.

    Returns:
        The factors.

    Example:
        >>> bfgs(2.0, 0.7, 10)
        Factors(phi=1.0, tau=1.0)
    """
    del h, b, n
    return Factors(1.0, 1.0)


def self_scaled_bfgs(h: float, b: float, n: int) -> Factors:
    """Return the factors of self-scaled BFGS: `phi = 1`, `tau = min(1, 1/b)`.

    Args:
        h: `y'Hy / y's`.
        b: `s'Bs / y's`, B the inverse of H.
        n: Number of parameters.

    Returns:
        The factors.

    Example:
        >>> self_scaled_bfgs(2.0, 4.0, 10)
        Factors(phi=1.0, tau=0.25)
    """
    del h, n
    return Factors(1.0, min(1.0, 1.0 / b))


def self_scaled_broyden(h: float, b: float, n: int) -> Factors:
    """Return the factors of self-scaled Broyden.

    `a = b h - 1` is never negative (Cauchy and Schwarz). For `a -> 0`, where the step is along
    z, each expression has a limit; only `(r - 1) / a` may tend to minus infinity there, and it is
    a lower bound.

    Args:
        h: `y'Hy / y's`.
        b: `s'Bs / y's`, B the inverse of H.
        n: Number of parameters.

    Returns:
        The factors.

    Example:
        >>> self_scaled_broyden(1.0, 1.0, 10)  # the pair is foretold: nothing changes
        Factors(phi=1.0, tau=1.0)
    """
    a = max(b * h - 1.0, 0.0)
    c = math.sqrt(a / (1.0 + a))
    r = min(1.0, h * (1.0 - c))
    if r >= 1.0:
        least = 0.0
    else:
        least = (r - 1.0) / a if a > 0.0 else -math.inf
    theta = max(least, min(1.0 / r, (1.0 - b) / b))
    sigma = 1.0 + theta * a
    # n - 1 eigenvalues share the determinant; with one parameter there is none, and sigma is 1.
    spread = sigma ** (-1.0 / (n - 1)) if n > 1 else 1.0
    q = min(1.0, 1.0 / b)
    tau = min(q * spread, sigma) if theta <= 0.0 else q * min(spread, 1.0 / theta)
    return Factors((1.0 - theta) / (1.0 + a * theta), tau)


METHODS: dict[str, Callable[[float, float, int], Factors]] = {
    "ssbroyden": self_scaled_broyden,
    "ssbfgs": self_scaled_bfgs,
    "bfgs": bfgs,
}
"""The methods by name."""
