"""The start of a slab at the points of its training: computed once, then kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pinn_ext.derivatives.precomputed import from_levels, levels_of

Levels = tuple[Tensor, ...]
"""Value `[N, F]`, first derivatives `[N, F, d]` with respect to positions, second ones, …"""


class KeptStart:
    """A function of the position whose values and derivatives are kept for sets of points.

    A set is known again by its numbers, so that points drawn anew are never given the values of
    others. What a set of points costs the first time grows with the number of former slabs, unless
    the slab before has kept the same positions; every later time costs a copy.

    Args:
        function: `[N, d]` to `[N, F]`, each row from the same row only.
        order: of the highest derivatives that are kept.
        beyond: the sentence of the error where a derivative of a higher order is asked for.
        most: sets that are kept at a time: training, test, and two of callbacks.

    Attributes:
        order: as given.
        computed: how many sets of points the function was computed for.
        seconds: what that took.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        order: int,
        beyond: str = "A derivative beyond `order` was asked for: keep more of them.",
        most: int = 4,
    ) -> None:
        self._function, self.order, self._beyond, self._most = function, order, beyond, most
        self._sets: list[tuple[Tensor, Levels]] = []
        self._open = True
        self._source: Tensor | None = None
        self.computed, self.seconds = 0, 0.0

    def __call__(self, positions: Tensor) -> Tensor:
        """Return the values `[N, F]` at positions `[N, d]`, differentiable in them."""
        source = self._source
        if source is not None and source.shape == positions.shape:
            positions = source if torch.equal(source, positions) else positions
        differentiable = torch.is_grad_enabled() and positions.requires_grad
        if not differentiable or positions.shape[1] == 0:
            return self.levels(positions, 0)[0]
        return from_levels(positions, self.levels(positions, self.order), self._beyond)

    def has(self, positions: Tensor, order: int) -> bool:
        """Return whether values and derivatives up to an order are kept at positions `[N, d]`."""
        number = self._find(positions.detach())
        return number is not None and len(self._sets[number][1]) > order

    def levels(self, positions: Tensor, order: int) -> Levels:
        """Return the values and their derivatives up to an order, kept or computed.

        Args:
            positions: `[N, d]`.
            order: of the highest derivatives wanted.

        Returns:
            At least as many levels as that.
        """
        positions = positions.detach()
        number = self._find(positions)
        if number is not None:
            kept = self._sets[number]
            if len(kept[1]) > order:
                self._sets.insert(0, self._sets.pop(number))  # the latest used comes first
                return kept[1]
        begun = time.perf_counter()
        levels = levels_of(self._function, positions, order)
        if self._open:
            self.computed += 1
            self.seconds += time.perf_counter() - begun
            if number is not None:
                del self._sets[number]
            # A copy, as arrays that share their memory with DeepXDE's may be written to.
            self._sets = [(positions.clone(), levels), *self._sets][: self._most]
        return levels

    @contextlib.contextmanager
    def given(self, positions: Tensor, levels: Levels) -> Iterator[None]:
        """Take the values at some positions as given, for the length of a block.

        Args:
            positions: `[N, d]`.
            levels: values and derivatives there.

        Yields:
            Nothing.
        """
        entry = (positions.detach(), levels)
        self._sets.insert(0, entry)
        try:
            yield
        finally:
            self._sets = [one for one in self._sets if one is not entry]

    @contextlib.contextmanager
    def seen_from(self, positions: Tensor) -> Iterator[None]:
        """Let values depend on these positions, not on inputs that were put together from them.

        Derivatives with respect to what else is in the inputs, the time, then do not lead here:
        they would be 0, but count as an order.

        Args:
            positions: `[N, d]`.

        Yields:
            Nothing.
        """
        self._source = positions
        try:
            yield
        finally:
            self._source = None

    def close(self) -> None:
        """Keep what there is, and no further sets: the slab is trained."""
        self._open = False

    def forget(self) -> None:
        """Give the memory of all sets back."""
        self._sets = []

    def _find(self, positions: Tensor) -> int | None:
        """Return the number of the set of these positions."""
        for number, (kept, _) in enumerate(self._sets):
            alike = kept.shape == positions.shape and kept.dtype == positions.dtype
            if alike and kept.device == positions.device and torch.equal(kept, positions):
                return number
        return None
