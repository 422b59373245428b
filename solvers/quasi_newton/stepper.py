"""One quasi-Newton step at a time, on a function that may change in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..devices import read
from . import memory
from .inverse_hessian import InverseHessian
from .line_search import LineSearch, Trial
from .saved_state import check_state
from .solution import Status, Step
from .updates import METHODS
from .vectors import vector_like

Function = Callable[[Tensor], tuple[Any, ...]]
"""Takes x `[n]` in float64; returns value, gradient `[n]`, and what else is to be kept with x."""

_PATIENCE = 10  # steps over which the value has to fall by more than rounding
_ROUNDINGS = 10.0  # by which each of them has to lower it, on average
_PARALLEL = 1e-14  # cosine of direction and gradient, or of step and its change, that is none


class NonFiniteStartError(ValueError):
    """Value or gradient hold NaN or infinity where a minimisation is to start, or go on.

    Example:
        >>> from solvers.quasi_newton import minimize
        >>> minimize(lambda x: (x.log().sum(), 1 / x), [0.0, 1.0])
        Traceback (most recent call last):
            ...
        solvers.quasi_newton.stepper.NonFiniteStartError: Value and gradient must be finite to
        start from, got NaN or infinity.
    """


class QuasiNewton:
    """Steps that minimise a function.

    Args:
        function: See `Function`. Value and gradient may be of any float type.
        x0: [n], the start, on the device where the inverse Hessian will lie; not modified.
        method: One of `METHODS`.
        line_search: The conditions of a step; None for the usual ones.
        initial_scaling: Whether the first update is made to the identity times `s'y / y'y`, the
            scale of the first pair, instead of to the identity itself.
        memory_limit_gb: Memory for the inverse Hessian, in GiB; None takes three quarters of what
            is free.
        instead: What the user can do where that is not enough; the end of a sentence.

    Attributes:
        x: [n], float64, where it is.
        cost: Value at x.
        gradient: [n] at x, float64.
        more: What the function has returned beside them at x.
        inverse_hessian: The approximation.
        nfev: Evaluations of the function so far.
        iterations: Accepted steps so far.
        resets: How often the curvature was given up so far.

    Raises:
        ValueError: If an argument is not as above.
        NonFiniteStartError: If value or gradient are not finite at x0.
        MemoryError: If there is no room, with what is needed.

    Example:
        >>> def parabola(x):
        ...     return 0.5 * (x[0] ** 2 + 100.0 * x[1] ** 2), x * torch.tensor([1.0, 100.0])
        >>> minimizer = QuasiNewton(parabola, torch.tensor([1.0, 1.0]), method="bfgs")
        >>> while minimizer.optimality > 1e-9:
        ...     step = minimizer.step()
        >>> minimizer.x.abs().max().item() < 1e-9, minimizer.iterations < 20
        (True, True)
        >>> again = QuasiNewton(parabola, torch.ones(2), method="bfgs")
        >>> again.load_state_dict(minimizer.state_dict())
        >>> again.replace(lambda x: (10 * parabola(x)[0], 10 * parabola(x)[1]), rescale=True)
        >>> torch.equal(again.x, minimizer.x), again.resets
        (True, 0)
    """

    def __init__(
        self,
        function: Function,
        x0: Tensor,
        *,
        method: str = "ssbroyden",
        line_search: LineSearch | None = None,
        initial_scaling: bool = True,
        memory_limit_gb: float | None = None,
        instead: str = memory.INSTEAD,
    ) -> None:
        if method not in METHODS:
            names = ", ".join(METHODS)
            raise ValueError(f"`method` must be one of {names}, got {method!r}.")
        memory.check(x0.numel(), x0.device, memory_limit_gb, instead)
        self.method, self._factors = method, METHODS[method]
        self._search = line_search or LineSearch()
        self._initial_scaling, self._instead = initial_scaling, instead
        self.x = x0.detach().to(torch.float64).clone()
        self.n = self.x.numel()
        self.inverse_hessian = InverseHessian(self.n, self.x.device)
        self.nfev = self.iterations = self.resets = 0
        self._past: list[float] = []  # values before the last steps, as long as none has fallen
        self._scale: float | None = None  # of the last pair, for a restart
        self._direction: Tensor | None = None
        self._eps = 0.0
        self._function = function
        self.cost, self.gradient, self.more = math.nan, torch.zeros_like(self.x), None
        self.replace()

    # ---- the function -------------------------------------------------------------------------

    def replace(self, function: Function | None = None, rescale: bool = False) -> None:
        """Go on with another function, or with the same one that has changed; curvature is kept.

        Where value and gradient at x are what they were to the last bit, nothing changes.

        Args:
            function: The new one; None for the same.
            rescale: Whether it is the old one in other units, as by other weights: the curvature
                then is divided by the factor that the value has changed by.

        Raises:
            NonFiniteStartError: If value or gradient are not finite at x.
        """
        self._function = function or self._function
        value, gradient, more = self._evaluate(self.x)
        if not math.isfinite(value) or not bool(gradient.isfinite().all()):
            raise NonFiniteStartError(
                "Value and gradient must be finite to start from, got NaN or infinity."
            )
        self.more = more
        if value == self.cost and torch.equal(gradient, self.gradient):
            return
        if rescale and value > 0 and self.cost > 0 and not self.inverse_hessian.is_fresh:
            self.inverse_hessian.scale(self.cost / value)
        self.cost, self.gradient = value, gradient
        self._direction, self._past = None, []

    def _evaluate(self, x: Tensor) -> tuple[float, Tensor, Any]:
        """Return value, gradient in float64, and what comes with them."""
        self.nfev += 1
        # Copies, as the caller's function may write to what it is given, and to what it has given.
        value, gradient, *more = self._function(x.detach().clone())
        gradient = vector_like(x, gradient)
        self._eps = torch.finfo(gradient.dtype).eps
        gradient = gradient.detach().to(torch.float64, copy=True)
        return float(value), gradient, more[0] if more else None

    # ---- a step -------------------------------------------------------------------------------

    @property
    def optimality(self) -> float:
        """Largest entry of the gradient by size."""
        return float(self.gradient.abs().max())

    def step(self, gtol: float = 0.0, max_evaluations: float = math.inf) -> Step:
        """Make a step.

        Args:
            gtol: Largest entry of the gradient at which there is none to be made.
            max_evaluations: Of the function in it, at most.

        Returns:
            What it did. Where it is not accepted, x is as it was.

        Raises:
            MemoryError: If memory runs out, with what is needed.
        """
        with memory.told(self.n, self._instead):
            return self._step(gtol, max_evaluations)

    def _step(self, gtol: float, left: float) -> Step:
        before, evaluated = self.cost, self.nfev
        if self.optimality <= gtol:
            return self._refused(Status.GTOL, evaluated, False)
        direction, slope = self._downhill()
        found, seen = self._look_along(direction, slope, left)
        reset = False
        if found is None and not self.inverse_hessian.is_fresh and self.nfev - evaluated < left:
            # Curvature that leads nowhere is given up.
            reset = True
            self._restart()
            along, steepest = self._downhill()
            found, again = self._look_along(along, steepest, left - (self.nfev - evaluated))
            direction, seen = along, seen or again
        if found is None:
            if self.nfev - evaluated >= left:
                return self._refused(Status.MAX_NFEV, evaluated, reset)
            if abs(slope) <= 100.0 * _ROUNDINGS * self._eps * abs(before):
                return self._refused(Status.PRECISION, evaluated, reset)
            return self._refused(Status.STALLED if seen else Status.NONFINITE, evaluated, reset)
        factors = self._accept(found, direction)
        status = Status.PRECISION if self._stands_still(before) else Status.RUNNING
        if self.optimality <= gtol:
            status = Status.GTOL
        spent = self.nfev - evaluated
        return Step(True, self.cost, before, status, found.alpha, spent, *factors, reset)

    def _refused(self, status: Status, evaluated: int, reset: bool) -> Step:
        spent, nan = self.nfev - evaluated, math.nan
        return Step(False, self.cost, self.cost, status, nan, spent, nan, nan, reset)

    def _downhill(self) -> tuple[Tensor, float]:
        """Return the direction and the slope along it, which is negative."""
        if self._direction is None:
            self._direction = -self.inverse_hessian.times(self.gradient)
        direction, gradient = self._direction, self.gradient
        slope, length, steepness = read(direction.dot(gradient), direction.norm(), gradient.norm())
        if slope < -_PARALLEL * length * steepness and math.isfinite(length):
            return direction, slope
        if self.inverse_hessian.is_fresh and slope < 0.0:
            return direction, slope
        self._restart()
        self._direction = -self.inverse_hessian.times(gradient)
        return self._direction, -self.inverse_hessian.factor * steepness**2

    def _restart(self) -> None:
        """Give the curvature up, all but its scale."""
        self.inverse_hessian.reset(self._scale or 1.0)
        self._direction = None
        self.resets += 1

    def _look_along(
        self, direction: Tensor, slope: float, left: float
    ) -> tuple[Trial | None, bool]:
        """Search along a direction; return what was found, and whether any trial was finite."""
        finite = False

        def evaluate(alpha: float) -> Trial:
            nonlocal finite
            x = torch.add(self.x, direction, alpha=alpha)
            value, gradient, more = self._evaluate(x)
            trial = Trial(alpha, value, read(gradient.dot(direction))[0], gradient, more)
            finite = finite or trial.is_finite
            return trial

        first = 1.0
        if self._scale is None:  # nothing is known of its length yet
            first = min(1.0, 1.0 / math.sqrt(-slope))
        start = Trial(0.0, self.cost, slope)
        return self._search.search(evaluate, start, first, left), finite

    def _accept(self, trial: Trial, direction: Tensor) -> tuple[float, float]:
        """Go to a trial and learn from it; return the factors, NaN where nothing is learnt."""
        assert trial.gradient is not None  # `evaluate` gives one
        s = direction * trial.alpha
        old, new = self.gradient, trial.gradient
        self.x = torch.add(self.x, direction, alpha=trial.alpha)
        self.cost, self.gradient, self.more = trial.value, new, trial.more
        self.iterations += 1
        self._direction = None
        return self._learn(s, old, new, trial.alpha)

    def _learn(self, s: Tensor, old: Tensor, new: Tensor, alpha: float) -> tuple[float, float]:
        """Update the inverse Hessian, and find the next direction on the way."""
        hessian, y = self.inverse_hessian, new - old
        sy, yy, ss, slope = read(s.dot(y), y.dot(y), s.dot(s), s.dot(old))
        if not sy > _PARALLEL * math.sqrt(ss) * math.sqrt(yy) or not math.isfinite(sy):
            return math.nan, math.nan  # no curvature along s
        # The direction was -H g, so that H y is a product with the new gradient, and its sum.
        if hessian.is_fresh and self._scale is None and self._initial_scaling:
            hessian.reset(sy / yy)
            product, z = hessian.times(new), hessian.times(y)
            b = ss / (hessian.factor * sy)
        else:
            product = hessian.times(new)
            z = product + s / alpha
            b = -alpha * slope / sy
        self._scale = sy / yy
        zy, zg, sg = read(z.dot(y), z.dot(new), s.dot(new))
        if not (zy > 0.0 and b > 0.0 and math.isfinite(zy) and math.isfinite(b)):
            self._restart()
            return math.nan, math.nan
        phi, tau = self._factors(zy / sy, b, self.n)
        if not (tau > 0.0 and math.isfinite(phi) and math.isfinite(tau)):
            self._restart()
            return math.nan, math.nan
        zz, sz, both = hessian.update(s, z, sy, zy, phi, tau)
        # The new direction from the old product: H is read once in an iteration.
        direction = product.mul_(-1.0 / tau)
        direction.add_(s, alpha=-(both * sg + sz * zg))
        self._direction = direction.add_(z, alpha=-(sz * sg + zz * zg))
        return phi, tau

    def _stands_still(self, before: float) -> bool:
        """Note a step, and return whether the last ones have hardly lowered the value."""
        least = _ROUNDINGS * self._eps * abs(before)
        if before - self.cost > least:
            self._past = []
            return False
        self._past = [*self._past, before][-_PATIENCE:]
        return len(self._past) == _PATIENCE and self._past[0] - self.cost <= _PATIENCE * least

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what goes on bit for bit, as tensors and plain numbers.

        The array of the inverse Hessian is the one in use, not a copy.
        """
        return {
            "method": self.method,
            "x": self.x.clone(),
            "cost": self.cost,
            "gradient": self.gradient.clone(),
            "direction": None if self._direction is None else self._direction.clone(),
            "inverse_hessian": self.inverse_hessian.state_dict(),
            "scale": self._scale,
            "past": list(self._past),
            "nfev": self.nfev,
            "iterations": self.iterations,
            "resets": self.resets,
        }

    def load_state_dict(self, state: Mapping[str, Any], rescale: bool = False) -> None:
        """Go on from what `state_dict` returned; the function is evaluated there.

        Its array is taken over, not copied. Where the function has changed since, curvature is
        kept and the rest follows.

        Args:
            state: Of a stepper of the same method and number of parameters.
            rescale: As for `replace`, whether it has changed its units.

        Raises:
            ValueError: If it is not; it names the part.
            NonFiniteStartError: If value or gradient are not finite at the saved x.
        """
        check_state(state, self.method, self.n)
        device = self.x.device
        self.x = state["x"].to(device).clone()
        self.cost, self.gradient = state["cost"], state["gradient"].to(device)
        self._direction = None
        if state["direction"] is not None:
            self._direction = state["direction"].to(device).clone()
        self.inverse_hessian.load_state_dict(state["inverse_hessian"])
        self._scale, self._past = state["scale"], list(state["past"])
        self.replace(rescale=rescale)
        self.nfev, self.iterations = state["nfev"], state["iterations"]
        self.resets = state["resets"]
