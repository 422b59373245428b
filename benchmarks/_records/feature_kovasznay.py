"""Kovasznay's flow by random waves: fastlsq's solver for steady Navier-Stokes equations."""

from __future__ import annotations

from typing import Any

import numpy as np


def solve(points: np.ndarray, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Fit u, v and p to the equations and to u and v on the boundary.

    Args:
        points: [N, 2], where the fields are wanted.
        seed: of waves and points.

    Returns:
        u, v and p `[N, 3]`, and facts for the table.
    """
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
