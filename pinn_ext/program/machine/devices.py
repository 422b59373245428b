"""The device that a run trains on: its name, what this machine has, one card for each process."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

from pinn_ext.checks import ArgumentError
from pinn_ext.schema import Config
from solvers.devices import count_of, is_out_of_memory, module_of

_KINDS = ("cuda", "xpu", "mps", "mtia", "hpu")
_LOCAL_RANKS = ("LOCAL_RANK", "SLURM_LOCALID")  # torchrun's and SLURM's number on this machine
_MASKS = ("VISIBLE_DEVICES", "AFFINITY_MASK")  # ends of variables that give a process its cards


def device_of(cfg: Config, environment: Mapping[str, str] = os.environ) -> torch.device:
    """Return the device that a configuration asks for, an accelerator always with its number.

    `auto` is a CUDA card if there is one, else the CPU: other accelerators may lack float64, and
    DeepXDE would not choose them either. They are taken where they are named.

    Args:
        cfg: the configuration.
        environment: of the process, which says its number among those on this machine.

    Returns:
        The device.

    Raises:
        ArgumentError: if this machine has no such device, it lacks the float type, or another
            process on this machine would take the same card.
    """
    name = str(cfg.device)
    if name == "auto":
        name = "cuda" if count_of("cuda") else "cpu"
    device = _named(name)
    if device is None:
        here = ", ".join(devices_of_machine())
        wanted = f"be auto or a device that this machine has and torch can use ({here})"
        raise ArgumentError("device", wanted, repr(cfg.device))
    if device.type == "cpu":
        return torch.device("cpu")
    device = _own_card(cfg.device, device, environment)
    _check_float64(cfg, device)
    return device


def devices_of_machine() -> list[str]:
    """Return the names of all devices of this machine that torch can use, the CPU first."""
    # The name of a backend that was loaded beside torch's own has no public way to be read.
    renamed = getattr(torch._C, "_get_privateuse1_backend_name", lambda: "privateuseone")()
    kinds = dict.fromkeys((*_KINDS, renamed))
    return ["cpu", *(f"{kind}:{i}" for kind in kinds for i in range(count_of(kind)))]


def is_here(name: str) -> bool:
    """Return whether a device's name, or `auto`, is one that this machine can take."""
    return name == "auto" or _named(name) is not None


def take(device: torch.device) -> None:
    """Make a card the present one of its kind, so that nothing is put on another."""
    set_device = getattr(module_of(device), "set_device", None)
    if set_device is not None:
        set_device(device)


def describe(device: torch.device) -> str:
    """Return what results depend on of a device: `cpu`, or its kind and its card's name."""
    name = getattr(module_of(device), "get_device_name", None)
    return device.type if name is None else f"{device.type} ({name(device)})"


def reduced_precision(device: torch.device) -> str | None:
    """Return the type that torch may multiply matrices of float32 in, None if it is float32.

    Args:
        device: where they lie.
    """
    of_device = torch.backends.cuda if device.type == "cuda" else torch.backends.mkldnn
    own = getattr(getattr(of_device, "matmul", None), "fp32_precision", None)
    if own is None:  # before torch 2.9 there is one setting for all devices
        held = {"high": "tf32", "medium": "bf16"}
        return held.get(torch.get_float32_matmul_precision())
    return own if own in ("tf32", "bf16") else None


def _named(name: str) -> torch.device | None:
    """Return the device of a name, None if this machine has none."""
    try:
        device = torch.device(name)
    except RuntimeError:
        return None
    count = 1 if device.type == "cpu" else count_of(device.type)
    return device if (device.index or 0) < count else None


def _own_card(given: str, device: torch.device, environment: Mapping[str, str]) -> torch.device:
    """Return a card that no other process of a job on this machine takes.

    In a job of several processes, which train together or each a run of its own, those that were
    given a card each see that one alone; otherwise the process takes the card of its number.

    Raises:
        ArgumentError: if another process would take the same card.
    """
    number = next((environment[key] for key in _LOCAL_RANKS if environment.get(key)), "0")
    rank, count = int(number) if number.isdigit() else 0, count_of(device.type)
    masked = any(key.endswith(_MASKS) for key in environment)
    if rank == 0 or (count == 1 and masked):
        return torch.device(device.type, device.index or 0)
    index = rank if device.index is None else device.index
    if rank >= count or index != rank:
        wanted = (
            f"leave each process of a job a card of its own (process {rank} on this machine takes "
            f"{device.type}:{rank}, there {'is' if count == 1 else 'are'} {count})"
        )
        raise ArgumentError("device", wanted, repr(given))
    return torch.device(device.type, index)


def _check_float64(cfg: Config, device: torch.device) -> None:
    """Refuse a device without float64 for a run that needs it."""
    key = "dtype=float64" if cfg.dtype == "float64" else "training.loss.use_gn_solver=true"
    wanted = cfg.dtype == "float64" or cfg.training.loss.use_gn_solver
    if device.type == "cuda" or not wanted:
        return
    try:
        torch.ones(1, dtype=torch.float64, device=device).sum()
    except (TypeError, RuntimeError) as error:
        if not is_out_of_memory(error):  # which the run finds out by itself
            raise ArgumentError("device", f"have float64 for {key}", repr(cfg.device)) from None
