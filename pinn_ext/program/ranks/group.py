"""The processes of one run: how they meet, what they tell each other, and how they part."""

from __future__ import annotations

import contextlib
import datetime
import io
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

import torch

from pinn_ext import schema
from pinn_ext.files import RunError
from pinn_ext.measurements import processes
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.machine.devices import take
from pinn_ext.program.ranks import environment
from pinn_ext.schema import Config

Made = TypeVar("Made")
_PATIENCE = datetime.timedelta(hours=2)
"""How long a process waits for another one that is at work, as the first one is on references."""


@contextlib.contextmanager
def joined(cfg: Config, device: torch.device) -> Iterator[None]:
    """Let the processes of a run meet, by gloo on the CPU and NCCL on CUDA; alone, do nothing.

    Args:
        cfg: the configuration, which must be the same on all of them.
        device: that this process trains on.

    Yields:
        Nothing.

    Raises:
        RunError: if they cannot meet, or were started with other configurations.
    """
    if environment.count() == 1:
        yield
        return
    take(device)  # where NCCL puts what it sends
    backend = {"cpu": "gloo", "cuda": "nccl"}.get(device.type)
    own = torch.distributed
    if not own.is_available() or backend is None:
        raise RunError(f"Several processes cannot train together on {device} with this torch.")
    try:
        own.init_process_group(backend, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise RunError(f"The processes of the job cannot meet ({text[:200]}).") from error
    try:
        processes.check_same(**_by_key(schema.as_dict(cfg)))
    except ValueError as error:
        raise RunError(str(error)) from None
    yield
    own.destroy_process_group()  # not after a failure: there is nobody to part from


def _by_key(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested configuration as one value a full key."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found |= _by_key(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


class JobInterrupts(Interrupts):
    """Signals of a job of several processes, which stop after the same step.

    A signal counts once all processes know of it. None acts at once: what a terminal sends to a
    process, torchrun sends once more, and it kills what has not ended half a minute later.
    """

    def __init__(self) -> None:
        super().__init__()
        self._own = 0

    def agree(self) -> None:
        """Take note of a signal that any process has caught; all call this after each step."""
        self.signal = processes.largest(self._own) or None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._own = number


def interrupts() -> Interrupts:
    """Return what catches the signals of a run."""
    return Interrupts() if environment.count() == 1 else JobInterrupts()


def in_turn(make: Callable[[], Made]) -> Made:
    """Make something from files that the first process writes, and the others read.

    Args:
        make: writes the files where they are not there.

    Returns:
        What it returns.
    """
    own, made = environment.turn() if processes.is_running() else 0, None
    for present in range(3):
        if present == own:
            made = make()
        processes.largest(0)  # nobody goes on before all are here
    return made  # type: ignore[return-value]  # each process has its turn


def hand_out(state: Callable[[], dict[str, Any]]) -> None:
    """Give the state of the first process to those that follow it; alone, do nothing.

    Args:
        state: returns it, as a checkpoint has it.
    """
    if processes.is_running():
        buffer = io.BytesIO()
        torch.save(state(), buffer)
        processes.from_first(buffer.getvalue())


def handed_out() -> dict[str, Any]:
    """Return the state of the first process, on one that follows it; its tensors are on the CPU."""
    content = io.BytesIO(processes.from_first(None))
    return torch.load(content, map_location="cpu", weights_only=True)
