"""What a minimisation returns: the solution, and in a sentence why it ended."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from ..html_table import html_table


class Status(enum.Enum):
    """Why an iteration ended; the value is the sentence that users read.

    Example:
        >>> Status.GTOL.success, Status.MAX_NFEV.success
        (True, False)
        >>> print(Status.MAX_NFEV.value)
        The largest number of evaluations was reached.
    """

    RUNNING = "The iteration goes on."
    ZERO_RESIDUAL = "The residual is zero."
    GTOL = "The gradient is small: no parameter explains more than `gtol` of the residual."
    FTOL = "The cost has settled: a step changed it by less than `ftol` of itself."
    XTOL = "The parameters have settled: a step changed them by less than `xtol` of themselves."
    PRECISION = "Rounding hides what the cost could still fall."
    UNDETERMINED = (
        "No minimum is certain: where the residual is lowest it does not determine all parameters, "
        "and no other way from the start ends there. Another start may serve."
    )
    ROUNDED = (
        "The parameters have settled where the residual is a few hundred roundings: its sum of "
        "squares has fewer than four digits."
    )
    STALLED = "No step was found that lowers the cost."
    NONFINITE = "The Jacobian holds NaN or infinity at the last accepted parameters."
    MAX_NFEV = "The largest number of evaluations was reached."
    MAX_ITERATIONS = "The largest number of iterations was reached."
    CALLBACK = "The callback asked to stop."
    INTERRUPTED = "Interrupted from the keyboard; the last accepted parameters are kept."

    @property
    def success(self) -> bool:
        """Whether the parameters are a minimum as far as the tolerances can tell."""
        return self in _MINIMA


_MINIMA = {Status.ZERO_RESIDUAL, Status.GTOL, Status.FTOL, Status.XTOL, Status.PRECISION}


@dataclass(frozen=True)
class Solution:
    """Where a minimisation ended.

    Attributes:
        x: [n], parameters.
        cost: Half the sum of squared residuals, or of their losses.
        optimality: Largest `|J_j . r| / |J_j|` over the columns of J: the gradient in units of the
            residual, whatever the units of the parameters; NaN where J was not computed at x. With
            bounds, `|J_j|` times the way to the bound that the cost falls towards where that is
            less, so 0 where a bound holds the parameter.
        status: Why it ended.
        message: The same as a sentence.
        nfev: Evaluations of the residual, without those of finite differences.
        njev: Evaluations of the Jacobian, or of its products.
        history: One flat dictionary an iteration: iteration, cost, optimality (before the step),
            damping, gain_ratio, step_norm, trials, accepted, fallback, nfev, seconds.
        residual: [m] at x.
        active_mask: [n], -1 for parameters at their lower bound, 1 for the upper one, else 0.

    Example:
        >>> from solvers.gauss_newton import least_squares
        >>> found = least_squares(lambda x: (x[0] - 2.0, 3.0 * x[0] - 6.0), [0.0])
        >>> found.success, found.status.name, found.x.round(decimals=6).tolist()
        (True, 'XTOL', [2.0])
        >>> found.nfev, found.history[0]["accepted"]
        (9, True)
        >>> found.ended(Status.CALLBACK).message
        'The callback asked to stop.'
    """

    x: Tensor
    cost: float
    optimality: float
    status: Status
    message: str
    nfev: int
    njev: int
    history: list[dict[str, Any]] = field(repr=False)
    residual: Tensor = field(repr=False)
    active_mask: Tensor = field(repr=False)

    @property
    def success(self) -> bool:
        """Whether x is a minimum as far as the tolerances can tell."""
        return self.status.success

    def _repr_html_(self) -> str:
        """Return what a notebook shows: how it ended, without the parameters themselves."""
        rows = [
            ("ended", self.message),
            ("cost", self.cost),
            ("optimality", self.optimality),
            ("parameters", self.x.numel()),
            ("evaluations of the residual", self.nfev),
            ("evaluations of the Jacobian", self.njev),
        ]
        return html_table(f"Solution, {'a minimum' if self.success else 'no minimum'}", (), rows)

    def ended(self, status: Status) -> Solution:
        """Return the same parameters with another end.

        Args:
            status: Why it ended.

        Returns:
            A copy with its sentence; itself where that is its end.
        """
        if status is self.status:
            return self
        return replace(self, status=status, message=status.value)
