"""Several ways from one start, for ends that are no minima."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..damping.rule import Rule
from ..iteration import Iteration, Limits
from ..solution import Solution, Status
from ..stepper import Stepper
from ..variables.scaling import Scale
from .determinacy import Determinacy, look

_SAME = 1e-6  # relative difference of costs up to which two ends are as low

# Whoever ended these wants no more.
_FINAL = {Status.CALLBACK, Status.INTERRUPTED, Status.MAX_ITERATIONS}


@dataclass(frozen=True)
class Way:
    """What a way from the start is made by.

    Attributes:
        damping: A rule or its name.
        x_scale: See `Scaling`.
        geodesic: Whether steps are bent.
    """

    damping: str | Rule
    x_scale: Scale
    geodesic: bool


@dataclass(frozen=True)
class _End:
    solution: Solution
    determinacy: Determinacy

    @property
    def certain(self) -> bool:
        # Another way to where rounding takes digits would end there, too.
        found = self.determinacy in (Determinacy.FIRM, Determinacy.ROUNDED)
        return self.solution.success and found


def others(x: Tensor) -> list[Way]:
    """Return the ways to try where the first one led to no minimum.

    Columns of the Jacobian at the start may say nothing of the way, and a step in their scale may
    end where the model vanishes. The size of the start is another scale; a target for the gain
    ratio takes other steps in it.

    Args:
        x: [n], the start.

    Returns:
        The ways.
    """
    size = x.abs()
    used = size > 0
    scale = torch.where(used, size, size[used].mean() if bool(used.any()) else 1.0)
    return [Way("nielsen", scale, True), Way("target", scale, True)]


def minimise(
    make: Callable[[Way], Stepper],
    first: Way,
    limits: Limits,
    callback: Callable[[Solution], Any] | None,
    evaluations: int | None,
) -> Solution:
    """Go the first way, and others from the same start until one ends at a minimum.

    Args:
        make: Returns a stepper at the start.
        first: The first way.
        limits: Of all ways together; `max_nfev` too, unless `evaluations` is given.
        callback: See `Iteration`.
        evaluations: Of each way, or None.

    Returns:
        The lowest end. It is no success where parameters have no effect any more but had one
        elsewhere, or are not determined and no other way ends there. The history is that of all
        ways.
    """
    ends: list[_End] = []
    history: list[dict[str, Any]] = []
    nfev = njev = 0
    ways = [first]
    while ways:
        stepper = make(ways.pop(0))
        start = stepper.x
        stepper.nfev, stepper.njev = stepper.nfev + nfev, stepper.njev + njev
        most = limits.max_nfev if evaluations is None else nfev + evaluations
        own = dataclasses.replace(limits, max_nfev=most)
        ends.append(_end(stepper, start, Iteration(stepper, own, callback, history).run()))
        nfev, njev = stepper.nfev, stepper.njev
        best = _lowest(ends)
        spent = evaluations is None and nfev >= limits.max_nfev
        if best.certain or ends[-1].solution.status in _FINAL or spent:
            break
        if len(ends) == 1:
            ways = others(start)
    return dataclasses.replace(best.solution, nfev=nfev, njev=njev).ended(_status(best, ends))


def _end(stepper: Stepper, start: Tensor, solution: Solution) -> _End:
    if not (solution.success and stepper.linearized and stepper.cost > 0):
        return _End(solution, Determinacy.FIRM)
    try:
        return _End(solution, look(stepper, start))
    except KeyboardInterrupt:
        return _End(solution.ended(Status.INTERRUPTED), Determinacy.FIRM)


def _lowest(ends: list[_End]) -> _End:
    # Of ends that are as low, one that is certain.
    cost = min(end.solution.cost for end in ends)
    low = [end for end in ends if end.solution.cost <= cost * (1 + _SAME)]
    return min(low, key=lambda end: (not end.certain, end.solution.cost))


def _status(best: _End, ends: list[_End]) -> Status:
    found = best.solution.status
    if not found.success or best.determinacy is Determinacy.FIRM:
        return found
    if best.determinacy is Determinacy.ROUNDED:
        return Status.ROUNDED
    agree = [
        end.solution.success and math.isclose(end.solution.cost, best.solution.cost, rel_tol=_SAME)
        for end in ends
    ]
    loose = best.determinacy is Determinacy.LOOSE
    return found if loose and sum(agree) > 1 else Status.UNDETERMINED
