"""The losses of the period under way, left on their device until somebody needs them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pinn_ext.adaptive_weights.period import Period

_MOST_PENDING = 1000  # losses are kept on their device for so many steps at most


class DevicePeriod:
    """A `Period` whose losses come from their device all at once.

    Args:
        length: steps in a period.

    Attributes:
        length: likewise.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self._period = Period(length)
        self._pending: list[Tensor] = []

    def missing(self) -> int:
        """Return how many steps are missing for a whole period."""
        return self._period.missing() - len(self._pending)

    def add(self, losses: Tensor) -> None:
        """Take in the losses of a step `[k]`, without a graph."""
        self._pending.append(losses)
        if len(self._pending) >= _MOST_PENDING:
            self._read()

    def close(self) -> list[float]:
        """Return the mean of each loss over the period `[k]`, and start the next one."""
        self._read()
        return self._period.close()

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers and lists."""
        self._read()
        return self._period.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._pending = []
        self._period.load_state_dict(state)

    def _read(self) -> None:
        if self._pending:
            for row in torch.stack(self._pending).tolist():
                self._period.add(row)
            self._pending = []
