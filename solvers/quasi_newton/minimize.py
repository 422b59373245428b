"""`minimize`: the minimum of a function with a gradient, as scipy's users know it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import number_problem, require, switch_problem
from ..devices import on_cpu
from .line_search import LineSearch
from .solution import Solution, Status, Step
from .stepper import Function, QuasiNewton

Vector = Tensor | np.ndarray | Sequence[float]


@torch.inference_mode(False)  # the function may differentiate, also within an evaluation
@torch.enable_grad()
def minimize(
    fun_and_grad: Function,
    x0: Vector,
    method: str = "ssbroyden",
    *,
    gtol: float = 1e-8,
    max_iterations: int | None = None,
    max_nfev: int | None = None,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    initial_scaling: bool = True,
    memory_limit_gb: float | None = None,
    callback: Callable[[Solution], Any] | None = None,
) -> Solution:
    """Minimise a function by a dense quasi-Newton method.

    It computes in float64, whatever the function computes in. Where the function is noisy or ends
    in rounding, slopes decide in place of values, and the end says so.

    Args:
        fun_and_grad: x [n] -> value and gradient [n], a tensor, an array or a list; x is a copy.
            A value that is NaN or infinite only makes a step shorter.
        x0: [n], the start; on the device of a tensor, else on the CPU. Not modified.
        method: "ssbroyden" and "ssbfgs" rescale the curvature of former steps (Urban, Stefanou and
            Pons, J. Comput. Phys. 523, 2025, after Al-Baali), "bfgs" keeps it as it is.
        gtol: Ends when no entry of the gradient is larger; in units of the value over those of x.
        max_iterations: Largest number of steps; None for 200 n. 0 returns the start.
        max_nfev: Largest number of evaluations; None for any.
        decrease: Part of the promised fall of the value that makes a step short enough.
        curvature: Part of the slope that a step may leave; a small one finds the minimum along
            each direction.
        initial_scaling: Whether the inverse Hessian starts from the scale of the first step.
        memory_limit_gb: Memory for the inverse Hessian, 8 n^2 bytes, in GiB; None takes three
            quarters of what is free.
        callback: Called with a `Solution` after each step; ends the iteration by StopIteration or
            by returning a true value.

    Returns:
        The solution, with the reason of its end in words. Ctrl-C ends the iteration and keeps the
        last accepted step.

    Raises:
        ValueError: If an argument is not as above, or value or gradient are not finite at x0.
        MemoryError: If there is no room, with what is needed.

    Example:
        >>> def rosenbrock(x):
        ...     a, b = 1.0 - x[0], x[1] - x[0] ** 2
        ...     gradient = torch.stack((-2.0 * a - 400.0 * b * x[0], 200.0 * b))
        ...     return a**2 + 100.0 * b**2, gradient
        >>> fit = minimize(rosenbrock, [-1.2, 1.0])
        >>> fit.x.round(decimals=6).tolist(), fit.success
        ([1.0, 1.0], True)
    """
    x = _start(x0)
    wanted = "None or a whole number of at least 0"
    require(
        None
        if callable(fun_and_grad)
        else f"`fun_and_grad` must be a function, got {fun_and_grad!r}.",
        None
        if callback is None or callable(callback)
        else f"`callback` must be None or a function, got {callback!r}.",
        number_problem("gtol", gtol, "a number of at least 0", least=0.0),
        switch_problem("initial_scaling", initial_scaling),
        *(
            number_problem(name, 0 if value is None else value, wanted, least=0.0, whole=True)
            for name, value in (("max_iterations", max_iterations), ("max_nfev", max_nfev))
        ),
    )
    stepper = QuasiNewton(
        fun_and_grad,
        x,
        method=method,
        line_search=LineSearch(decrease, curvature),
        initial_scaling=initial_scaling,
        memory_limit_gb=memory_limit_gb,
    )
    most = 200 * stepper.n if max_iterations is None else max_iterations
    evaluations = math.inf if max_nfev is None else max_nfev
    return _Iteration(stepper, gtol, most, evaluations, callback).run()


class _Iteration:
    """A minimisation under way."""

    def __init__(
        self,
        stepper: QuasiNewton,
        gtol: float,
        most: float,
        evaluations: float,
        callback: Callable[[Solution], Any] | None,
    ) -> None:
        self._stepper, self._gtol, self._callback = stepper, gtol, callback
        self._most, self._evaluations = most, evaluations
        self._history: list[dict[str, Any]] = []
        self._started = time.perf_counter()

    def run(self) -> Solution:
        """Iterate to the end."""
        try:
            return self._solution(self._loop())
        except KeyboardInterrupt:
            return self._solution(Status.INTERRUPTED)

    def _loop(self) -> Status:
        stepper = self._stepper
        if stepper.optimality <= self._gtol:
            return Status.GTOL
        while True:
            if stepper.iterations >= self._most:
                return Status.MAX_ITERATIONS
            left = self._evaluations - stepper.nfev
            if left <= 0:
                return Status.MAX_NFEV
            step = stepper.step(self._gtol, left)
            if step.accepted:
                self._remember(step)
                if self._told_to_stop():
                    return Status.CALLBACK
            if step.status is not Status.RUNNING:
                return step.status

    def _told_to_stop(self) -> bool:
        if self._callback is None:
            return False
        try:
            return bool(self._callback(self._solution(Status.RUNNING)))
        except StopIteration:
            return True

    def _remember(self, step: Step) -> None:
        stepper = self._stepper
        self._history.append({
            "iteration": stepper.iterations,
            "cost": step.cost,
            "optimality": stepper.optimality,
            "alpha": step.alpha,
            "evaluations": step.evaluations,
            "phi": step.phi,
            "tau": step.tau,
            "reset": step.reset,
            "nfev": stepper.nfev,
            "seconds": time.perf_counter() - self._started,
        })  # fmt: skip

    def _solution(self, status: Status) -> Solution:
        stepper = self._stepper
        return Solution(
            x=stepper.x.clone(),
            cost=stepper.cost,
            gradient=stepper.gradient.clone(),
            status=status,
            message=status.value,
            nfev=stepper.nfev,
            iterations=stepper.iterations,
            resets=stepper.resets,
            history=self._history,
        )


def _start(x0: Vector) -> Tensor:
    try:
        with on_cpu():
            x = x0.detach() if isinstance(x0, Tensor) else torch.from_numpy(np.array(x0, float))
    except (TypeError, ValueError):
        raise ValueError(f"`x0` must be a vector of numbers, got {x0!r}.") from None
    if x.ndim != 1 or not x.numel() or x.is_complex():
        raise ValueError(f"`x0` must be a vector of at least one number, got {list(x.shape)}.")
    bad = int((~x.isfinite()).sum())
    if bad:
        raise ValueError(f"`x0` must be finite, got NaN or infinity in {bad} of {x.numel()}.")
    return x.to(torch.float64)
