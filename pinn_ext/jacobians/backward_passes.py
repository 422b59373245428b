"""The Jacobian by a backward pass a row: right for any network, and slow."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from solvers.devices import is_out_of_memory

_CHUNK = 64  # rows of one batched backward pass


def backward_passes(vector: Tensor, leaves: Sequence[Tensor], scale: float, rows: Tensor) -> None:
    """Write the Jacobian of a vector, some passes at a time where its operations allow that.

    Args:
        vector: residuals `[n]`, with the graph that leads to the leaves.
        leaves: parameters, in the order of the columns.
        scale: factor of all rows.
        rows: `[n, P]`, overwritten; P is how many numbers the leaves hold.

    Raises:
        RuntimeError: if memory runs out.
    """
    blocks = rows.split([leaf.numel() for leaf in leaves], dim=1)
    chunk, first = _CHUNK, 0
    while first < len(vector):
        count = min(chunk, len(vector) - first)
        seeds = vector.new_zeros(count, len(vector))
        seeds.diagonal(first).fill_(scale)
        options = {"retain_graph": True, "allow_unused": True}
        if count > 1:
            try:
                gradients = torch.autograd.grad(
                    vector, leaves, seeds, is_grads_batched=True, **options
                )
            except RuntimeError as error:  # an operation without a batched form
                if is_out_of_memory(error):
                    raise
                chunk = 1
                continue
        else:
            single = torch.autograd.grad(vector, leaves, seeds[0], **options)
            gradients = tuple(None if g is None else g[None] for g in single)
        for block, gradient in zip(blocks, gradients, strict=True):
            part = block[first : first + count]
            if gradient is None:
                part.zero_()
            else:
                part.copy_(gradient.reshape(count, -1))
        first += count
