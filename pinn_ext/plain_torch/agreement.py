"""Whether the processes that train together have the same aggregator."""

from __future__ import annotations

from typing import Any

import torch

from pinn_ext.measurements import processes


class Agreement:
    """Compares aggregators between processes once, before the first of their means.

    Args:
        **settings: of the aggregator on this process; they are compared as text.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._reached = False

    def forget(self) -> None:
        """Compare again: another state has been loaded."""
        self._reached = False

    def check(self, device: torch.device, **state: Any) -> None:
        """Refuse processes whose weights would part, or that share an accelerator.

        Args:
            device: where this process trains.
            **state: what must be the same at the start: that of one checkpoint, or of none.

        Raises:
            ValueError: on every process, if something differs between them.
        """
        if self._reached:
            return
        processes.check_devices(device)
        processes.check_same(**self._settings)
        processes.check_same(**state)
        self._reached = True
