"""Print by how many bytes a step raises the peak of resident memory: `FILE NAME THREADS`.

A separate process for `rk4.py`, as allocators keep what others have freed. Prints null where the
system has no /proc/self/clear_refs (Linux has).
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from _rk4.cases import rhs
from solvers.rk4.semidiscrete import SemiDiscrete
from solvers.rk4.stepper import Stepper
from solvers.rk4.tableaus import RK4

STEPS = 4


def status(key: str) -> int:
    """Return a size of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {key}.")


def reset_peak() -> None:
    """Give freed memory back and let the peak begin again."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", "utf-8")


def main() -> None:
    """Warm up, then measure."""
    file, name, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    operators, state, step = torch.load(file, weights_only=False)
    stepper = Stepper(SemiDiscrete(rhs, operators), None, RK4, name == "ours")
    fields = stepper.split(state)
    del state
    growth = None
    with torch.no_grad():
        for _ in range(2):
            fields = stepper(fields, 0.0, step)
        try:
            reset_peak()
            before = status("VmRSS")
            for _ in range(STEPS):
                fields = stepper(fields, 0.0, step)
            growth = max(0, status("VmHWM") - before)
        except (OSError, AttributeError):  # no /proc, or no malloc_trim
            pass
    print(json.dumps(growth))


if __name__ == "__main__":
    main()
