"""The make-believe device as torch and tests see it: `torch.device("pretend")`, `torch.pretend`.

`register()` makes it known to this process, before the first backward pass: torch starts a thread
for each device then, and none later. The functions are those that torch has for CUDA, as far as
they are needed; `count_waits` and `memory_limit` are for tests.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
import traceback
from collections import Counter
from types import SimpleNamespace
from typing import Any

import torch

from tests.device import build

NAME = "pretend"
KINDS = ("item", "to_host", "to_device", "mask", "nonzero", "event", "synchronize", "other")


def register() -> None:
    """Make the device known to torch in this process; once is enough.

    Raises:
        build.UnavailableError: it cannot be built here.
    """
    if hasattr(torch, NAME):
        return
    torch.ops.load_library(build.library())
    torch.utils.rename_privateuse1_backend(NAME)
    torch._register_device_module(NAME, sys.modules[__name__])
    torch.utils.generate_methods_for_privateuse1_backend()


# ---- Waits ---------------------------------------------------------------------------------------


class Waits(Counter):
    """How often the host waited for the device, by kind; `places` are the stacks, if asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[tuple[str, list[traceback.FrameSummary]]] = []

    def __str__(self) -> str:
        counts = ", ".join(f"{kind} {self[kind]}" for kind in KINDS if self[kind])
        lines = [f"{self.total()} waits: {counts or 'none'}"]
        for (kind, stack), count in Counter(map(short, self.places)).most_common():
            lines += [f"{count} x {kind}", *(f"    {line}" for line in stack)]
        return "\n".join(lines)


@contextlib.contextmanager
def count_waits(places: bool = False):
    """Count what the host waits for within a block: `with count_waits() as waits: ...`.

    Args:
        places: keep the Python stack of each wait as well; `print(waits)` shows them.
    """
    waits, before = Waits(), torch.ops.pretend.waits()

    def note(kind: bytes) -> None:
        waits.places.append((kind.decode(), traceback.extract_stack()[:-1]))

    listener = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(note)
    if places:
        torch.ops.pretend.listen(ctypes.cast(listener, ctypes.c_void_p).value)
    try:
        yield waits
    finally:
        torch.ops.pretend.listen(0)
        after = torch.ops.pretend.waits()
        waits.update(
            {kind: after[kind] - before[kind] for kind in KINDS if after[kind] > before[kind]}
        )


def short(place: tuple[str, list[traceback.FrameSummary]]) -> tuple[str, tuple[str, ...]]:
    """Return a kind and the innermost lines of a stack that are not torch's, as text."""
    kind, stack = place
    if not stack:
        return kind, ("(in a backward pass, which has a thread of its own)",)
    ours = [frame for frame in stack if "/torch/" not in frame.filename] or stack
    return kind, tuple(f"{f.filename}:{f.lineno} {f.name}: {f.line}" for f in ours[-1:-4:-1])


# ---- The module of the device --------------------------------------------------------------------


def is_available() -> bool:
    return True


def is_initialized() -> bool:
    return True


def _is_in_bad_fork() -> bool:
    return False


def device_count() -> int:
    return torch._C._accelerator_hooks_device_count()


def current_device() -> int:
    return torch._C._accelerator_hooks_get_current_device()


def set_device(device: Any) -> None:
    torch._C._accelerator_hooks_set_current_device(_index(device))


class device(contextlib.ContextDecorator):
    """Use a device within a block."""

    def __init__(self, device: Any) -> None:
        self._index = _index(device)

    def __enter__(self) -> None:
        self._before = torch._C._accelerator_hooks_exchange_device(self._index)

    def __exit__(self, *error: object) -> None:
        torch._C._accelerator_hooks_exchange_device(self._before)


def get_device_name(device: Any = None) -> str:
    return f"Pretend {_index(device)}"


def get_device_properties(device: Any = None) -> Any:
    total = torch.ops.pretend.memory(_index(device))[2]
    return SimpleNamespace(name=get_device_name(device), total_memory=total)


def get_amp_supported_dtype() -> list[torch.dtype]:
    return [torch.float16, torch.bfloat16]


def synchronize(device: Any = None) -> None:
    torch.accelerator.synchronize(_device(device))


def Event(enable_timing: bool = False, blocking: bool = False) -> torch.Event:
    """Return a mark in a device's line of work; torch takes its own class only."""
    return torch.Event(NAME, enable_timing=enable_timing, blocking=blocking)


def Stream(device: Any = None, priority: int = 0) -> torch.Stream:
    """Return a line of work; all of a device are done in the order in which they were asked for."""
    return torch.Stream(_device(device), priority=priority)


def current_stream(device: Any = None) -> torch.Stream:
    return torch.accelerator.current_stream(_device(device))


def set_stream(stream: torch.Stream) -> None:
    torch.accelerator.set_stream(stream)


def stream(stream: torch.Stream) -> torch.Stream:
    return stream  # torch's own streams are contexts


# ---- Memory --------------------------------------------------------------------------------------


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Return the bytes that are free and all bytes; what torch keeps for reuse is not free."""
    _, reserved, total = torch.ops.pretend.memory(_index(device))
    return max(total - reserved, 0), total


def memory_allocated(device: Any = None) -> int:
    return torch.ops.pretend.memory(_index(device))[0]


def memory_reserved(device: Any = None) -> int:
    return torch.ops.pretend.memory(_index(device))[1]


def empty_cache() -> None:
    for index in range(device_count()):
        torch.ops.pretend.empty_cache(index)


@contextlib.contextmanager
def memory_limit(more: int, device: Any = None):
    """Within a block, let a device have that many bytes more than are in use now.

    What goes beyond raises `torch.OutOfMemoryError`.
    """
    index = _index(device)
    gc.collect()  # what is in no use any more would make room later
    allocated, _, before = torch.ops.pretend.memory(index)
    torch.ops.pretend.empty_cache(index)
    torch.ops.pretend.set_total_memory(index, allocated + more)
    try:
        yield
    finally:
        torch.ops.pretend.set_total_memory(index, before)


# ---- Random numbers ------------------------------------------------------------------------------


def _generator(device: Any = None) -> torch.Generator:
    return torch.ops.pretend.default_generator(_index(device))


def get_rng_state(device: Any = None) -> torch.Tensor:
    return _generator(device).get_state()


def set_rng_state(new_state: torch.Tensor, device: Any = None) -> None:
    _generator(device).set_state(new_state)


def get_rng_state_all() -> list[torch.Tensor]:
    return [get_rng_state(index) for index in range(device_count())]


def set_rng_state_all(new_states: list[torch.Tensor]) -> None:
    for index, state in enumerate(new_states):
        set_rng_state(state, index)


def manual_seed(seed: int) -> None:
    _generator().manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    for index in range(device_count()):
        _generator(index).manual_seed(seed)


def initial_seed() -> int:
    return _generator().initial_seed()


def _index(device: Any) -> int:
    """Return the number of a device given by number, name, `torch.device` or None."""
    if isinstance(device, int):
        return device
    chosen = torch.device(NAME if device is None else device)
    if chosen.type != NAME:
        raise ValueError(f"Expected a {NAME} device, but got: {chosen}")
    return current_device() if chosen.index is None else chosen.index


def _device(device: Any) -> torch.device:
    return torch.device(NAME, _index(device))
