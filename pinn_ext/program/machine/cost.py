"""What a run costs, from which the request of a cluster's job can be made."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import torch

from solvers.devices import module_of

_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in what the system counts memory in
_MIB = 2**20


class Cost:
    """Counts from when it is made.

    Args:
        device: that the run is trained on.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._start = device, time.perf_counter()
        self._call("reset_peak_memory_stats")

    def so_far(self) -> dict[str, float | None]:
        """Return what the report of a run says of its cost.

        Returns:
            `seconds_run` of this process from before the first network was built, resumed parts
            not counted; `seconds_cpu` of all its threads, and `peak_memory_mib`, both from the
            start of the process, of former jobs of a sweep too where they share it;
            `peak_device_memory_mib` of what torch has held on an accelerator, None on the CPU.
        """
        usage = resource.getrusage(resource.RUSAGE_SELF)
        on_device = self._call("max_memory_allocated")
        return {
            "seconds_run": time.perf_counter() - self._start,
            "seconds_cpu": usage.ru_utime + usage.ru_stime,
            "peak_memory_mib": usage.ru_maxrss * _UNIT / _MIB,
            "peak_device_memory_mib": None if on_device is None else on_device / _MIB,
        }

    def _call(self, name: str) -> Any:
        """Ask torch's module of the device, if it can say that."""
        if self._device.type == "cpu":
            return None
        function = getattr(module_of(self._device), name, None)
        return None if function is None else function(self._device)
