"""Means over the processes of `torch.distributed`, so that all of them hold the same weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def is_running() -> bool:
    """Return whether there are several processes that train together."""
    own = torch.distributed
    return own.is_available() and own.is_initialized() and own.get_world_size() > 1


def mean(values: Tensor) -> Tensor:
    """Return the mean of a tensor over the processes; alone, the tensor itself."""
    if not is_running():
        return values
    total = values.clone()
    torch.distributed.all_reduce(total)
    return total / torch.distributed.get_world_size()


def mean_of_numbers(values: Sequence[float]) -> list[float]:
    """Return the mean of each number over the processes, in float64."""
    if not is_running():
        return list(values)
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    return mean(torch.tensor(values, dtype=torch.float64, device=device)).tolist()


def check_same(what: str, own: Sequence[str]) -> None:
    """Refuse processes that do not agree.

    Args:
        what: what the names are of, for the message.
        own: the names on this process.

    Raises:
        ValueError: on every process, if the names differ between them.
    """
    if not is_running():
        return
    everyone: list[list[str]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(everyone, list(own))
    for rank, names in enumerate(everyone):
        if names != everyone[0]:
            raise ValueError(
                f"{what} must be the same on all ranks, got {everyone[0]} on rank 0 and {names} on "
                f"rank {rank}."
            )
