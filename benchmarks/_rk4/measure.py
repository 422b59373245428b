"""Time, bandwidth and peak memory for `rk4.py`."""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import _devices
import torch
from torch import Tensor

from _rk4.cases import Case, rhs
from solvers.devices import module_of
from solvers.rk4.semidiscrete import SemiDiscrete
from solvers.rk4.stepper import Stepper
from solvers.rk4.tableaus import RK4

SAMPLE = 0.05  # seconds that a sample lasts at least
BUDGET = 8.0  # seconds after which a row gets no more samples than the least
LEAST = 3  # samples
MOST_STEPS = 100  # in a sample, so that no growing mode gets large


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Limit torch, numpy's linear algebra and numba to some threads."""
    before = torch.get_num_threads()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError):
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(threads))
        with contextlib.suppress(ImportError):
            import numba

            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def bandwidth_of(device: torch.device, threads: int, elements: int) -> float:
    """Return a device's bandwidth on float64, in bytes a second.

    Of the CPU that of a triad `a = b + 3 c`, 24 bytes an element, of an accelerator that of a copy,
    16 bytes.
    """
    on_cpu = device.type == "cpu"
    with limited(threads):
        a, b, c = (torch.zeros(elements, dtype=torch.float64, device=device) for _ in range(3))
        # Written to, as pages that were only read are all the same one.
        for array in (a, b, c):
            array.fill_(1.0)
        seconds = []
        for _ in range(10):
            start = _devices.clock(device)
            if on_cpu:
                torch.add(b, c, alpha=3.0, out=a)
            else:
                a.copy_(b)
            seconds.append(_devices.clock(device) - start)
    return (24 if on_cpu else 16) * elements / min(seconds)


@dataclass(frozen=True)
class Work:
    """What is measured on a device: `run(count)` after `begin()`, which is not."""

    run: Callable[[int], None]
    device: torch.device
    begin: Callable[[], None] = lambda: None

    def seconds(self, count: int) -> float:
        """Time one sample."""
        self.begin()
        start = _devices.clock(self.device)
        self.run(count)
        return _devices.clock(self.device) - start

    def count(self) -> int:
        """Warm up and return how many steps make a sample."""
        self.seconds(1)
        return min(MOST_STEPS, math.ceil(SAMPLE / self.seconds(1)))


def interleaved(works: Mapping[str, Work], repeats: int) -> dict[str, tuple[float, int]]:
    """Return the median seconds of a sample and its steps; turns are taken so noise hits all."""
    counts = {name: work.count() for name, work in works.items()}
    samples: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            if len(samples[name]) < LEAST or sum(samples[name]) < BUDGET:
                samples[name].append(work.seconds(counts[name]))
    return {name: (statistics.median(samples[name]), counts[name]) for name in works}


def peak_growth(case: Case, names: list[str], threads: int) -> dict[str, int | None]:
    """Return by how many bytes stepping raises the peak over what is resident, in a process each.

    None where the system does not say. On an accelerator torch counts what it has allocated there.
    """
    if case.device.type != "cpu":
        return {name: growth_on_device(case, name) for name in names}
    package = Path(__file__).resolve().parent
    script = f"{package.name}.peak"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case.pt"
        torch.save((case.operators, case.state, case.step), file)
        growth = {}
        for name in names:
            command = [sys.executable, "-m", script, str(file), name, str(threads)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=package.parent)
            # What went wrong is on stderr; the row's times are not lost by it.
            failed = done.returncode or not done.stdout
            growth[name] = None if failed else json.loads(done.stdout.splitlines()[-1])
    return growth


def growth_on_device(case: Case, name: str) -> int | None:
    """Return by how many bytes stepping raises the peak of what torch has on an accelerator."""
    module = module_of(case.device)
    if getattr(module, "reset_peak_memory_stats", None) is None:
        return None
    stepper = Stepper(SemiDiscrete(rhs, case.operators), None, RK4, name == "ours")
    fields = stepper.split(case.state)
    with torch.no_grad():
        for measured in (False, True):
            if measured:
                module.reset_peak_memory_stats(case.device)
                before = module.memory_allocated(case.device)
            for _ in range(4):
                fields = stepper(fields, 0.0, case.step)
    return max(0, module.max_memory_allocated(case.device) - before)


def operator_bytes(case: Case) -> int:
    """Bytes of all tables of the operators, the gradient's too, each storage once."""
    storages = {}

    def visit(value: object) -> None:
        if isinstance(value, Tensor):
            storages[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        elif isinstance(value, tuple):
            for part in value:
                visit(part)
        elif hasattr(value, "__dataclass_fields__"):
            for name in value.__dataclass_fields__:
                if name != "derived":  # the transposed tables serve the gradient only
                    visit(getattr(value, name))

    visit(case.operators)
    return sum(storages.values())
