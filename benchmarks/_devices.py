"""The device that a benchmark runs on: its name on the command line, its clock, what it is."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    import torch


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Give a parser `--device NAME`."""
    parser.add_argument(
        "--device", default="cpu", metavar="NAME", help="such as cuda or cuda:1; default: cpu"
    )


def named(name: str, flag: str = "--device") -> torch.device:
    """Return the device of that name; end the program if this machine has none."""
    import torch

    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or not _is_there(device):
        sys.exit(f"`{flag}` must be cpu or an accelerator of this machine, got {name}.")
    return device


def clock(device: torch.device) -> float:
    """Return the seconds of a clock, once a device has done what it was asked for."""
    from solvers.devices import synchronize

    synchronize(device)
    return time.perf_counter()


def facts(device: torch.device) -> dict[str, Any]:
    """Return what the figures of a device depend on; of the CPU, `_common.machine` says the rest.

    `matmul_precision` is "highest" while float32 products are not rounded to TF32.
    """
    import torch

    from solvers.devices import module_of

    module = module_of(device)
    if module is None:
        return {"device": str(device)}
    properties = _asked(module, "get_device_properties", device)
    memory = getattr(properties, "total_memory", None)
    return {
        "device": str(device),
        "card": _asked(module, "get_device_name", device),
        "card_memory_gb": None if memory is None else round(memory / 2**30, 1),
        "driver": _driver(),
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "matmul_precision": torch.get_float32_matmul_precision(),
    }


def _is_there(device: torch.device) -> bool:
    from solvers.devices import count_of

    return device.type == "cpu" or (device.index or 0) < count_of(device.type)


def _asked(module: Any, question: str, device: torch.device) -> Any:
    """Return what a module answers; None where it does not know the question."""
    function = getattr(module, question, None)
    return None if function is None else function(device)


def _driver() -> str | None:
    """Return the version of NVIDIA's driver, which torch does not tell."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return lines[0].strip() if lines else None
