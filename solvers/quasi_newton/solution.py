"""What a step did, why a minimisation ended, and what it returns."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..html_table import html_table


class Status(enum.Enum):
    """Why an iteration ended; the value is the sentence that users read.

    Example:
        >>> Status.GTOL.success, Status.MAX_ITERATIONS.success
        (True, False)
        >>> print(Status.MAX_ITERATIONS.value)
        The largest number of iterations was reached.
    """

    RUNNING = "The iteration goes on."
    GTOL = "The gradient is small: its largest entry is at most `gtol`."
    PRECISION = "The value stands at rounding: ten steps in a row have hardly lowered it."
    STALLED = "No step was found that lowers the value, along the gradient neither."
    NONFINITE = "No step was found: every trial was NaN or infinite."
    MAX_NFEV = "The largest number of evaluations was reached."
    MAX_ITERATIONS = "The largest number of iterations was reached."
    CALLBACK = "The callback asked to stop."
    INTERRUPTED = "Interrupted from the keyboard; the last accepted parameters are kept."

    @property
    def success(self) -> bool:
        """Whether the parameters are a minimum as far as can be told."""
        return self in (Status.GTOL, Status.PRECISION)


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        accepted: Whether x has moved.
        cost: Value at the new x.
        cost_before: Value at the old one.
        status: `RUNNING`, or why there is no further step.
        alpha: Length of the step in units of the quasi-Newton direction.
        evaluations: Of the function.
        phi: Factor of the update; NaN where there was none.
        tau: Factor of the update; NaN where there was none.
        reset: Whether the curvature was given up before the step.

    Example:
        >>> import torch
        >>> from solvers.quasi_newton import QuasiNewton
        >>> minimizer = QuasiNewton(lambda x: (x.square().sum(), 2.0 * x), torch.tensor([3.0]))
        >>> step = minimizer.step()
        >>> step.accepted, step.cost < step.cost_before, step.status.name
        (True, True, 'RUNNING')
    """

    accepted: bool
    cost: float
    cost_before: float
    status: Status
    alpha: float
    evaluations: int
    phi: float
    tau: float
    reset: bool


@dataclass(frozen=True)
class Solution:
    """Where a minimisation ended.

    Attributes:
        x: [n], parameters.
        cost: Value of the function.
        gradient: [n] at x.
        status: Why it ended.
        message: The same as a sentence.
        nfev: Evaluations of the function and its gradient.
        iterations: Accepted steps.
        resets: How often the curvature was given up.
        history: One flat dictionary an iteration: iteration, cost, optimality (largest entry of
            the gradient), alpha, evaluations, phi, tau, reset, nfev, seconds.

    Example:
        >>> from solvers.quasi_newton import minimize
        >>> found = minimize(lambda x: ((x - 3.0).square().sum(), 2.0 * (x - 3.0)), [0.0])
        >>> found.success, found.x.round(decimals=6).tolist(), found.optimality < 1e-6
        (True, [3.0], True)
    """

    x: Tensor
    cost: float
    gradient: Tensor
    status: Status
    message: str
    nfev: int
    iterations: int
    resets: int
    history: list[dict[str, Any]] = field(repr=False)

    @property
    def success(self) -> bool:
        """Whether x is a minimum as far as can be told."""
        return self.status.success

    @property
    def optimality(self) -> float:
        """Largest entry of the gradient by size."""
        return float(self.gradient.abs().max())

    def _repr_html_(self) -> str:
        """Return what a notebook shows: how it ended, without the parameters themselves."""
        rows = [
            ("ended", self.message),
            ("cost", self.cost),
            ("optimality", self.optimality),
            ("parameters", self.x.numel()),
            ("accepted steps", self.iterations),
            ("evaluations", self.nfev),
        ]
        return html_table(f"Solution, {'a minimum' if self.success else 'no minimum'}", (), rows)
