"""Reference trajectories: a problem of a family in time, by a solver that is not ours."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from solvers.rk4 import SemiDiscrete

RTOL = 1e-10
"""Relative tolerance of the references."""
COARSE_RTOL = 1e-8
"""That of the solution which shows how far they have converged."""
_ATOL = 1e-12  # in units of the largest value at the start


class NoTrajectory(ValueError):
    """A problem has no solution as far as its trajectory is to go."""


def trajectory(
    equation: SemiDiscrete, start: Tensor, horizon: float, steps: int, rtol: float = RTOL
) -> Tensor:
    """Return a solution of the semi-discrete system at equally spaced times.

    By `scipy.integrate.solve_ivp` with DOP853 (Hairer, Norsett and Wanner 1993, section II.5).

    Args:
        equation: on one graph of n nodes, float64 on the CPU.
        start: state `[n, 2]`, float64.
        horizon: time between two of the states.
        steps: number of them after the start.
        rtol: relative tolerance.

    Returns:
        `[n, steps + 1, 2]`, the start first.

    Raises:
        NoTrajectory: if the solution grows beyond all bounds, or the solver gives up.
    """
    fields = start.T.contiguous()

    def rates(time: float, flat: np.ndarray) -> np.ndarray:
        u, v = torch.from_numpy(flat).view(2, -1)
        return torch.cat(equation.rates(time, (u, v))).numpy()

    times = horizon * np.arange(steps + 1)
    with torch.no_grad(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of overflow; said below
        found = solve_ivp(
            rates,
            (0.0, times[-1]),
            fields.flatten().numpy(),
            method="DOP853",
            t_eval=times,
            rtol=rtol,
            atol=_ATOL * max(float(start.abs().max()), 1.0),
        )
    if not found.success or not np.isfinite(found.y).all():
        reached = float(found.t[-1]) if len(found.t) else 0.0
        raise NoTrajectory(
            f"The solution must stay finite until t = {times[-1]:g}, got none after t = "
            f"{reached:g} ({str(found.message).rstrip('.')})."
        )
    return torch.from_numpy(found.y).view(2, len(start), -1).permute(1, 2, 0).contiguous()


def convergence(equation: SemiDiscrete, start: Tensor, known: Tensor, horizon: float) -> float:
    """Return by how much a trajectory differs from one of a hundred times the tolerance.

    Args:
        equation: on one graph.
        start: state `[n, 2]`.
        known: the trajectory `[n, steps + 1, 2]`.
        horizon: time between two of its states.

    Returns:
        The largest relative L2 difference of a field at a time.
    """
    other = trajectory(equation, start, horizon, known.shape[1] - 1, COARSE_RTOL)
    return float(((other - known).norm(dim=0) / known.norm(dim=0)).max())
