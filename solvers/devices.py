"""What has to be known of a device: the CPU, or an accelerator that torch has a module for."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import torch

_UNKNOWN = 4.0 * 2**30


def on_cpu() -> contextlib.AbstractContextManager[Any]:
    """Return a context in which new tensors lie in main memory, whatever the default device is.

    DeepXDE makes a GPU the default device where torch sees one, and then everything that is built
    without saying where lies there, in the libraries that build graphs as well.
    """
    if torch.get_default_device().type == "cpu":
        return contextlib.nullcontext()  # a device's own context costs a call at each operator
    return torch.device("cpu")


def module_of(device: torch.device) -> Any:
    """Return torch's module of an accelerator, such as `torch.cuda`; None for the CPU."""
    if device.type in ("cpu", "meta"):
        return None
    try:
        return torch.get_device_module(device)
    except RuntimeError:  # torch knows the name, and nothing else of it
        return None


def with_index(device: torch.device) -> torch.device:
    """Return a device by its number too, the present one of its kind where it has none."""
    module = module_of(device)
    if device.index is not None or not hasattr(module, "current_device"):
        return device
    return torch.device(device.type, module.current_device())


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all that it was asked for; the CPU always has."""
    module = module_of(device)
    if module is None:
        return
    if device.type == "mps":  # torch knows one of them, and its function takes no argument
        module.synchronize()
    else:
        module.synchronize(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or main memory, has no room left."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    # Torch has no class of its own for main memory.
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def count_of(kind: str) -> int:
    """Return how many devices of a kind this machine has that torch can use.

    Args:
        kind: such as `cuda`; 0 of one that torch does not know.
    """
    try:
        module = module_of(torch.device(kind))
    except RuntimeError:
        return 0
    if module is None or not getattr(module, "is_available", lambda: True)():
        return 0
    return int(module.device_count()) if hasattr(module, "device_count") else 1


def make_default(device: torch.device) -> None:
    """Let tensors be made on a device that do not say where.

    Of the CPU no default is made: it would be a mode that every call of torch goes through.
    """
    torch.set_default_device(None if device.type == "cpu" else device)


def free_memory(device: torch.device) -> float | None:
    """Return the bytes that an accelerator can still give; None where it does not say.

    What torch's own store of the device holds and would use again counts as free.
    """
    module = module_of(device)
    if not hasattr(module, "mem_get_info"):
        return None
    free = float(module.mem_get_info(device)[0])
    if hasattr(module, "memory_reserved") and hasattr(module, "memory_allocated"):
        free += float(module.memory_reserved(device) - module.memory_allocated(device))
    return free


def available_memory(device: torch.device) -> float:
    """Return the bytes that are free on a device, or in main memory.

    Args:
        device: CPU or an accelerator.

    Returns:
        Bytes, with those that torch's own store of the device holds and would use again; 4 GiB
        where the system does not say.
    """
    if device.type != "cpu":
        free = free_memory(device)
        return _UNKNOWN if free is None else free
    sizes = [size for size in (_proc(), _cgroup()) if size is not None]
    if not sizes:
        try:
            sizes = [float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))]
        except (AttributeError, OSError, ValueError):
            sizes = [_UNKNOWN]
    return min(sizes)


def _proc() -> float | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _cgroup() -> float | None:
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = (folder / "memory.current").read_text().strip()
        return None if limit == "max" else max(float(limit) - float(used), 0.0)
    except (OSError, ValueError):
        return None


def asked_for(error: BaseException) -> tuple[str, str] | None:
    """Return what an error that says there is no memory was asked for: a number and its unit."""
    found = re.search(r"tried to allocate ([\d.]+) ?([KMGT]iB|bytes)", str(error), re.IGNORECASE)
    return None if found is None else (found[1], found[2])


def is_waited_for(tensor: torch.Tensor) -> bool:
    """Return whether the host waits where it reads a number of a tensor: anywhere but on a CPU."""
    return tensor.device.type != "cpu"


def read(*numbers: torch.Tensor) -> list[float]:
    """Read single numbers, by one transfer where they lie on an accelerator.

    Args:
        numbers: [] each, of any type, all on one device.

    Returns:
        The same as floats; 1 and 0 for truth values.

    Example:
        >>> read(torch.tensor(2.0), torch.tensor(True))
        [2.0, 1.0]
    """
    if not is_waited_for(numbers[0]):
        # One at a time is the cheapest here.
        return [float(number.item()) for number in numbers]
    wide = torch.float32 if numbers[0].device.type == "mps" else torch.float64  # all that it has
    values: list[float] = torch.stack([number.detach().to(wide) for number in numbers]).tolist()
    return values
