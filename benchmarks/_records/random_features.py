"""Least-squares fits of random waves by fastlsq (Sulc 2026, arXiv:2602.10541), where it is there.

A field is a sum of waves `sin(w . x + b)` with random w and b; its coefficients are found by
Newton's method, each step a linear least-squares problem over the points.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from _records import feature_breather

MISSING = (
    "Without fastlsq the row of random features is left out: pip install --no-deps fastlsq adds it."
)

Solver = Callable[[np.ndarray, int], tuple[np.ndarray, dict[str, Any]]]
"""Takes points [N, d] and a seed; returns fields [N, k] and facts for the table."""

SOLVERS: dict[str, Solver] = {"schroedinger": feature_breather.solve}


def installed() -> bool:
    """Return whether fastlsq can be imported."""
    return importlib.util.find_spec("fastlsq") is not None


def kovasznay(points: np.ndarray, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Return u, v and p [N, 3] of Kovasznay's flow by fastlsq's steady Navier-Stokes solver."""
    import fastlsq
    import torch

    from _records.rows import script_of

    script = script_of("kovasznay")
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    low, high = np.array(script.LOW), np.array(script.HIGH)
    unit = draw.random((800, 2))  # on the boundary
    unit[np.arange(800), np.arange(800) % 2] = np.arange(800) // 2 % 2
    inside, walls = (low + (high - low) * part for part in (draw.random((3000, 2)), unit))
    velocity = fastlsq.DivergenceFreeBasis.random(2, 800, sigma=[2.0, 6.0])
    pressure = fastlsq.SinusoidalBasis.random(2, 400, sigma=4.0)
    flow = fastlsq.IncompressibleFlow(velocity, pressure, nu=1.0 / script.RE, u_inf=[1.0, 0.0])
    given = [
        fastlsq.Dirichlet(torch.as_tensor(walls), torch.as_tensor(script.exact(walls)[:, :2])),
        fastlsq.PressurePoint(torch.zeros(1, 2, dtype=torch.float64), 0.0),
    ]
    found = fastlsq.solve_navier_stokes(flow, torch.as_tensor(inside), given, tol=1e-12)
    u, _, p = flow.evaluate(torch.as_tensor(points), found.theta)
    fields = torch.cat((u, p[:, None]), dim=1).numpy()
    facts = {"parameters": flow.n_unknowns, "points": 3800, "iterations": len(found.history)}
    return fields, facts


SOLVERS["kovasznay"] = kovasznay
