"""One step of damped least squares at a time, on a problem that may change in between."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

from torch import Tensor

from ..devices import is_out_of_memory, read
from .damping import by_name
from .damping.rule import Attempt, Rule
from .direction import memory
from .direction.sketch import Rows
from .linear_model import Linearization
from .linearizer import Linearizer
from .problem import MeasuredProblem, NonFiniteJacobianError, Problem
from .robust_loss import Loss
from .saved_state import check_state
from .standstill import Standstill
from .step import Point, Step
from .variables.bounds import Box
from .variables.scaling import Scale, Scaling

_TRUSTED = 0.5  # gain ratio from which the model is good enough for a bolder step
_RETREATS, _RETREAT = 10, 1e3  # how often, and the factor of the damping


class Stepper:
    """Minimises a problem step by step.

    The solver says where a step goes (damped least squares through J^T J, J J^T or products alone),
    the rule of the damping says how far; Levenberg-Marquardt and Gauss-Newton differ in it alone.

    Args:
        problem: What is minimised.
        x: [n], float32 or float64, the start; not modified.
        solver: "auto", or one of `direction.memory.SOLVERS`; those by blocks of rows need a
            `BlockProblem`.
        damping: A rule or its name: "nielsen", "gain_ratio", "target", "bold", "line_search".
        geodesic: Bend steps along the second directional derivative, for one more evaluation of
            the residual each, two more and a gradient where J is not held.
        x_scale: "jac", a number or [n]: see `Scaling`.
        memory_limit_gb: Memory to use at most, in GiB; half of what is free if None.
        loss: Robust loss of the residuals.
        box: Where x may be; everywhere if None. The residual is evaluated nowhere else.
        direction: Former name of `solver`.
        sketch: Rows of a sketch to solve by, at least as many as parameters; "auto" makes one of
            four rows a parameter where there are many more; None makes none.

    Attributes:
        gradient_norm: Optimality, largest `|J_j . r| / |J_j|`, where J was computed last.
        nfev: Evaluations of the residual.
        njev: Evaluations of the Jacobian.
        max_nfev: No trial is made beyond so many evaluations; None for any number.

    Raises:
        ValueError: If an argument is not as above, or the residual is not finite at the start.
        MemoryError: If there is no room for any solver.

    Example:
        >>> import torch
        >>> class Line:
        ...     num_rows = 2
        ...     matrix = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
        ...     def residual(self, x): return self.matrix @ x - 2.0
        ...     def linearize(self, x): return self.residual(x), self.matrix
        >>> stepper = Stepper(Line(), torch.zeros(2, dtype=torch.float64))
        >>> step = stepper.step()
        >>> step.accepted, round(step.gain_ratio, 6), stepper.x.round(decimals=2).tolist()
        (True, 1.0, [2.0, 1.0])
        >>> stepper.cost < step.cost_before, stepper.linearized, stepper.spent, stepper.measures
        (True, False, False, ())
        >>> stepper.solver, stepper.sizes().columns, stepper.damping < step.damping
        ('primal', 2, True)
        >>> stepper.load_state_dict(stepper.state_dict())  # another one would go on from here
        >>> stepper.replace(Line())  # a problem with other points or weights
    """

    def __init__(
        self,
        problem: Problem,
        x: Tensor,
        *,
        solver: str = "auto",
        damping: str | Rule = "nielsen",
        geodesic: bool = True,
        x_scale: Scale = "jac",
        memory_limit_gb: float | None = None,
        loss: Loss | None = None,
        box: Box | None = None,
        direction: str | None = None,
        sketch: Rows = None,
    ) -> None:
        if direction is not None:
            warnings.warn("`direction` is now `solver`.", DeprecationWarning, stacklevel=2)
            solver = direction
        self._rule = by_name.find(damping)
        self._memory = self._rule.start()
        self._loss = Loss() if loss is None else loss
        self._geodesic = geodesic
        scaling = Scaling(x_scale, x)
        self.box = Box.everywhere(x) if box is None else box
        self._linearizer = Linearizer(
            self._loss, scaling, solver, memory_limit_gb, self.box, sketch
        )
        self.nfev = self.njev = self._retreats = 0
        self.max_nfev: int | None = None
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
    def measures(self) -> tuple[float, ...]:
        """What a `MeasuredProblem` measures of the residual there."""
        return self._point.measures

    @property
    def linearized(self) -> bool:
        """Whether the Jacobian was computed at x, to which `gradient_norm` then belongs."""
        return self._model is not None

    def sizes(self) -> memory.Sizes | None:
        """Return what is solved, and by what."""
        return self._linearizer.sizes()

    @property
    def spent(self) -> bool:
        """Whether no evaluation is left."""
        return self.max_nfev is not None and self.nfev >= self.max_nfev

    @property
    def solver(self) -> str:
        """The solver that was chosen, one of `direction.memory.SOLVERS`."""
        return self._linearizer.solver

    @property
    def path(self) -> str:
        """Former name of `solver`."""
        warnings.warn("`path` is now `solver`.", DeprecationWarning, stacklevel=2)
        return self.solver

    @property
    def damping(self) -> float:
        """Damping that the next step starts with, relative to D, dimensionless."""
        return float(self._memory["damping"])

    def _install(self, problem: Problem, x: Tensor) -> None:
        self._linearizer.choose(problem, x)
        self.problem = problem
        with memory.told(self.sizes):
            residual = self._evaluate(x)
        bad, cost, *measures = read(
            (~residual.isfinite()).sum(),
            self._loss.cost_of(residual),
            *(problem.measures(residual) if isinstance(problem, MeasuredProblem) else ()),
        )
        if bad:
            raise ValueError(
                f"`residual` must be finite at the start, got NaN or infinity in {int(bad)} of "
                f"{residual.numel()} rows."
            )
        if not math.isfinite(cost):
            raise ValueError("`residual` must have a finite sum of squares at the start.")
        self._model: Linearization | None = None
        self._before: Point | None = None
        # After `load_state_dict`, the cost where the state was saved, perhaps with other rows.
        self._saved_cost: float | None = None
        self._point = Point(x, residual, cost, tuple(measures))
        self._standstill = Standstill(residual.numel(), residual.dtype)

    def replace(self, problem: Problem) -> None:
        """Go on with other rows (points, weights) at the same x; the relative damping is kept.

        Args:
            problem: What is minimised from now on.

        Raises:
            ValueError: If its residual is not finite.
        """
        before = self.cost if self._saved_cost is None else self._saved_cost
        self._install(problem, self.x)
        # At the same x, a common factor on all rows shows in the cost; other changes hardly do.
        ratio = self.cost / before if before > 0 else 0.0
        if 0 < ratio < math.inf:
            self._linearizer.multiply(ratio)

    def linearize(self) -> Linearization:
        """Compute the Jacobian at x, if that has not been done, and what follows from it.

        Returns:
            The linear model at x.

        Raises:
            NonFiniteJacobianError: If the Jacobian is not finite.
            GaussNewtonMemoryError: If memory runs out.
        """
        with memory.told(self.sizes):
            return self._linearized()

    def _linearized(self) -> Linearization:
        while self._model is None:
            try:
                model = self._linear_model()
            except NonFiniteJacobianError:
                if not self._retreat():
                    raise
            else:
                self.gradient_norm = model.optimality
                self._model = model
        return self._model

    def _linear_model(self) -> Linearization:
        self.njev += 1
        try:
            return self._linearizer(self.problem, self.x, self.residual)
        except NonFiniteJacobianError:
            # At a bound a derivative may be infinite, as of sqrt(x) at 0. That from a little inside
            # says whether the bound holds the parameter, and leaves the others their columns.
            near = self.box.inside(self.x)
            if near is None:
                raise
            self.njev += 1
            return self._linearizer(self.problem, self.x, self.residual, near)

    def _retreat(self) -> bool:
        # Back to where the Jacobian was finite, with more damping, so that the next step ends
        # elsewhere; not for ever.
        if self._before is None or self._retreats >= _RETREATS or self.damping == 0:
            return False
        self._retreats += 1
        self._point, self._before = self._before, None
        self._memory = {**self._memory, "damping": self.damping * _RETREAT}
        return True

    def step(self) -> Step:
        """Linearise if x has moved, then try steps until one is accepted or none can be.

        Returns:
            What was done. A trial that is not finite is rejected.

        Raises:
            NonFiniteJacobianError: If the Jacobian is not finite.
            GaussNewtonMemoryError: If memory runs out; x is where it was before.
        """
        with memory.told(self.sizes):
            return self._step()

    def _step(self) -> Step:
        model, before = self.linearize(), self._point

        def attempt(damping: float, fraction: float) -> Attempt:
            if self.spent:
                return Attempt(damping, fraction, futile=True)
            room = self.max_nfev is None or self.nfev + model.evaluations <= self.max_nfev
            return model.attempt(self._evaluate, damping, fraction, self._geodesic and room)

        attempts, self._memory = self._rule.search(attempt, self._memory, model.least)
        last = attempts[-1]
        self._saved_cost = None
        if last.accepted and last.x is not None and last.residual is not None:
            self._model, self._before = None, before
            self._linearizer.moves += 1
            if last.damping <= model.least and last.gain_ratio > _TRUSTED:
                self._linearizer.relax()
            self._point = Point(last.x, last.residual, last.cost, last.measures)
        step = Step.of(attempts, before.cost, self.gradient_norm)
        if not step.accepted:
            return step
        standing = self._standstill.note(step.cost_before, step.cost, step.predicted)
        return dataclasses.replace(step, at_rounding=standing)

    def elsewhere(self, x: Tensor) -> tuple[Tensor, float] | None:
        """Look at another point without going there.

        Args:
            x: [n].

        Returns:
            Residual [m] and cost at the point of the box nearest to it; None where the residual
            cannot be computed, or no evaluation is left.
        """
        if self.spent:
            return None
        try:
            residual = self._evaluate(x)
        except Exception as error:  # the caller's function was never to be asked for this x
            if is_out_of_memory(error):
                raise
            return None
        cost = self._loss.cost(residual)
        return (residual, cost) if math.isfinite(cost) else None

    def _evaluate(self, x: Tensor) -> Tensor:
        self.nfev += 1
        return self.problem.residual(self.box.project(x)).detach()

    def state_dict(self) -> dict[str, Any]:
        """Return what continues the iteration: plain numbers, lists and tensors.

        Returns:
            A dictionary for `load_state_dict` of a stepper on the same problem.
        """
        state = {
            "x": self.x.clone(),
            "cost": self.cost,
            "memory": dict(self._memory),
            **self._linearizer.state_dict(),
            "nfev": self.nfev,
            "njev": self.njev,
        }
        # Away from a standstill the state is the one that older versions have written.
        return {**state, "standstill": self._standstill.past} if self._standstill.past else state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; on the CPU to the same bits.

        Args:
            state: From `state_dict`.

        Raises:
            ValueError: If it is none, or belongs to another number of parameters or another rule.
        """
        check_state(state)
        x = state["x"].to(self.x)
        if x.shape != self.x.shape:
            raise ValueError(f"`state` must hold {self.x.numel()} parameters, got {x.numel()}.")
        memory_of_rule = by_name.saved_memory(self._rule, state["memory"])
        self._install(self.problem, x.clone())
        self._memory = memory_of_rule
        self._linearizer.load_state_dict(state, x)
        self._saved_cost = state["cost"]
        self._standstill.past = list(state.get("standstill", []))
        self.nfev, self.njev = state["nfev"], state["njev"]
