"""The breather of Satsuma and Yajima by random waves: the coordinates and the start of the script.

In each of some slabs of time h is the start plus `ramp sech x` times a sum of waves in sech x and
t, so that ends and start need no rows; the coefficients are found by Newton's method.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

END = math.pi / 2
SLABS, WAVES, POINTS, SCALE = 4, 300, 2000, 5.0
LARGEST_STEPS = 20


class Columns(NamedTuple):
    """Functions [M, N] that vanish where a slab begins, and what the equation takes of them."""

    value: Tensor
    rate: Tensor
    bend: Tensor


def columns(basis: Any, x: Tensor, t: Tensor, lower: float, upper: float) -> Columns:
    """Return `ramp sech x` times each wave, its derivative by t and its second one by x."""
    s = 1 / torch.cosh(x)
    s_x, s_xx = -s * torch.tanh(x), s - 2 * s**3
    ramp, rise = (t - lower) / (upper - lower), 1 / (upper - lower)
    at = torch.cat((2 * s - 1, 2 * ramp - 1), dim=1)
    cache = basis.cache(at)
    phi, by_s, by_t, by_ss = (
        basis.derivative(at, alpha, cache) for alpha in ((0, 0), (1, 0), (0, 1), (2, 0))
    )
    bend = s_xx * phi + 2 * s_x * (2 * s_x * by_s) + s * (4 * s_x**2 * by_ss + 2 * s_xx * by_s)
    return Columns(ramp * s * phi, rise * s * (phi + 2 * ramp * by_t), ramp * bend)


def residual(base: Tensor, c: Columns, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the residuals [2 M] at coefficients a of u and b of v, and their Jacobian."""
    u, v = base[:, :1] + c.value @ a, base[:, 1:2] + c.value @ b
    square = u**2 + v**2
    first = c.rate @ a + (base[:, 3:] + c.bend @ b) / 2 + square * v
    second = c.rate @ b - (base[:, 2:3] + c.bend @ a) / 2 - square * u
    mixed = c.rate + 2 * u * v * c.value, c.rate - 2 * u * v * c.value
    across = c.bend / 2 + (square + 2 * v**2) * c.value
    back = -c.bend / 2 - (square + 2 * u**2) * c.value
    rows = torch.cat((mixed[0], across), dim=1), torch.cat((back, mixed[1]), dim=1)
    return torch.cat((first, second)), torch.cat(rows)


def newton(base: Tensor, c: Columns) -> Tensor:
    """Return the coefficients [N, 2] of a slab; a step that does not help is halved."""
    from fastlsq.linalg import solve_lstsq

    waves = c.value.shape[1]
    x = torch.zeros(2 * waves, 1, dtype=c.value.dtype)
    r, jacobian = residual(base, c, x[:waves], x[waves:])
    for _ in range(LARGEST_STEPS):
        step = solve_lstsq(jacobian, -r, rcond=1e-13)
        for halved in range(8):
            trial = x + step / 2**halved
            new, new_jacobian = residual(base, c, trial[:waves], trial[waves:])
            if new.norm() < r.norm():
                break
        else:
            break
        fell = 1 - new.norm() / r.norm()
        x, r, jacobian = trial, new, new_jacobian
        if fell < 1e-3:
            break
    return torch.cat((x[:waves], x[waves:]), dim=1)


def solve(points: np.ndarray, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Return u and v [N, 2] at points of x and t, and what it took."""
    from fastlsq.basis import SinusoidalBasis

    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    edges = torch.linspace(0, END, SLABS + 1).tolist()
    bases, found = [], []

    def start(x: Tensor, number: int) -> Tensor:
        """Return u, v and their second derivatives by x where a slab begins, [M, 4]."""
        s = 1 / torch.cosh(x)
        base = torch.cat((2 * s, 0 * s, 2 * (s - 2 * s**3), 0 * s), dim=1)
        for k in range(number):
            c = columns(bases[k], x, torch.full_like(x, edges[k + 1]), edges[k], edges[k + 1])
            base = base + torch.cat((c.value @ found[k], c.bend @ found[k]), dim=1)
        return base

    for number, (lower, upper) in enumerate(itertools.pairwise(edges)):
        x = (2 * torch.randn(POINTS, 1)).abs().clamp(max=12)
        t = lower + (upper - lower) * torch.rand(POINTS, 1)
        bases.append(SinusoidalBasis.random(2, WAVES, sigma=SCALE))
        found.append(newton(start(x, number), columns(bases[number], x, t, lower, upper)))
    fields = np.empty((len(points), 2))
    slab = np.clip(np.searchsorted(edges, points[:, 1]) - 1, 0, SLABS - 1)
    for number in range(SLABS):
        rows = slab == number
        x, t = (torch.as_tensor(points[rows, i : i + 1]) for i in (0, 1))
        c = columns(bases[number], x, t, edges[number], edges[number + 1])
        fields[rows] = start(x, number)[:, :2] + c.value @ found[number]
    return fields, {"parameters": 2 * WAVES * SLABS, "points": POINTS * SLABS}
