"""What the processes of `torch.distributed` have to agree on to hold the same weights.

Each function is a collective: every process calls it at the same moment. Alone, it costs nothing.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext.files import RunError
from solvers import devices

_LONGEST = 200  # characters of another's message


class PeerLost(RunError):
    """Another process that trains along has ended, or cannot be reached."""


def is_running() -> bool:
    """Return whether there are several processes that train together."""
    own = torch.distributed
    return own.is_available() and own.is_initialized() and own.get_world_size() > 1


def rank_and_count() -> tuple[int, int]:
    """Return the number of this process, from 0, and how many there are; alone, 0 and 1."""
    if not is_running():
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def total(values: Tensor) -> Tensor:
    """Return the sum of a tensor over the processes; alone, the tensor itself."""
    if not is_running():
        return values
    summed = values.clone()
    with _peers_needed():
        torch.distributed.all_reduce(summed)
    return summed


def mean(values: Tensor) -> Tensor:
    """Return the mean of a tensor over the processes; alone, the tensor itself."""
    if not is_running():
        return values
    return total(values) / torch.distributed.get_world_size()


def totals(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the sum of each tensor over the processes, all of them in one message.

    Args:
        tensors: of one float type, on one device.

    Returns:
        As many; alone, the tensors themselves.
    """
    if not is_running() or not tensors:
        return list(tensors)
    flat = total(torch.cat([tensor.reshape(-1) for tensor in tensors]))
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view_as(own) for part, own in zip(parts, tensors, strict=True)]


def everyone(value: Any) -> list[Any]:
    """Return a plain value of each process, in their order; alone, the own one."""
    if not is_running():
        return [value]
    found: list[Any] = [None] * torch.distributed.get_world_size()
    with _peers_needed():
        torch.distributed.all_gather_object(found, value)
    return found


def from_first(value: Any) -> Any:
    """Return what the first process gives to all; alone, the own value.

    Args:
        value: to be given, by the first process; what others say does not matter.
    """
    if not is_running():
        return value
    held = [value]
    with _peers_needed():
        torch.distributed.broadcast_object_list(held, src=0)
    return held[0]


def weighted_means(values: Sequence[float], counts: Sequence[int]) -> list[float]:
    """Return means over all that the processes have, of means over what each of them has.

    Args:
        values: a mean `[k]` over what this process has.
        counts: over how many `[k]`.

    Returns:
        One number each; alone, the values themselves.
    """
    if not is_running():
        return list(values)
    pairs = [(value * count, count) for value, count in zip(values, counts, strict=True)]
    summed = total(torch.tensor(pairs, dtype=torch.float64, device=_device()))
    return [value / max(count, 1.0) for value, count in summed.tolist()]


def largest(value: int) -> int:
    """Return the largest of a whole number over the processes; alone, the own one."""
    if not is_running():
        return value
    found = torch.tensor([value], dtype=torch.int64, device=_device())
    with _peers_needed():
        torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
    return int(found.item())


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
    faults = total(torch.tensor([own is not None], dtype=torch.float32, device=_device()))
    if not faults.item():
        return None
    found = everyone(own)
    return next(f"rank {i}: {fault}" for i, fault in enumerate(found) if fault is not None)


def check_same(**own: Any) -> None:
    """Refuse processes that do not agree.

    Args:
        **own: values on this process by name; they are compared as text.

    Raises:
        ValueError: on every process, if a value differs between them.
    """
    if not is_running():
        return
    found: list[dict[str, str]] = everyone({key: repr(own[key]) for key in own})
    for key, wanted in found[0].items():
        for rank, values in enumerate(found):
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
    try:
        places = everyone(place)
    except RuntimeError as error:  # NCCL itself refuses, in other words
        if "Duplicate GPU" not in str(error.__cause__ or error):
            raise
        raise ValueError(
            f"Each process must train on a device of its own, got {place} for another one too: "
            f"{wanted}."
        ) from error
    for rank, other in enumerate(places):
        if (first := places.index(other)) != rank:
            raise ValueError(
                f"Each process must train on a device of its own, got {other} for ranks {first} "
                f"and {rank}: {wanted}."
            )


@contextlib.contextmanager
def _peers_needed() -> Iterator[None]:
    """Say of a message that does not get through what it means.

    Yields:
        Nothing.

    Raises:
        PeerLost: in the place of the backend's own error.
        RuntimeError: if memory has run out.
    """
    try:
        yield
    except RuntimeError as error:
        if devices.is_out_of_memory(error):
            raise
        text = " ".join(str(error).split())
        short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
        raise PeerLost(
            f"Another process of the job has ended, or cannot be reached ({short.rstrip('.')})."
        ) from error


def _device() -> str:
    return "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
