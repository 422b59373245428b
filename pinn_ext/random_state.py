"""The state of all random number generators that a run could draw from."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from solvers.devices import module_of


def get_state() -> dict[str, Any]:
    """Return the states of torch, numpy and random, as plain numbers, lists and tensors.

    Where torch's default device is an accelerator, that of its generator is among them, as
    `{"accelerator": {"kind": "cuda", "state": …}}`.
    """
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        **_of_accelerator(),
        "torch": torch.get_rng_state(),
        "numpy": [
            str(name),
            [int(key) for key in keys],
            int(position),
            int(has_gauss),
            float(gauss),
        ],
        "python": random.getstate(),
    }


def set_state(state: Mapping[str, Any]) -> None:
    """Put back what `get_state` returned, as far as it concerns the default device of now."""
    torch.set_rng_state(state["torch"].cpu())  # a whole state may have been loaded onto a GPU
    device = torch.get_default_device()
    own = state.get("accelerator")  # absent on the CPU, and from versions that did not save it
    if own is not None and own["kind"] == device.type:
        module_of(device).set_rng_state(own["state"].cpu(), device)
    np.random.set_state(_of_numpy(state))
    random.setstate(_of_python(state))


def check_state(state: Mapping[str, Any]) -> None:
    """Try a state on generators that nobody uses.

    Raises:
        Exception: what they raise if it is not one that `get_state` returned.
        ValueError: of the state of an accelerator's generator that is none.
    """
    torch.Generator(device="cpu").set_state(state["torch"].cpu())
    np.random.RandomState().set_state(_of_numpy(state))
    random.Random().setstate(_of_python(state))
    own = state.get("accelerator")
    if own is not None:  # of another machine, perhaps: only its form can be looked at
        numbers = own["state"]
        if not isinstance(own["kind"], str) or numbers.dtype != torch.uint8 or numbers.ndim != 1:
            raise ValueError("The state of an accelerator's generator must be bytes.")


def _of_accelerator() -> dict[str, Any]:
    """Return the state of the default device's generator, if that is an accelerator."""
    device = torch.get_default_device()
    module = module_of(device)
    if module is None or not hasattr(module, "get_rng_state"):
        return {}
    return {"accelerator": {"kind": device.type, "state": module.get_rng_state(device).cpu()}}


def _of_numpy(state: Mapping[str, Any]) -> tuple[str, Any, int, int, float]:
    name, keys, position, has_gauss, gauss = state["numpy"]
    return name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss


def _of_python(state: Mapping[str, Any]) -> tuple[Any, tuple[int, ...], Any]:
    version, internal, gauss_next = state["python"]
    return version, tuple(internal), gauss_next
