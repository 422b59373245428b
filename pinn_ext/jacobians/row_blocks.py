"""The Jacobian of residual rows in blocks of rows, for more of them than memory has room for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pinn_ext.jacobians.backward_passes import backward_passes
from pinn_ext.jacobians.linear_layers import LinearTape, Use
from pinn_ext.jacobians.residual_jacobian import (
    RowJacobian,
    columns_of,
    doubts_of,
    mix_of,
    seeded_pass,
    shape_of,
    spread,
)
from pinn_ext.jacobians.sample_maps import TermMap, find_map

Block = tuple[Tensor, Tensor]
"""Numbers of rows `[b]` and these rows of the Jacobian `[b, P]`."""


class RowBlocks(RowJacobian):
    """The same rows as those of `RowJacobian`, by the same methods, some at a time.

    Held are a block, the graph of the residuals, and what a backward pass from one term leaves
    behind at the layers: rows times widths rather than rows times parameters. New points cost one
    more pass over all blocks, which compares them with plain automatic differentiation.
    """

    _room: Tensor | None = None

    def blocks(self, scales: Sequence[float], size: int) -> Iterator[Block]:
        """Yield the Jacobian of the scaled rows; rows of zeros may be left out.

        Args:
            scales: factor of the rows of each term.
            size: how many rows a block has at most.

        Yields:
            Numbers of rows `[b]` and the rows `[b, num_parameters]`, overwritten by the next ones.
        """
        recorded = self._recorded(scales, size) if self.fallback is None else None
        if recorded is None:
            vectors = self._terms()
            buffer = self._buffer(vectors, size)
            for (column, numbers), scale in zip(
                numbered(vectors), spread(scales, vectors), strict=True
            ):
                yield from self._plain(column, numbers, scale, buffer)
        else:
            yield from self._sampled(*recorded, scales, size)

    def _buffer(self, vectors: Sequence[Tensor], size: int) -> Tensor:
        """Return room for a block `[b, P]`, the same each time."""
        most = min(size, max(vector.numel() for vector in vectors))
        if self._room is None or len(self._room) != most:
            self._room = vectors[0].new_empty(most, self.num_parameters)
        return self._room

    def _recorded(
        self, scales: Sequence[float], size: int
    ) -> tuple[LinearTape, list[Tensor]] | None:
        """Evaluate the terms so that passes leave their pairs; None, and `fallback`, if in vain."""
        followed = self._follow()
        if followed is None:
            return None
        tape, vectors = followed
        columns = numbered(vectors)
        shape = shape_of(tape, columns)
        if not self._find_maps(tape, columns, shape):
            return None
        if self._checked != shape:
            known = zip(columns, self._maps, strict=True)
            if any(found is None and column.requires_grad for (column, _), found in known):
                self.fallback = "its samples cannot be told apart"
                return None
            if not self._agree(tape, vectors, scales, size):
                self.fallback = "its layers are used in a way that cannot be followed"
                return None
            self._checked = shape
        return tape, vectors

    def _agree(
        self, tape: LinearTape, vectors: Sequence[Tensor], scales: Sequence[float], size: int
    ) -> bool:
        """Compare a random combination of all rows with its plain gradient."""
        mix = mix_of(sum(vector.numel() for vector in vectors), vectors[0].detach())
        total, square = mix.new_zeros(self.num_parameters), mix.new_zeros(())
        for numbers, block in self._sampled(tape, vectors, scales, size):
            total += block.mT @ mix[numbers]
            square += block.square().sum()
        return self._is_gradient(scales, mix, total, square.sqrt())

    def _sampled(
        self, tape: LinearTape, vectors: Sequence[Tensor], scales: Sequence[float], size: int
    ) -> Iterator[Block]:
        buffer = self._buffer(vectors, size)
        for index, ((column, numbers), scale) in enumerate(
            zip(numbered(vectors), spread(scales, vectors), strict=True)
        ):
            if not column.requires_grad:
                continue
            passes, done = 1, 0
            singles: list[tuple[int, Tensor]] = []
            for passes, done, uses, found in self._passes(tape, column, scale, index):
                if done == 1:
                    singles = list(self._single_numbers(tape, column, scale))
                own = [(place, values[done - 1 :: passes]) for place, values in singles]
                yield from self._pass(uses, found, numbers[done - 1 :: passes], own, buffer)
            if done < passes:
                self._checked = None  # what is wrong is found out the next time
                fresh = numbered(self._terms())[index][0]
                left = torch.arange(len(column), device=column.device) % passes >= done
                yield from self._plain(fresh[left], numbers[left], scale, buffer)

    def _passes(
        self, tape: LinearTape, column: Tensor, scale: float, index: int
    ) -> Iterator[tuple[int, int, list[Use], TermMap]]:
        """Yield how many backward passes there are, how many are made, and what the last one left.

        Where a sample matters that did not when the map of a column was made, the map is made
        again; where that is of no use, there are fewer passes than it takes.
        """
        found, again, done = self._maps[index], True, 0
        while found is not None and done < (passes := len(column) // found.groups):
            uses = seeded_pass(tape, column, scale, done, passes)
            doubts = doubts_of(uses, found)
            if doubts is not None and not (doubts and bool(torch.stack(doubts).any())):
                done += 1
                yield passes, done, uses, found
            elif done == 0 and again:
                again = False
                found = self._maps[index] = find_map(tape, column, self._blocks)
            else:
                return

    def _pass(
        self,
        uses: list[Use],
        found: TermMap,
        numbers: Tensor,
        singles: Sequence[tuple[int, Tensor]],
        buffer: Tensor,
    ) -> Iterator[Block]:
        """Yield the rows of one backward pass."""
        size = len(buffer)
        for first in range(0, len(numbers), size):
            own = numbers[first : first + size]
            block = buffer[: len(own)]
            block.zero_()
            self._outer_products(uses, found, block, first)
            for place, values in singles:
                block[:, place] = values[first : first + size]
            yield own, block

    def _plain(
        self, column: Tensor, numbers: Tensor, scale: float, buffer: Tensor
    ) -> Iterator[Block]:
        """Yield the rows of a column by a backward pass each."""
        if not column.requires_grad:
            return
        for first in range(0, len(column), len(buffer)):
            own = numbers[first : first + len(buffer)]
            block = buffer[: len(own)]
            backward_passes(column[first : first + len(own)], self._leaves, scale, block)
            yield own, block


def numbered(vectors: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Return each column `[n]` of each term with the numbers `[n]` of its rows."""
    count = sum(vector.numel() for vector in vectors)
    numbers = torch.arange(count, device=vectors[0].device)
    return [(column, own[:, 0]) for column, own in columns_of(vectors, numbers[:, None])]
