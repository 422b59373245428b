"""Separate processes for the benchmarks of Gauss-Newton, with a number of threads."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PACKAGE = Path(__file__).resolve().parent


def environment(threads: int) -> dict[str, str]:
    """Return variables that hold torch and the linear algebra of scipy to some threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    # As the program does, for all rows: threads that wait do not spin for long on taken cores.
    return {"GOMP_SPINCOUNT": "10000", **os.environ, **dict.fromkeys(names, str(threads))}


def restart(threads: int) -> None:
    """Restart this program unless it has that many threads: libraries read it as they load."""
    wanted = environment(threads)
    if wanted != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.argv], wanted)


def child(
    script: str, threads: int, limit: float | None = None, **arguments: Any
) -> dict[str, Any]:
    """Run a module of this package; it takes one JSON object and prints another as its last line.

    Args:
        script: its name.
        threads: how many it may use.
        limit: seconds after which it is ended; None for no limit.
        **arguments: of the script.

    Returns:
        What it printed, or a `note` that says what went wrong.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"{PACKAGE.name}.{script}", json.dumps(arguments)],
            cwd=PACKAGE.parent,
            env=environment(threads),
            capture_output=True,
            text=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return {"note": f"no iteration in {limit:.0f} s"}
    if done.returncode:
        return {"note": _reason(done)}
    return json.loads(done.stdout.splitlines()[-1])


class Memory:
    """Bytes that a piece of work adds to resident memory at its peak; None without /proc.

    Unlike `getrusage`, it does not begin with the peak of what came before, or of the parent. On an
    accelerator it is what torch has allocated there; None where its module does not count.
    """

    def __init__(self, device: torch.device) -> None:
        from solvers.devices import module_of  # loads torch, which is too early above

        gc.collect()
        self._before: int | None = None
        self._device, self._module = device, module_of(device)
        if self._module is not None:
            if getattr(self._module, "reset_peak_memory_stats", None) is not None:
                self._module.reset_peak_memory_stats(device)
                self._before = self._module.memory_allocated(device)
            return
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5", "utf-8")
            self._before = _status("VmRSS")

    def growth(self) -> int | None:
        """Return the bytes since this was made."""
        if self._before is None:
            return None
        if self._module is not None:
            return max(self._module.max_memory_allocated(self._device) - self._before, 0)
        return max(_status("VmHWM") - self._before, 0)


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -9:
        return "killed, as memory ran out"
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"ended with {done.returncode}"
