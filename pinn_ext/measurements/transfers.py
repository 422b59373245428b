"""Numbers on their way from the device that they lie on; `solvers.devices.read` reads at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from solvers import devices


class Mailbox:
    """Takes numbers from an accelerator to the host while both go on with their work.

    `send` asks the device for a copy once it has come so far; `take` reads what has arrived, and
    waits only for what has not. The CPU, and devices for which torch has neither events nor pinned
    memory, hand the numbers over in `take`.
    """

    def __init__(self) -> None:
        self._sent: Tensor | None = None
        self._host: Tensor | None = None
        self._event: Any = None

    def send(self, numbers: Tensor) -> None:
        """Let numbers `[n]` start on their way; those sent before must have been taken."""
        self._sent, self._event = numbers, None
        host = self._pinned(numbers)
        if host is not None:
            module = devices.module_of(numbers.device)
            host.copy_(numbers, non_blocking=True)
            self._event = module.Event()
            self._event.record(module.current_stream(numbers.device))

    def take(self) -> list[float]:
        """Return the numbers that were sent last."""
        sent, event = self._sent, self._event
        self._sent = self._event = None
        if sent is None:
            return []
        if event is None or self._host is None:
            return sent.tolist()
        event.synchronize()
        return self._host.tolist()

    def _pinned(self, like: Tensor) -> Tensor | None:
        """Return memory of the host that a device writes to by itself, None where it cannot."""
        module = devices.module_of(like.device)
        if not hasattr(module, "Event") or not hasattr(module, "current_stream"):
            return None
        own = self._host
        if own is None or own.shape != like.shape or own.dtype != like.dtype:
            try:
                with torch.inference_mode(False):
                    own = torch.empty(like.shape, dtype=like.dtype, device="cpu", pin_memory=True)
            except RuntimeError:  # pinned memory is made for another accelerator, or for none
                return None
            self._host = own
        return own
