"""One iteration of damped least squares at a time, on a problem that may change in between."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from . import _damping, _memory
from ._damping import Attempt, Rule
from ._directions import Direction, Dual, MatrixFree, Primal, Solved
from ._robust import Loss
from ._scaling import Scale, Scaling, length

Product = Callable[[Tensor], Tensor]

_GEODESIC_STEP = 0.1  # of the step, for the second directional derivative: Transtrum and Sethna
_GEODESIC_LIMIT = 0.75  # largest correction, twice over, in units of the step


class NonFiniteJacobianError(FloatingPointError):
    """A Jacobian holds NaN or infinity although the residuals are finite."""


class Problem(Protocol):
    """What is minimised: half the sum of squares of the residual, or of a robust loss of it."""

    num_rows: int

    def residual(self, x: Tensor) -> Tensor:
        """Compute the residual [m] at x [n]."""

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the residual [m] and its Jacobian [m, n], which the next call may overwrite."""


@runtime_checkable
class ProductProblem(Problem, Protocol):
    """A problem that can be minimised without its Jacobian in memory."""

    def products(self, x: Tensor) -> tuple[Tensor, Product, Product]:
        """Compute the residual [m] and return v -> J v and w -> J^T w."""


@dataclass(frozen=True)
class Step:
    """What one iteration did.

    Attributes:
        accepted: Whether x has moved.
        cost: Cost at the new x.
        cost_before: Cost at the old one.
        predicted: Fall of the cost that the linear model promised.
        gain_ratio: Fall of the cost in units of the predicted one.
        damping: Damping of the last trial, relative to D, dimensionless.
        step_norm: |s| of the last trial, in units of the parameters.
        relative_step: |s| / |x|, in the norm of D.
        gradient_norm: Optimality at the old x.
        trials: Steps that were tried.
        fallback: "qr" or "svd" where Cholesky did not serve, else None.
        futile: No step at all can bring more than rounding.
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


@dataclass(frozen=True)
class _Point:
    x: Tensor
    residual: Tensor
    cost: float


class Stepper:
    """Minimises a problem step by step.

    The direction says where a step goes (damped least squares through J^T J, J J^T or products
    alone), the rule of the damping says how far. Levenberg-Marquardt and Gauss-Newton differ in the
    rule only.

    Args:
        problem: What is minimised.
        x: [n], float32 or float64, the start; not modified.
        direction: "auto", "primal", "dual" or "matrix_free".
        damping: A rule or its name: see `_damping`.
        geodesic: Bend steps by the second directional derivative, for one more evaluation of the
            residual each.
        x_scale: "jac", a number or [n]: see `Scaling`.
        memory_limit_gb: Memory to use at most, in GiB; half of what is free if None.
        loss: Robust loss of the residuals.

    Raises:
        ValueError: If an argument is not as above, or the residual is not finite at the start.
        MemoryError: If there is no room for any direction.

    Example:
        >>> class Line:
        ...     num_rows = 2
        ...     matrix = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
        ...     def residual(self, x): return self.matrix @ x - 2.0
        ...     def linearize(self, x): return self.residual(x), self.matrix
        >>> stepper = Stepper(Line(), torch.zeros(2, dtype=torch.float64))
        >>> step = stepper.step()
        >>> step.accepted, round(step.gain_ratio, 6), stepper.x.round(decimals=2).tolist()
        (True, 1.0, [2.0, 1.0])
    """

    def __init__(
        self,
        problem: Problem,
        x: Tensor,
        *,
        direction: str = "auto",
        damping: str | Rule = "nielsen",
        geodesic: bool = True,
        x_scale: Scale = "jac",
        memory_limit_gb: float | None = None,
        loss: Loss | None = None,
    ) -> None:
        self._rule = _damping.find(damping)
        self._memory = self._rule.start()
        self._loss = Loss() if loss is None else loss
        self._geodesic = geodesic
        self._scaling = Scaling(x_scale, x)
        self._wanted, self._limit = direction, memory_limit_gb
        self._choose(problem, x)
        self.max_nfev: int | None = None  # trials beyond it are not made
        self.nfev = 0
        self.njev = 0
        self._first_gradient: float | None = None
        self.gradient_norm = math.nan
        self._install(problem, x.detach().clone())

    @property
    def x(self) -> Tensor:
        """Parameters [n] of the last accepted step."""
        return self._point.x

    @property
    def residual(self) -> Tensor:
        """Residual [m] there."""
        return self._point.residual

    @property
    def cost(self) -> float:
        """Cost there."""
        return self._point.cost

    @property
    def linearized(self) -> bool:
        """Whether the Jacobian at x is known, to which `gradient_norm` then belongs."""
        return self._direction is not None

    @property
    def damping(self) -> float:
        """Damping that the next step starts with, relative to D, dimensionless."""
        return float(self._memory["damping"])

    def _choose(self, problem: Problem, x: Tensor) -> None:
        self.path, self._room = _memory.choose(
            problem.num_rows,
            x.numel(),
            x.element_size(),
            x.device,
            self._wanted,
            self._limit,
            matrix_free=isinstance(problem, ProductProblem),
            robust=self._loss.name != "linear",
        )

    def _install(self, problem: Problem, x: Tensor) -> None:
        residual = problem.residual(x).detach()
        self.nfev += 1
        bad = int((~residual.isfinite()).sum())
        if bad:
            raise ValueError(
                f"`residual` must be finite at the start, got NaN or infinity in {bad} of "
                f"{residual.numel()} rows."
            )
        cost = self._loss.cost(residual)
        if not math.isfinite(cost):
            raise ValueError("`residual` must have a finite sum of squares at the start.")
        self.problem = problem
        self._point = _Point(x, residual, cost)
        self._direction: Direction | None = None

    def replace(self, problem: Problem) -> None:
        """Go on with other rows (points, weights) at the same x; the relative damping is kept.

        Args:
            problem: What is minimised from now on.

        Raises:
            ValueError: If its residual is not finite.
        """
        before = self.cost
        self._direction = None
        self._choose(problem, self.x)
        self._install(problem, self.x)
        # At the same x, a common factor on all rows shows in the cost; other changes hardly do.
        ratio = self.cost / before if before > 0 else 0.0
        if 0 < ratio < math.inf:
            self._scaling.multiply(ratio)

    def linearize(self) -> None:
        """Compute the Jacobian at x, if that has not been done, and what follows from it.

        Raises:
            NonFiniteJacobianError: If the Jacobian is not finite.
        """
        if self._direction is not None:
            return
        x = self.x
        rows, weights = self._loss.rows(self.residual)
        if self.path == "matrix_free" and isinstance(self.problem, ProductProblem):
            _, forward, backward = self.problem.products(x)
            direction: Direction = MatrixFree(*_weighted(forward, backward, weights), rows)
        else:
            jacobian = self.problem.linearize(x)[1].detach()
            if weights is not None:
                jacobian = jacobian * weights[:, None]
            direction = (Primal if self.path == "primal" else Dual)(jacobian, self._room)
        self.njev += 1
        columns = direction.column_squares
        bad = int((~columns.isfinite()).sum())
        if bad:
            raise NonFiniteJacobianError(
                f"The Jacobian must be finite, got NaN or infinity in {bad} of {x.numel()} columns."
            )
        direction.scale = self._scaling.update(columns)
        self._rows, self._weights = rows, weights
        self._gradient = direction.transposed(rows)
        cosines = self._gradient.abs() / columns.sqrt()
        self.gradient_norm = float(torch.where(columns > 0, cosines, 0.0).max())
        self._measure = torch.where(columns > 0, direction.scale, 0.0)
        self._x_length = length(x, self._measure)
        if isinstance(direction, MatrixFree):
            self._set_tolerance(direction)
        self._solved: tuple[float, Solved | None] | None = None
        self._direction = direction

    def _set_tolerance(self, direction: MatrixFree) -> None:
        # Inexact Newton: Eisenstat and Walker (1996), their choice 2 from the first gradient on.
        norm = length(self._gradient, direction.scale.reciprocal())
        if self._first_gradient is None:
            self._first_gradient = norm
        ratio = norm / self._first_gradient if self._first_gradient > 0 else 1.0
        direction.tolerance = min(0.1, max(ratio**0.5, 1e-8))

    def step(self) -> Step:
        """Linearise if x has moved, then try steps until one is accepted or none can be.

        Returns:
            What was done. A trial that is not finite is rejected.

        Raises:
            NonFiniteJacobianError: If the Jacobian is not finite.
        """
        self.linearize()
        before = self._point
        least = 2 * torch.finfo(before.x.dtype).eps
        attempts, memory = self._rule.search(self._attempt, self._memory, least)
        last = attempts[-1]
        self._memory = memory
        if last.accepted and last.step is not None and last.residual is not None:
            self._direction = None
            self._point = _Point(before.x + last.step, last.residual, last.cost)
        norm = math.nan if last.step is None else float(torch.linalg.vector_norm(last.step))
        return Step(
            accepted=last.accepted,
            cost=self.cost,
            cost_before=before.cost,
            predicted=last.predicted,
            gain_ratio=last.gain_ratio,
            damping=last.damping,
            step_norm=norm,
            relative_step=last.relative,
            gradient_norm=self.gradient_norm,
            trials=len(attempts),
            fallback=last.fallback,
            futile=last.futile,
        )

    def _attempt(self, damping: float, fraction: float) -> Attempt:
        spent = self.max_nfev is not None and self.nfev >= self.max_nfev
        solved = None if spent else self._solve(damping)
        if solved is None:
            nothing = (None, None, math.inf, -math.inf, 0.0)
            return Attempt(damping, fraction, *nothing, futile=spent)
        slope = -float(torch.dot(self._gradient, solved.step))
        square = float(torch.dot(solved.forward, solved.forward))
        predicted = fraction * slope - 0.5 * fraction**2 * square
        step = solved.step
        if self._geodesic and fraction == 1.0:
            step = self._bend(solved, damping)
        step = step * fraction
        residual = self._evaluate(self.x + step)
        cost = self._loss.cost(residual)
        if not math.isfinite(cost):
            cost, reduction = math.inf, -math.inf
        else:
            reduction = self._loss.reduction(self.residual, residual)
        eps = torch.finfo(step.dtype).eps
        relative = length(step, self._measure) / max(self._x_length, 1e-300)
        attempt = Attempt(
            damping, fraction, step, residual, cost, reduction, predicted, relative,
            fallback=solved.fallback,
        )  # fmt: skip
        futile = not attempt.accepted and (predicted <= 2 * eps * self.cost or relative <= eps)
        return attempt if not futile else attempt.give_up()

    def _evaluate(self, x: Tensor) -> Tensor:
        self.nfev += 1
        return self.problem.residual(x).detach()

    def _solve(self, damping: float) -> Solved | None:
        if self._direction is None:
            return None
        if self._solved is None or self._solved[0] != damping:
            self._solved = damping, self._direction.solve(self._rows, damping)
        return self._solved[1]

    def _bend(self, solved: Solved, damping: float) -> Tensor:
        # Geodesic acceleration: Transtrum and Sethna, Improvements to the Levenberg-Marquardt
        # algorithm (2012), eq. (8) to (15); the second derivative is a difference of residuals.
        h = _GEODESIC_STEP
        ahead = self._evaluate(self.x + h * solved.step) - self.residual
        if self._weights is not None:
            ahead = ahead * self._weights
        curvature = (2 / h) * (ahead / h - solved.forward)
        if self._direction is None or not bool(curvature.isfinite().all()):
            return solved.step
        bent = self._direction.solve(curvature, damping)
        if bent is None:
            return solved.step
        correction = 0.5 * bent.step
        limit = _GEODESIC_LIMIT * length(solved.step, self._measure)
        if not 2 * length(correction, self._measure) <= limit:
            return solved.step
        return solved.step + correction

    def state_dict(self) -> dict[str, Any]:
        """Return what continues the iteration: plain numbers, lists and tensors.

        Returns:
            A dictionary for `load_state_dict` of a stepper on the same problem.
        """
        largest = self._scaling.largest
        return {
            "x": self.x.clone(),
            "memory": dict(self._memory),
            "scale": None if largest is None else largest.clone(),
            "first_gradient": self._first_gradient,
            "nfev": self.nfev,
            "njev": self.njev,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; on the CPU to the same bits.

        Args:
            state: From `state_dict`.

        Raises:
            ValueError: If it belongs to another number of parameters or another rule.
        """
        x = state["x"].to(self.x)
        if x.shape != self.x.shape:
            raise ValueError(f"`state` must hold {self.x.numel()} parameters, got {x.numel()}.")
        if set(state["memory"]) != set(self._rule.start()):
            raise ValueError(
                f"`state` must hold the memory of {type(self._rule).__name__}, "
                f"got {', '.join(sorted(state['memory']))}."
            )
        self._memory = dict(state["memory"])
        scale = state["scale"]
        self._scaling.largest = None if scale is None else scale.to(x).clone()
        self._first_gradient = state["first_gradient"]
        self._install(self.problem, x.clone())
        self.nfev, self.njev = state["nfev"], state["njev"]


def _weighted(
    forward: Product, backward: Product, weights: Tensor | None
) -> tuple[Product, Product]:
    if weights is None:
        return forward, backward
    return (lambda v: weights * forward(v)), (lambda w: backward(weights * w))
