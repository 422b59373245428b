"""Functions with gradients to minimise, and a slow transcription of the updates."""

import math

import numpy as np
import torch

F64 = torch.float64


def rosenbrock(x):
    """Return value and gradient of Rosenbrock's valley in pairs of coordinates."""
    first, second = x[0::2], x[1::2]
    a, b = 1.0 - first, second - first**2
    gradient = torch.empty_like(x)
    gradient[0::2], gradient[1::2] = -2.0 * a - 400.0 * b * first, 200.0 * b
    return (a**2 + 100.0 * b**2).sum(), gradient


def valley(n):
    """Return its usual start `[n]`."""
    return torch.tensor([-1.2, 1.0], dtype=F64).repeat(n // 2)


def quadratic(n, condition, seed=0, least=0.0):
    """Return a function with eigenvalues from 1 to `condition`, and its minimum `[n]`."""
    generator = torch.Generator("cpu").manual_seed(seed)
    turn, _ = torch.linalg.qr(torch.randn(n, n, dtype=F64, generator=generator))
    matrix = turn @ torch.diag(torch.logspace(0, math.log10(condition), n, dtype=F64)) @ turn.T
    minimum = torch.randn(n, dtype=F64, generator=generator)

    def function(x):
        off = x - minimum
        slope = matrix @ off
        return least + 0.5 * off.dot(slope), slope

    return function, minimum


def ill_conditioned(n=40):
    """Return a function that is far from a quadratic, with scales from 1 to 1e6, and its start."""
    scales = torch.logspace(0, 3, n, dtype=F64)

    def function(x):
        inner = scales * x
        coupled = inner[1:] - torch.sin(inner[:-1])
        rest = 1.0 - torch.cos(0.1 * inner)
        value = (0.5 * coupled**2).sum() + (0.5 * inner**2).sum() + rest.sum()
        gradient = inner + 0.1 * torch.sin(0.1 * inner)
        gradient[1:] += coupled
        gradient[:-1] -= coupled * torch.cos(inner[:-1])
        return value, gradient * scales

    return function, torch.ones(n, dtype=F64)


# ---- the updates, as the papers have them -------------------------------------------------------


def slow_update(method, H, s, y, gradient, alpha):
    """Return H+ of Urban, Stefanou and Pons, J. Comput. Phys. 523 (2025), by numpy.

    The methods are called SSBFGS_AB and SSBroyden2 in their program. `gradient` is that at the
    start of the step `s`, `alpha` times the direction.
    """
    n, sy = len(s), y @ s
    Hy = H @ y
    yHy = y @ Hy
    if method == "bfgs":
        phi = tau = 1.0
    else:
        b = -alpha * (s @ gradient) / sy
        h = yHy / sy
        a = b * h - 1.0
        phi, tau = 1.0, min(1.0, 1.0 / b)
        if method == "ssbroyden":
            c = np.sqrt(a / (1.0 + a))
            rho = min(1.0, h * (1.0 - c))
            theta_minus, theta_plus = (rho - 1.0) / a, 1.0 / rho
            theta = max(theta_minus, min(theta_plus, (1.0 - b) / b))
            sigma = 1.0 + theta * a
            if theta <= 0.0:
                tau = min(min(1.0, 1.0 / b) * sigma ** (-1.0 / (n - 1)), sigma)
            else:
                tau = min(1.0, 1.0 / b) * min(sigma ** (-1.0 / (n - 1)), 1.0 / theta)
            phi = (1.0 - theta) / (1.0 + a * theta)
    v = np.sqrt(yHy) * (s / sy - Hy / yHy)
    return (H - np.outer(Hy, Hy) / yHy + phi * np.outer(v, v)) / tau + np.outer(s, s) / sy


def direct_update(B, s, y, theta, tau):
    """Return B+ of Broyden's class for the Hessian itself, theta = 0 for BFGS."""
    Bs = B @ s
    sBs, sy = s @ Bs, s @ y
    w = y / sy - Bs / sBs
    return tau * (B - np.outer(Bs, Bs) / sBs + theta * sBs * np.outer(w, w)) + np.outer(y, y) / sy
