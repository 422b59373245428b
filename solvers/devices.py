"""What has to be known of a device: the CPU, or an accelerator that torch has a module for."""

from __future__ import annotations

import contextlib
from typing import Any

import torch


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
    if module is not None:
        module.synchronize(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or main memory, has no room left."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    # Torch has no class of its own for main memory.
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


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
        return [float(number) for number in numbers]
    wide = torch.float32 if numbers[0].device.type == "mps" else torch.float64  # all that it has
    values: list[float] = torch.stack([number.to(wide) for number in numbers]).tolist()
    return values
