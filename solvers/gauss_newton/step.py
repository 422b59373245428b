"""Where a minimisation stands, and what one step of it did."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .damping.rule import Attempt


@dataclass(frozen=True)
class Point:
    """Where an iteration stands.

    Attributes:
        x: [n], parameters.
        residual: [m] there.
        cost: Cost there.
        measures: What the problem measures of the residual; see `MeasuredProblem`.
    """

    x: Tensor
    residual: Tensor
    cost: float
    measures: tuple[float, ...]


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        accepted: Whether x has moved.
        cost: Cost at the new x.
        cost_before: Cost at the old one.
        predicted: Fall of the cost that the linear model promised.
        gain_ratio: Fall of the cost in units of the predicted one.
        damping: Damping of the last trial, relative to D, dimensionless.
        step_norm: `|s|` of the last trial, in units of the parameters.
        relative_step: `|s| / |x|`, in the norm of D.
        gradient_norm: Optimality at the old x.
        trials: Steps that were tried.
        fallback: "qr" or "svd" where Cholesky factors did not serve, else None.
        futile: No step at all can bring more than rounding.
        at_rounding: The last steps have not lowered the cost beyond its rounding: see `Standstill`.

    Example:
        >>> import torch
        >>> from solvers.gauss_newton import Stepper
        >>> class Parabola:
        ...     num_rows = 1
        ...     def residual(self, x): return x**2 - 4.0
        ...     def linearize(self, x): return self.residual(x), 2.0 * torch.diag(x)
        >>> step = Stepper(Parabola(), torch.ones(1, dtype=torch.float64)).step()
        >>> step.accepted, step.cost < step.cost_before, step.predicted > 0
        (True, True, True)
        >>> tried = [Attempt(0.1, cost=2.0, reduction=1.0, predicted=2.0)]
        >>> Step.of(tried, cost=3.0, gradient_norm=1.0).gain_ratio
        0.5
    """

    accepted: bool
    cost: float
    cost_before: float
    predicted: float
    gain_ratio: float
    damping: float
    step_norm: float
    relative_step: float
    gradient_norm: float
    trials: int
    fallback: str | None = None
    futile: bool = False
    at_rounding: bool = False

    @classmethod
    def of(cls, attempts: list[Attempt], cost: float, gradient_norm: float) -> Step:
        """Describe a step by its trials, the last of which was taken or given up.

        Args:
            attempts: All trials.
            cost: Cost before them.
            gradient_norm: Optimality before them.

        Returns:
            The description.
        """
        last = attempts[-1]
        return cls(
            accepted=last.accepted,
            cost=last.cost if last.accepted else cost,
            cost_before=cost,
            predicted=last.predicted,
            gain_ratio=last.gain_ratio,
            damping=last.damping,
            step_norm=last.norm,
            relative_step=last.relative,
            gradient_norm=gradient_norm,
            trials=len(attempts),
            fallback=last.fallback,
            futile=last.futile,
        )
