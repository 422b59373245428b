"""What is looked at after each sub-step of an integration, at once or some sub-steps later."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ..devices import is_waited_for, read
from .growth import GrowthWatch, separate
from .semidiscrete import Fields
from .state import NonFiniteStateError
from .stepper import Stepper

_BLOCK = 32  # sub-steps that are looked at together on an accelerator


@dataclass(frozen=True)
class SubStep:
    """A sub-step.

    Attributes:
        number: Index of the step that it is a part of, from 0.
        time: Where it begins.
        length: Its length, in units of time.
    """

    number: int
    time: float
    length: float


class StepChecks:
    """Refuses states that are not finite, and growth that is the steps' doing.

    On a CPU each sub-step is looked at as it is made. An accelerator would have to be waited for
    each time: there sizes are kept, and read for a block of sub-steps together. Where they show
    something, the block is taken again up to the very sub-step.

    Args:
        stepper: Made the sub-steps.
        watch: Looks at growth.
        count: Number of steps in all, for the messages.
        limit: Largest sub-step, for the messages.
    """

    def __init__(self, stepper: Stepper, watch: GrowthWatch, count: int, limit: float) -> None:
        self._stepper, self._watch = stepper, watch
        self._count, self._limit = count, limit
        self._until = -math.inf
        self._start: Fields = ()
        self._made: list[SubStep] = []
        self._sizes: list[Tensor] = []

    def __call__(self, before: Fields, after: Fields, made: SubStep) -> None:
        """Look at a sub-step, or keep it for later.

        Args:
            before: The fields where it begins.
            after: The fields at its end.
            made: Which one it is.

        Raises:
            NonFiniteStateError: If a value is not finite at its end, or at that of a former one.
            UnstableStepError: If the state grows as the equation does not.
        """
        if made.time <= self._until:
            return  # computed again for a gradient
        self._until = made.time
        sizes = [torch.linalg.vector_norm(field.detach()) for field in separate(after)]
        if not is_waited_for(after[0]):
            self._look(read(*sizes), made, lambda: (before, after))
            return
        if not self._made:
            self._start = tuple(field.detach() for field in before)
        self._made.append(made)
        self._sizes += sizes
        if len(self._made) == _BLOCK:
            self.finish()

    def finish(self) -> None:
        """Look at what was kept for later."""
        if not self._made:
            return
        sizes, made = read(*self._sizes), self._made
        self._sizes, self._made = [], []
        for k, each in enumerate(made):
            ends = partial(self._again, made[: k + 1])
            self._look(sizes[2 * k : 2 * k + 2], each, ends)

    @torch.no_grad()
    def _again(self, made: list[SubStep]) -> tuple[Fields, Fields]:
        before = after = self._start
        for each in made:
            before, after = after, self._stepper(after, each.time, each.length)
        return before, after

    def _look(
        self, sizes: list[float], made: SubStep, ends: Callable[[], tuple[Fields, Fields]]
    ) -> None:
        time = made.time + made.length
        where = f"step {made.number + 1} of {self._count}, time {time:g}"
        # The norm is finite unless a value is not, or values overflow in it: then look closer.
        if not math.isfinite(math.hypot(*sizes)):
            self._refuse(ends()[1], made, where)
        self._watch(sizes, ends, made.time, made.length, where)

    def _refuse(self, fields: Fields, made: SubStep, where: str) -> None:
        bad = torch.stack([~torch.isfinite(f.detach()).view(len(f), -1).all(1) for f in fields])
        nodes = bad.any(0).nonzero()
        if len(nodes):
            raise NonFiniteStateError(
                f"The state is not finite after {where}, at node {int(nodes[0])} and "
                f"{len(nodes)} in all (sub-step {made.length:g}, limit {self._limit:g})."
            )
