"""What the processes of `torch.distributed` have to agree on to hold the same weights.

Each function is a collective: every process calls it at the same moment. Alone, it costs nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from solvers import devices


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
    return mean(torch.tensor(values, dtype=torch.float64, device=_device())).tolist()


def first_fault(own: str | None) -> str | None:
    """Tell all processes that one of them cannot go on, so that none waits for it.

    The cost, where there is no fault, is the sum of one number over the processes.

    Args:
        own: what is wrong on this process, None if nothing is.

    Returns:
        What is wrong on the first process that has a fault, the same on all of them; alone, `own`.
    """
    if not is_running():
        return own
    faults = torch.tensor([own is not None], dtype=torch.float32, device=_device())
    torch.distributed.all_reduce(faults)
    if not faults.item():
        return None
    everyone: list[str | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, own)
    return next(f"rank {i}: {fault}" for i, fault in enumerate(everyone) if fault is not None)


def check_same(**own: Any) -> None:
    """Refuse processes that do not agree.

    Args:
        **own: values on this process by name; they are compared as text.

    Raises:
        ValueError: on every process, if a value differs between them.
    """
    if not is_running():
        return
    everyone: list[dict[str, str]] = [{} for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(everyone, {key: repr(own[key]) for key in own})
    for key, wanted in everyone[0].items():
        for rank, values in enumerate(everyone):
            if values.get(key) != wanted:
                raise ValueError(
                    f"`{key}` must be the same on all ranks, got {wanted} on rank 0 and "
                    f"{values.get(key)} on rank {rank}."
                )


def check_devices(own: torch.device) -> None:
    """Refuse processes that train on one accelerator together, and wait for each other there.

    Args:
        own: where this process trains.

    Raises:
        ValueError: on every process, if two of them have the same one; under NCCL also if the
            present device is another than `own`.
        RuntimeError: if the processes cannot speak to each other.
    """
    if not is_running() or own.type == "cpu":
        return
    wanted = "call torch.cuda.set_device(local_rank) before anything is put on a device"
    own, present = devices.with_index(own), devices.with_index(torch.device(own.type))
    if torch.distributed.get_backend() == "nccl" and own != present:
        raise ValueError(
            f"The network must be on the present device of its process, {present}, got {own}: "
            f"{wanted}."
        )
    place = f"{own} of {socket.gethostname()}"
    everyone = [""] * torch.distributed.get_world_size()
    try:
        torch.distributed.all_gather_object(everyone, place)
    except RuntimeError as error:  # NCCL itself refuses, in other words
        if "Duplicate GPU" not in str(error):
            raise
        raise ValueError(
            f"Each process must train on a device of its own, got {place} for another one too: "
            f"{wanted}."
        ) from error
    for rank, other in enumerate(everyone):
        if (first := everyone.index(other)) != rank:
            raise ValueError(
                f"Each process must train on a device of its own, got {other} for ranks {first} "
                f"and {rank}: {wanted}."
            )


def _device() -> str:
    return "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
