"""The linear model of a problem at one point: directions, promises, and the second derivative."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..devices import is_waited_for, read
from .damping.rule import Attempt
from .direction.dense import Direction, Solved
from .robust_loss import Loss
from .variables.bounds import Box
from .variables.scaling import length, square_length

Residual = Callable[[Tensor], Tensor]
Measures = Callable[[Tensor], Sequence[Tensor]]

_AHEAD = 0.1  # of the step, where the second directional derivative is taken
_BEND = 0.75  # largest correction, twice over, in units of the step


def _none(residual: Tensor) -> Sequence[Tensor]:
    return ()


class Linearization:
    """A cost and its Gauss-Newton model at x.

    What decides is computed where the vectors lie and read together: once here, and once for the
    end of a trial.

    Args:
        x: [n].
        residual: [m] there.
        loss: Turns residuals into the cost.
        direction: The linear algebra, its scale set.
        weights: [m], factors of the rows that the loss asks for, or None for 1.
        box: Where x may be.
        measures: Numbers [] of a residual [m] that are read along with its cost.

    Attributes:
        gradient: [n], of the cost; 0 for parameters that are held by a bound.
        held: [n], true for those.
        bad: Number of columns of J that are not finite.
        optimality: Largest |J_j . r| / |J_j| over the columns that are not zero; |J_j| times the
            way to the bound that the cost falls towards, where that is less.
        steepness: Length of the gradient in the norm of 1 / D.
        least: Smallest damping that makes sense.
        columns: [n], lengths of the columns of J.
    """

    def __init__(
        self,
        x: Tensor,
        residual: Tensor,
        loss: Loss,
        direction: Direction,
        weights: Tensor | None,
        box: Box,
        measures: Measures = _none,
    ) -> None:
        self._x, self._residual, self._loss = x, residual, loss
        self._direction, self._weights, self._box = direction, weights, box
        self._measures = measures
        self.least = direction.least
        self._rows = loss.rows(residual)[0]
        self._solved: tuple[float, Solved | None] | None = None
        self._whole_leaves = False
        columns = direction.column_squares
        self.columns = columns.sqrt()
        used = columns > 0
        self._measure = torch.where(used, direction.scale, 0.0)
        self.gradient = direction.transposed(self._rows)
        self.held = torch.zeros_like(used)
        if box.bounded:
            self.held = box.outward(x, -self.gradient)
            self.gradient = torch.where(self.held, 0.0, self.gradient)
        single = self.gradient.abs() / self.columns
        if box.bounded:
            single = torch.minimum(single, self.columns * box.room(x, self.gradient))
        bad, self.optimality, x_square, slope, self._cost, held = read(
            (~columns.isfinite()).sum(),
            torch.where(used, single, 0.0).max(),
            square_length(x, self._measure),
            square_length(self.gradient, direction.scale.reciprocal()),
            loss.cost_of(residual),
            self.held.any(),
        )
        self.bad = int(bad)
        self._x_length, self.steepness = math.sqrt(x_square), math.sqrt(slope)
        if held:
            direction.hold(self.held)

    @property
    def jacobian(self) -> Tensor | None:
        """J [m, n] with the weights of its rows; None where there are products alone."""
        return getattr(self._direction, "jacobian", None)

    def _crosses(self, step: Tensor) -> bool:
        # Parameters at a bound that the step crosses are columns of zeros from now on.
        if not self._box.bounded:
            return False
        out = self._box.outward(self._x, step)
        crosses, leaves = read(out.any(), self._box.leaves(self._x + step))
        self._whole_leaves = bool(leaves)
        if crosses:
            self._direction.hold(out)
            self.held = self.held | out
            self.gradient = torch.where(out, 0.0, self.gradient)
        return bool(crosses)

    def solve(self, damping: float) -> Solved | None:
        """Find a direction, or return the last one where the damping is the same.

        It crosses no bound that x is at: parameters that it would take there are held.

        Args:
            damping: Relative to D, dimensionless.

        Returns:
            The direction, or None where rounding prevents one.
        """
        if self._solved is None or self._solved[0] != damping:
            solved = self._direction.solve(self._rows, damping)
            while solved is not None and self._crosses(solved.step):
                solved = self._direction.solve(self._rows, damping)
            self._solved = damping, solved
        return self._solved[1]

    def undamped(self) -> Solved | None:
        """Find the direction of the least damping: the one that no rule has made small."""
        return self.solve(self.least)

    def relative(self, step: Tensor) -> float:
        """Return the length of a step [n] in units of that of x, both in the norm of D."""
        return length(step, self._measure) / max(self._x_length, 1e-300)

    @property
    def evaluations(self) -> int:
        """How often a bent step evaluates the residual."""
        return 2 if self._direction.whole else 3

    def attempt(
        self, evaluate: Residual, damping: float, fraction: float, geodesic: bool
    ) -> Attempt:
        """Take a step and compare what it brings with what the model promises.

        A step that would leave the box is not bent. It ends at the point of the box nearest to its
        end, or where it meets the first bound, whichever promises more.

        Args:
            evaluate: x -> residual.
            damping: Relative to D, dimensionless.
            fraction: Part of the direction to take.
            geodesic: Whether to bend a whole step.

        Returns:
            The step and its end; rejected if that is not finite.
        """
        solved = self.solve(damping)
        if solved is None:
            return Attempt(damping, fraction)
        step = solved.step * fraction
        cut = self._leaves(step, fraction)
        if cut:
            fraction, x, predicted = self._cut(solved, fraction)
            step = x - self._x
        else:
            if geodesic and fraction == 1.0:
                step = self._bent(evaluate, solved, damping)
            x = self._box.project(self._x + step)
        residual = evaluate(x)
        cost, reduction, square, norm, slope, bow, *measured = read(
            self._loss.cost_of(residual),
            self._loss.reduction_of(self._residual, residual),
            square_length(step, self._measure),
            step.norm(),
            *self._model_of(solved.step, solved.forward),
            *self._measures(residual),
        )
        if not cut:
            predicted = _promise(slope, bow, fraction)
        attempt = Attempt(
            damping,
            fraction,
            step,
            residual,
            cost=cost,
            reduction=reduction,
            predicted=predicted,
            relative=math.sqrt(square) / max(self._x_length, 1e-300),
            norm=norm,
            fallback=solved.fallback,
            x=x,
            measures=tuple(measured),
        )
        eps = torch.finfo(step.dtype).eps
        # Of a step that is cut, another part may promise more.
        promised = attempt.predicted > 2 * eps * self._cost or cut
        tiny = not promised or attempt.relative <= eps
        return attempt.give_up() if tiny and not attempt.accepted else attempt

    def _leaves(self, step: Tensor, fraction: float) -> bool:
        if not self._box.bounded:
            return False
        if fraction == 1.0:
            return self._whole_leaves
        return bool(self._box.leaves(self._x + step))

    def _model_of(self, step: Tensor, forward: Tensor) -> tuple[Tensor, Tensor]:
        # First and second derivative of the model along a step, neither of them read.
        return torch.dot(self.gradient, step), torch.dot(forward, forward)

    def _cut(self, solved: Solved, fraction: float) -> tuple[float, Tensor, float]:
        # The nearest point reaches several bounds at once, but may lie where the cost rises; on the
        # way to the first bound it falls.
        whole = self._x + fraction * solved.step
        nearest = self._box.project(whole)
        step = nearest - self._x
        to_bound, first = self._box.first_bound(self._x, fraction * solved.step)
        slope, bow, own_slope, own_bow, part = read(
            *self._model_of(step, self._direction.forward(step)),
            *self._model_of(solved.step, solved.forward),
            to_bound,
        )
        promised = _promise(slope, bow, 1.0)
        safe = _promise(own_slope, own_bow, part * fraction)
        return (fraction, nearest, promised) if promised > safe else (part * fraction, first, safe)

    def _bent(self, evaluate: Residual, solved: Solved, damping: float) -> Tensor:
        # Geodesic acceleration: Transtrum and Sethna, Improvements to the Levenberg-Marquardt
        # algorithm (2012), eq. (8) to (15), the second derivative as a difference of residuals.
        # A correction that is too large, or not finite, is left out: the straight step is still a
        # step.
        ahead = self._change(evaluate, _AHEAD * solved.step)
        if self._direction.whole:
            curvature = (2 / _AHEAD) * (ahead / _AHEAD - solved.forward)
        else:  # without J s, the point behind tells as much
            back = -_AHEAD * solved.step
            if self._box.bounded and bool(self._box.leaves(self._x + back)):
                return solved.step
            curvature = (ahead + self._change(evaluate, back)) / _AHEAD**2
        if not is_waited_for(curvature) and not bool(curvature.isfinite().all()):
            return solved.step
        second = self._direction.solve(curvature, damping)
        if second is None:
            return solved.step
        bend = 0.5 * second.step
        own, most = (
            square_length(vector, self._measure).double().sqrt() for vector in (bend, solved.step)
        )
        return torch.where(2 * own <= _BEND * most, solved.step + bend, solved.step)

    def _change(self, evaluate: Residual, step: Tensor) -> Tensor:
        # Of the rows, by a step.
        change = evaluate(self._x + step) - self._residual
        return change if self._weights is None else change * self._weights


def _promise(slope: float, bow: float, fraction: float) -> float:
    return -fraction * slope - 0.5 * fraction**2 * bow
