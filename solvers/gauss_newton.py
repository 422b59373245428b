"""Nonlinear least squares in torch: Levenberg-Marquardt and Gauss-Newton.

`Stepper` is one iteration at a time, for problems that change in between.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import _damping, _jacobians, _memory
from ._damping import GainRatio, LineSearch, Nielsen, Rule, TargetRatio
from ._levenberg_marquardt import NonFiniteJacobianError, Problem, Step, Stepper
from ._robust import Loss
from ._solution import Solution, Status

__all__ = [
    "DAMPINGS",
    "SOLVERS",
    "GainRatio",
    "LineSearch",
    "Nielsen",
    "NonFiniteJacobianError",
    "Problem",
    "Rule",
    "Solution",
    "Status",
    "Step",
    "Stepper",
    "TargetRatio",
    "least_squares",
]

DAMPINGS = tuple(_damping.names())
"""Names of the rules that say how far a step goes."""

SOLVERS = ("auto", *_memory.PATHS)
"""Names of the ways to a direction: through J^T J, through J J^T, by products alone."""

Vector = Tensor | np.ndarray | Sequence[float] | float


def least_squares(
    residual: Callable[[Tensor], Any],
    x0: Vector,
    jac: str | Callable[[Tensor], Any] | None = None,
    *,
    method: str = "lm",
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: str | float | Vector = "jac",
    loss: str = "linear",
    f_scale: float = 1.0,
    max_nfev: int | None = None,
    max_iterations: int | None = None,
    damping: str | Rule | None = None,
    direction: str = "auto",
    geodesic: bool = False,
    diff_step: float | None = None,
    chunk_rows: int | None = None,
    memory_limit_gb: float | None = None,
    callback: Callable[[Solution], Any] | None = None,
) -> Solution:
    """Minimise half the sum of squares of a residual vector, or of a robust loss of it.

    Example:
        >>> t = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
        >>> data = 2.0 * torch.exp(-0.5 * t)
        >>> fit = least_squares(lambda x: x[0] * torch.exp(-x[1] * t) - data, [1.0, 1.0])
        >>> fit.x.round(decimals=6).tolist(), fit.success
        ([2.0, 0.5], True)
    """
    x = _start(x0)
    if method not in ("lm", "gauss_newton"):
        raise ValueError(f"`method` must be one of lm, gauss_newton, got {method!r}.")
    rule = damping if damping is not None else "nielsen" if method == "lm" else "line_search"
    scale = x_scale if isinstance(x_scale, str) else torch.as_tensor(x_scale, dtype=x.dtype)
    started = time.perf_counter()
    stepper = Stepper(
        _jacobians.make(residual, x, jac, chunk_rows, diff_step),
        x,
        direction=direction,
        damping=rule,
        geodesic=geodesic,
        x_scale=scale,
        memory_limit_gb=memory_limit_gb,
        loss=Loss(loss, f_scale),
    )
    return _iterate(
        stepper, ftol or 0.0, xtol or 0.0, gtol or 0.0,
        100 * (x.numel() + 1) if max_nfev is None else max_nfev,
        math.inf if max_iterations is None else max_iterations, callback, started,
    )  # fmt: skip


def _iterate(stepper, ftol, xtol, gtol, max_nfev, max_iterations, callback, started):
    history: list[dict[str, Any]] = []

    def solution(status: Status | None) -> Solution:
        return Solution(
            x=stepper.x, cost=stepper.cost, optimality=stepper.gradient_norm, status=status,
            message=status.value if status else "", nfev=stepper.nfev, njev=stepper.njev,
            history=history, residual=stepper.residual,
        )  # fmt: skip

    def loop() -> Status:
        while True:
            if stepper.cost == 0:
                return Status.ZERO_RESIDUAL
            if stepper.nfev >= max_nfev:
                return Status.MAX_NFEV
            if len(history) >= max_iterations:
                return Status.MAX_ITERATIONS
            try:
                stepper.linearize()
            except NonFiniteJacobianError as error:
                if not history:
                    raise ValueError(str(error)) from error
                return Status.NONFINITE
            if stepper.gradient_norm <= gtol * math.sqrt(2 * stepper.cost):
                return Status.GTOL
            step = stepper.step()
            history.append({
                "iteration": len(history) + 1, "cost": step.cost,
                "optimality": step.gradient_norm, "damping": step.damping,
                "gain_ratio": step.gain_ratio, "step_norm": step.step_norm,
                "accepted": step.accepted, "trials": step.trials, "nfev": stepper.nfev,
                "seconds": time.perf_counter() - started,
            })  # fmt: skip
            if callback is not None:
                try:
                    if callback(solution(None)):
                        return Status.CALLBACK
                except StopIteration:
                    return Status.CALLBACK
            fall = step.cost_before - step.cost
            small = max(fall, step.predicted) <= ftol * step.cost_before
            if step.relative_step <= xtol:
                return Status.XTOL
            if step.accepted and small and step.gain_ratio > 0.25:
                return Status.FTOL
            if not step.accepted:
                return Status.PRECISION if step.futile else Status.STALLED

    try:
        status = loop()
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    return solution(status)


def _start(x0: Vector) -> Tensor:
    x = x0 if isinstance(x0, Tensor) else torch.as_tensor(x0)
    if not x.dtype.is_floating_point or isinstance(x0, list | tuple | float):
        x = x.to(torch.float64)
    x = x.detach().clone()
    return x[None] if x.ndim == 0 else x
