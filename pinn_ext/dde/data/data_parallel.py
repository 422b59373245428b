"""Where several processes meet in a training step of DeepXDE: batches, losses and gradients.

DeepXDE's `Model` has no data-parallel training on PyTorch, and forward mode does not go through
torch's `DistributedDataParallel`. So each process makes DeepXDE's own step on its share of the
batch, and the step is changed in three places: `share` says which graphs of the batch are its own,
`global_means` makes of its loss terms those of the whole batch, and `add_up_gradients` adds up the
gradients before the optimiser sees them. All else in a step, weights, strategies, clipping and the
watch over faults, then sees the same numbers on all processes. Alone, nothing is changed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pinn_ext.measurements import processes


def share(count: int) -> slice:
    """Return which graphs of a batch are this process's own; sizes differ by one at most.

    Args:
        count: graphs in the batch, which is the same on all processes.

    Returns:
        Successive ones, none of them another's.

    Raises:
        ValueError: if there are fewer graphs than processes.

    >>> list(range(5))[share(5)]
    [0, 1, 2, 3, 4]
    """
    rank, ranks = processes.rank_and_count()
    if count < ranks:
        raise ValueError(f"A batch must have a graph for each of {ranks} processes, got {count}.")
    return slice(count * rank // ranks, count * (rank + 1) // ranks)


class _Replaced(torch.autograd.Function):
    """Other values for a tensor, whose gradient is its own times a factor."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, values: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (factor,) = ctx.saved_tensors
        return gradient * factor, None, None


def global_means(terms: list[Tensor], rows: int) -> list[Tensor]:
    """Return loss terms of a whole batch from the means over the rows of each process.

    Sums and numbers of rows are added up, not means, as shares may differ in size. With n of N rows
    here, the mean m and R processes, the gradient is that of `R (n / N) m`, so that the mean over
    the processes of such gradients is the gradient of the value.

    Args:
        terms: mean over the rows here, a number a term; residual vectors are left alone.
        rows: how many there are here, the same for each term.

    Returns:
        One number a term, the same on all processes; alone, the terms themselves.
    """
    if not processes.is_running() or not terms or terms[0].ndim:
        return terms
    own = torch.stack(terms)
    sums = own.detach().double() * rows
    *total, count = processes.total(torch.cat((sums, sums.new_tensor([float(rows)]))))
    factor = processes.rank_and_count()[1] * rows / count
    means: Tensor = _Replaced.apply(own, torch.stack(total).div(count).to(own), factor.to(own))
    return list(means.unbind())


def add_up_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Let an optimiser see the mean of the gradients over the processes, from its next step on.

    DeepXDE gives the optimiser a closure, which makes the gradients inside of its step. All of them
    travel in one message. Call this before anything else that changes the closure.

    Args:
        optimizer: a first-order one, as DeepXDE has compiled it.
    """
    if not processes.is_running():
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def adding(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        own, closure = args  # torch hands over the optimiser itself, too

        def added() -> Any:
            loss = closure()
            gradients = [p.grad for p in parameters if p.grad is not None]
            ranks = processes.rank_and_count()[1]
            for gradient, summed in zip(gradients, processes.totals(gradients), strict=True):
                gradient.copy_(summed / ranks)
            return loss

        return (own, added), kwargs

    optimizer.register_step_pre_hook(adding)
