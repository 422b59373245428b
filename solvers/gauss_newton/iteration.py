"""The loop over steps: when it ends, its history, and the caller's function after each step."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from ..checks import number_problem, require
from .problem import NonFiniteJacobianError
from .solution import Solution, Status
from .standstill import POOR
from .step import Step
from .stepper import Stepper

_WITHIN = 10.0  # of a tolerance
_REST = 1e-4  # undamped step, in units of x, up to which parameters are at rest


@dataclass(frozen=True)
class Limits:
    """When to end.

    Attributes:
        ftol: Relative change of the cost, foretold and found.
        xtol: Relative change of the parameters, in the scale of the damping.
        gtol: Largest cosine of the angle between the residual and a column of the Jacobian.
        max_nfev: Evaluations of the residual.
        max_iterations: Iterations.

    Raises:
        ValueError: If a tolerance or a number is negative or not a number.
    """

    ftol: float
    xtol: float
    gtol: float
    max_nfev: float
    max_iterations: float

    def __post_init__(self) -> None:
        for name in ("ftol", "xtol", "gtol"):
            wanted = "None or a number of at least 0"
            require(number_problem(name, getattr(self, name), wanted, least=0.0))
        for name in ("max_nfev", "max_iterations"):
            wanted, value = "None or a whole number of at least 0", getattr(self, name)
            require(number_problem(name, value, wanted, least=0.0, whole=True, infinite=True))

    @classmethod
    def of(
        cls,
        ftol: float | None,
        xtol: float | None,
        gtol: float | None,
        max_nfev: int | None,
        max_iterations: int | None,
    ) -> Limits:
        """Make limits of what users give: None for a tolerance never met, or for any number."""
        tolerances = (0.0 if each is None else each for each in (ftol, xtol, gtol))
        numbers = (math.inf if each is None else each for each in (max_nfev, max_iterations))
        return cls(*tolerances, *numbers)

    def above(self, rounding: float) -> Limits:
        """Return the limits with tolerances that rounding can tell; 0 stays 0, never met.

        Args:
            rounding: Smallest tolerance.

        Returns:
            New limits.
        """

        def raised(tolerance: float) -> float:
            return max(tolerance, rounding) if tolerance > 0 else 0.0

        tolerances = raised(self.ftol), raised(self.xtol), raised(self.gtol)
        return Limits(*tolerances, self.max_nfev, self.max_iterations)


@dataclass
class Iteration:
    """A minimisation under way.

    Attributes:
        stepper: Where it is.
        limits: When to end.
        callback: Called with the solution so far after each iteration; a true value in return,
            or StopIteration, ends the iteration.
        history: See `Solution`.
    """

    stepper: Stepper
    limits: Limits
    callback: Callable[[Solution], Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> Solution:
        """Iterate to the end.

        Returns:
            The solution; Ctrl-C ends the iteration, too.

        Raises:
            ValueError: If the Jacobian is not finite at the start.
        """
        self._started = time.perf_counter()
        if math.isfinite(self.limits.max_nfev):
            self.stepper.max_nfev = int(self.limits.max_nfev)
        try:
            status = self._loop()
            # The optimality belongs to the parameters that are returned.
            with contextlib.suppress(NonFiniteJacobianError):
                self.stepper.linearize()
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        return self._solution(status)

    def _loop(self) -> Status:
        stepper, limits = self.stepper, self.limits
        while True:
            if stepper.cost == 0:
                return Status.ZERO_RESIDUAL
            try:
                stepper.linearize()
            except NonFiniteJacobianError as error:
                if not self.history:
                    raise ValueError(str(error)) from error
                return Status.NONFINITE
            if stepper.gradient_norm <= limits.gtol * math.sqrt(2 * stepper.cost):
                return Status.GTOL
            if stepper.nfev >= limits.max_nfev:
                return Status.MAX_NFEV
            if len(self.history) >= limits.max_iterations:
                return Status.MAX_ITERATIONS
            step = stepper.step()
            self._remember(step)
            if self._told_to_stop():
                return Status.CALLBACK
            if status := self._settled(step):
                return status

    def _settled(self, step: Step) -> Status | None:
        fall = max(step.cost_before - step.cost, step.predicted)
        if step.relative_step <= self.limits.xtol and self._at_rest():
            return Status.XTOL
        if step.accepted:
            settled = fall <= self.limits.ftol * step.cost_before and step.gain_ratio > POOR
            if (settled or step.at_rounding) and self._at_rest():
                return Status.FTOL if settled else Status.PRECISION
            return None
        if self.stepper.nfev >= self.limits.max_nfev:
            return Status.MAX_NFEV
        return Status.PRECISION if step.futile and self._at_rest() else Status.STALLED

    def _at_rest(self) -> bool:
        # A large damping makes steps as small as one likes, and what they promise, anywhere. At a
        # minimum the gradient is small, or, where the residual is rounding, the undamped step.
        if self.stepper.cost == 0:
            return True
        try:
            model = self.stepper.linearize()
        except NonFiniteJacobianError:
            return False
        cosine = model.optimality / math.sqrt(2 * self.stepper.cost)
        least = torch.finfo(self.stepper.x.dtype).eps ** 0.25
        if cosine <= max(least, _WITHIN * math.sqrt(self.limits.ftol)):
            return True
        solved = model.undamped()
        most = max(_REST, _WITHIN * self.limits.xtol)
        return solved is not None and model.relative(solved.step) <= most

    def _told_to_stop(self) -> bool:
        if self.callback is None:
            return False
        try:
            return bool(self.callback(self._solution(Status.RUNNING)))
        except StopIteration:
            return True

    def _remember(self, step: Step) -> None:
        self.history.append({
            "iteration": len(self.history) + 1,
            "cost": step.cost,
            "optimality": step.gradient_norm,
            "damping": step.damping,
            "gain_ratio": step.gain_ratio,
            "step_norm": step.step_norm,
            "trials": step.trials,
            "accepted": step.accepted,
            "fallback": step.fallback,
            "nfev": self.stepper.nfev,
            "seconds": time.perf_counter() - self._started,
        })  # fmt: skip

    def _solution(self, status: Status) -> Solution:
        stepper = self.stepper
        message = status.value
        if stepper.x.dtype == torch.float32 and status in _ROUNDED:
            message += " float32 tells no smaller changes than 1e-7 of a value; float64 goes on."
        return Solution(
            x=stepper.x.clone(),
            cost=stepper.cost,
            optimality=stepper.gradient_norm if stepper.linearized else math.nan,
            status=status,
            message=message,
            nfev=stepper.nfev,
            njev=stepper.njev,
            history=self.history,
            residual=stepper.residual,
            active_mask=stepper.box.active(stepper.x),
        )


_ROUNDED = {Status.GTOL, Status.FTOL, Status.XTOL, Status.PRECISION, Status.STALLED}
