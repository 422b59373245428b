"""When a direction has been refined enough, and when refining it is of no use."""

from __future__ import annotations

import torch
from torch import Tensor

from ...devices import is_waited_for

# A refinement leaves about `rounding / damping` of the step. Where it leaves more than the first of
# these, orthogonal factors take over; below the second the next one would change nothing.
_CONTRACTION, _ENOUGH = 0.1, 1e-4
_MOST = 3
_TINY = 1e-300


class Refinement:
    """Counts refinements and looks at what each has changed.

    On an accelerator nothing is read: all refinements are made, those after the last that was
    needed are not taken, so that the numbers are those of a loop that ends there.

    Args:
        rows: [m], what is solved for.

    Attributes:
        doubts: Truth values [] that must be read in the end: one is false where orthogonal factors
            have to take over.
    """

    def __init__(self, rows: Tensor) -> None:
        self._waits = is_waited_for(rows)
        self._made = 0
        self._enough = False
        self._settled: Tensor | None = None
        self._settled_before: Tensor | None = None
        self.doubts: list[Tensor] = []

    def goes_on(self) -> bool:
        """Whether to make another one."""
        self._made += 1
        return self._made <= _MOST and not self._enough

    def contracts(self, change: Tensor, before: Tensor) -> bool:
        """Look at a refinement.

        Args:
            change: [], length of what it changes.
            before: [], length of what it changes it from.

        Returns:
            False where that is too much; on an accelerator always true, see `doubts`.
        """
        if not self._waits:
            size = float(change) / max(float(before), _TINY)
            self._enough = size <= _ENOUGH
            return size <= _CONTRACTION
        part = change.double() / before.double().clamp(min=_TINY)
        well, settled = part <= _CONTRACTION, part <= _ENOUGH
        self._settled_before = self._settled
        if self._settled is not None:
            well, settled = well | self._settled, settled | self._settled
        self._settled = settled
        self.doubts.append(well)
        return True

    def better(self, old: tuple[Tensor, ...], new: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Choose what to go on with, after `contracts`.

        Args:
            old: Vectors before the refinement.
            new: The same after it.

        Returns:
            The new ones; on an accelerator the old ones where enough had been made before.
        """
        settled = self._settled_before
        if settled is None:
            return new
        return tuple(torch.where(settled, a, b) for a, b in zip(old, new, strict=True))
