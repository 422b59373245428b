"""`least_squares`: minimise the residuals of any function of a vector, as scipy's users know it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import require, switch_problem
from . import residual_functions
from .damping import by_name
from .damping.rule import Rule
from .direction import memory
from .ends.ways import Way, minimise
from .iteration import Limits
from .robust_loss import Loss
from .solution import Solution
from .stepper import Stepper
from .variables.bounds import Box
from .variables.scaling import Scale
from .variables.units import rescaled

__all__ = ["DAMPINGS", "SOLVERS", "least_squares"]

DAMPINGS = tuple(by_name.names())
"""Names of the rules that say how far a step goes."""

SOLVERS = ("auto", *memory.SOLVERS)
"""Names of the solvers of a step: through J^T J or J J^T, by blocks of rows, by products alone."""

Vector = Tensor | np.ndarray | Sequence[float] | float
_METHODS = {"lm": "nielsen", "gauss_newton": "line_search"}


@torch.inference_mode(False)  # a fit within an evaluation is differentiated all the same
@torch.enable_grad()
def least_squares(
    residual: Callable[..., Any],
    x0: Vector,
    jac: str | Callable[[Tensor], Any] | None = None,
    *,
    bounds: Any = (-math.inf, math.inf),
    method: str = "lm",
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: Scale | None = "jac",
    loss: str = "linear",
    f_scale: float = 1.0,
    max_nfev: int | None = None,
    max_iterations: int | None = None,
    damping: str | Rule | None = None,
    geodesic: bool | None = None,
    solver: str = "auto",
    memory_limit_gb: float | None = None,
    chunk_rows: int | None = None,
    blocks: int | None = None,
    sketch: int | str | None = None,
    diff_step: float | None = None,
    callback: Callable[[Solution], Any] | None = None,
) -> Solution:
    """Minimise half the sum of squares of a residual vector, or of a robust loss of it.

    The arguments that `scipy.optimize.least_squares` has too mean the same. It computes in float32
    or float64, on the CPU or a GPU, as x0 says; there may be fewer rows than parameters, and
    parameters without effect.

    A step minimises `|J s + r|^2 + damping |s|_D^2`: Levenberg and Marquardt's, with the scaling D
    of More, The Levenberg-Marquardt algorithm (1978), eq. (6.3), and the damping of Madsen, Nielsen
    and Tingleff (2004), eq. (2.21), bent as by Transtrum and Sethna (2012), eq. (8) to (15). With
    bounds it is projected: see `variables.bounds.Box`.

    Where it ends on a plateau, in a valley without a bottom or at the largest number of
    evaluations, it begins again from x0 in other scales, and returns the lowest end.

    Args:
        residual: x [n] -> [m], in torch operations unless `jac` says otherwise; a tuple or list of
            numbers and vectors is put together.
        x0: [n], the start; float64 unless it is a float32 tensor or array. Not modified.
        jac: None or "func" differentiates the residual; "2-point" and "3-point" take finite
            differences, for residuals that use NumPy, say; a function x -> [m, n] brings its own.
        bounds: (lower, upper), numbers or [n] each, in units of x; or an object with `lb` and `ub`,
            as `scipy.optimize.Bounds`. x0 must lie within. The residual is evaluated nowhere else.
        method: "lm", or "gauss_newton": without damping, by a line search.
        ftol: Ends when a step changes the cost by less than this part of it; None for never.
        xtol: Ends when a step changes x by less than this part of it, in the norm of the damping.
        gtol: Ends when each `|J_j . r|` is at most this part of `|J_j| |r|`.
        x_scale: "jac" scales parameters by the columns of J; else their scales, a number or [n].
            None is "jac", as in scipy for "lm".
        loss: "linear", "soft_l1", "huber", "cauchy" or "arctan".
        f_scale: Size of a residual beyond which a robust loss counts it for less.
        max_nfev: Largest number of residual evaluations; 100 (n + 1) each way if None. 0 returns
            the start.
        max_iterations: Largest number of steps; None for any. 0 returns the start.
        damping: One of `DAMPINGS` or a rule, such as `TargetRatio(initial=0.1)`.
        geodesic: Bend steps along the second derivative of the residual, for one more evaluation
            each; None does for "lm".
        solver: One of `SOLVERS`; "auto" takes the smaller of the two matrices, and, where there is
            no room for the Jacobian, J^T J summed over `blocks`, or products alone.
        memory_limit_gb: Memory for the Jacobian and what is made of it, in GiB; None takes half of
            what is free.
        chunk_rows: Rows of the Jacobian that are differentiated at a time; None chooses.
        blocks: How many blocks the rows come in: `residual` is then called as `residual(x, number)`
            and returns the rows of that block. The Jacobian of all of them need not be held; None
            for a residual of x alone.
        sketch: Rows of a random sketch of the Jacobian to solve by, at least as many as parameters,
            for many rows in `blocks`; "auto" makes one of four rows a parameter where there are
            many more; None makes none.
        diff_step: Step of finite differences in units of `|x|`; None chooses.
        callback: Called with a `Solution` after each step; ends the iteration by StopIteration or
            by returning a true value.

    Returns:
        The solution. Its `success` says that x is a minimum, within the bounds, and that the cost
        has four digits. Ctrl-C ends the iteration and keeps the last accepted step.

    Raises:
        ValueError: If an argument is not as above, x0 lies outside of the bounds, or a residual or
            its derivative is not finite at the start.
        MemoryError: If the limit leaves no room for any solver, with what each of them needs; a
            `GaussNewtonMemoryError` if memory runs out all the same.

    Example:
        >>> t = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
        >>> data = 2.0 * torch.exp(-0.5 * t)
        >>> fit = least_squares(lambda x: x[0] * torch.exp(-x[1] * t) - data, [1.0, 1.0])
        >>> fit.x.round(decimals=6).tolist(), fit.success
        ([2.0, 0.5], True)
    """
    x = _start(x0)
    _check(residual, callback, geodesic, solver)
    box = Box.of(bounds, x)
    rule = _rule(method, damping)
    limits = Limits.of(ftol, xtol, gtol, max_nfev, max_iterations)
    robust = Loss(loss, f_scale)
    caller = residual_functions.make(residual, x, jac, chunk_rows, diff_step, box, blocks)
    problem, units = rescaled(caller, x)

    def stepper(way: Way) -> Stepper:
        return Stepper(
            problem,
            units.start(x),
            solver=solver,
            damping=way.damping,
            geodesic=way.geodesic,
            x_scale=way.x_scale,
            memory_limit_gb=memory_limit_gb,
            loss=units.loss(robust),
            box=units.box(box),
            sketch=sketch,
        )

    bent = method == "lm" if geodesic is None else geodesic
    found = minimise(
        stepper,
        Way(rule, units.scale("jac" if x_scale is None else x_scale), bent),
        limits.above(torch.finfo(x.dtype).eps),
        callback and (lambda solution: callback(units.solution(solution))),
        evaluations=100 * (x.numel() + 1) if max_nfev is None else None,
    )
    return units.solution(found)


def _check(residual: Any, callback: Any, geodesic: Any, solver: Any) -> None:
    require(
        None if callable(residual) else f"`residual` must be a function, got {residual!r}.",
        None
        if callback is None or callable(callback)
        else f"`callback` must be None or a function, got {callback!r}.",
        switch_problem("geodesic", geodesic, optional=True),
        None
        if solver in SOLVERS
        else f"`solver` must be one of {', '.join(SOLVERS)}, got {solver!r}.",
    )


def _start(x0: Vector) -> Tensor:
    try:
        x = x0.detach() if isinstance(x0, Tensor) else torch.from_numpy(np.array(x0))
    except (TypeError, ValueError):
        raise ValueError(f"`x0` must be a vector of numbers, got {x0!r}.") from None
    if not (x.is_floating_point() or x.is_complex()):
        x = x.to(torch.float64)
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"`x0` must be float32 or float64, got {x.dtype}.")
    x = x[None] if x.ndim == 0 else x
    if x.ndim != 1 or not x.numel():
        raise ValueError(f"`x0` must be a vector of at least one number, got {list(x.shape)}.")
    bad = int((~x.isfinite()).sum())
    if bad:
        raise ValueError(f"`x0` must be finite, got NaN or infinity in {bad} of {x.numel()}.")
    return x.clone()


def _rule(method: str, damping: str | Rule | None) -> str | Rule:
    if method not in _METHODS:
        raise ValueError(f"`method` must be one of {', '.join(_METHODS)}, got {method!r}.")
    if damping is None:
        return _METHODS[method]
    if method == "gauss_newton":
        raise ValueError(f"`damping` must be None for method='gauss_newton', got {damping!r}.")
    return damping
