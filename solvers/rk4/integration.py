"""Many steps: which ones, with which states kept, and what to do when one fails."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .growth import GrowthWatch
from .progress_bar import Bar
from .semidiscrete import Fields
from .stability import substeps
from .step_checks import StepChecks, SubStep
from .stepper import Stepper

_SNAP = 1e-9  # of a step: times this close are one time
_SLACK = 1e-3  # of a step, by which the end may miss one at most


@dataclass
class Plan:
    """Whole steps, and the places in them where states are asked for.

    Attributes:
        time: Start.
        step: Length of a step.
        count: Number of steps.
        saves: Number of states asked for; None for the last one only.
        at: For each step, fractions in (0, 1] and the numbers of the saves there; step -1 is the
            start.
    """

    time: float
    step: float
    count: int
    saves: int | None
    at: dict[int, list[tuple[float, int]]] = field(default_factory=dict)

    @classmethod
    def make(
        cls, time: float, end: float, step: float, save_at: Sequence[float] | Tensor | None
    ) -> Plan:
        """Plan the steps from `time` to `end`.

        Args:
            time: Start.
            end: `time` plus a whole number of steps.
            step: Length of a step, positive.
            save_at: Ascending times, or None.

        Returns:
            The plan.

        Raises:
            ValueError: If a time is out of range or the saves are not in ascending order.
        """
        if not end > time:
            raise ValueError(f"`end` must be greater than `time` {time}, got {end}.")
        count = round((end - time) / step)
        # As times in float32 are rounded; of many steps that must not be as much as one.
        slack = min(1e-6 * max(1, count), _SLACK)
        if count < 1 or abs((end - time) / step - count) > slack:
            raise ValueError(
                f"`end` must be `time` {time} plus a whole number of steps of {step}, got {end}."
            )
        if save_at is None:
            return cls(time, step, count, None)
        if isinstance(save_at, str) or not isinstance(save_at, Iterable):
            raise ValueError(f"`save_at` must be a list of times, got {save_at!r}.")
        times = [float(t) for t in save_at]
        plan = cls(time, step, count, len(times))
        if not times:
            raise ValueError("`save_at` must hold at least one time, got none.")
        for k, (t, before) in enumerate(zip(times, [-math.inf, *times], strict=False)):
            if t <= before:
                raise ValueError(f"`save_at` must be ascending, got {before} before {t}.")
            place = (t - time) / step
            if not -_SNAP <= place <= count + slack + _SNAP:
                raise ValueError(f"`save_at` must lie in [{time}, {end}], got {t}.")
            place = min(place, count)
            whole = round(place)
            near = whole if abs(place - whole) <= _SNAP * max(1, count) else None
            inside = math.floor(place) if near is None else near - 1
            plan.at.setdefault(inside, []).append((1.0 if near is not None else place % 1.0, k))
        return plan

    def pieces(self, i: int) -> list[tuple[float, float, list[int]]]:
        """The parts of step i: from and to a fraction of it, and the saves at the end of each."""
        ends = dict.fromkeys([*(f for f, _ in self.at.get(i, ())), 1.0])
        cuts = itertools.pairwise([0.0, *ends])
        return [(a, b, [k for f, k in self.at.get(i, ()) if f == b]) for a, b in cuts]


def march(
    stepper: Stepper,
    state: Tensor,
    plan: Plan,
    limit: float,
    watch: GrowthWatch,
    checkpoint_every: int | None,
    progress: bool | None,
) -> Tensor:
    """Take the steps of a plan; see `solvers.rk4.integrate`."""
    fields = stepper.split(state)
    saved: dict[int, Tensor] = {}
    if start := plan.at.get(-1):
        saved |= {k: stepper.join(stepper.impose(plan.time, fields)) for _, k in start}
    checks = StepChecks(stepper, watch, plan.count, limit)
    few = math.isqrt(plan.count) if plan.count > 16 else plan.count
    block = few if checkpoint_every is None else int(checkpoint_every)
    with Bar(plan.count, progress) as bar:
        for first in range(0, plan.count, block):
            steps = range(first, min(first + block, plan.count))

            def run(*fields: Tensor, steps: range = steps) -> tuple[Fields, dict[int, Tensor]]:
                return _run(stepper, fields, plan, limit, checks, steps, bar)

            # Of the state, or of whatever the right-hand side depends on: who knows.
            if torch.is_grad_enabled() and len(steps) < plan.count:
                fields, new = checkpoint(
                    run, *fields, use_reentrant=False, preserve_rng_state=False
                )
            else:
                fields, new = run(*fields)
            saved |= new
    checks.finish()
    if plan.saves is None:
        return stepper.join(fields)
    return torch.stack([saved[k] for k in range(plan.saves)])


def _run(
    stepper: Stepper,
    fields: Fields,
    plan: Plan,
    limit: float,
    checks: StepChecks,
    steps: range,
    bar: Bar,
) -> tuple[Fields, dict[int, Tensor]]:
    saved: dict[int, Tensor] = {}
    for i in steps:
        for a, b, saves in plan.pieces(i):
            length = (b - a) * plan.step
            parts = substeps(length, limit)
            for j in range(parts):
                # From the index, not by adding up: the times keep no rounding of earlier steps.
                now = plan.time + (i + a + (b - a) * j / parts) * plan.step
                before, fields = fields, stepper(fields, now, length / parts)
                checks(before, fields, SubStep(i, now, length / parts))
            if saves:
                saved |= dict.fromkeys(saves, stepper.join(fields))
        bar.done(i + 1)
    return fields, saved
