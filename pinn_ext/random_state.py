"""The state of all random number generators that a run could draw from."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def get_state() -> dict[str, Any]:
    """Return the states of torch, numpy and random, as plain numbers, lists and a tensor."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return {
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
    """Put back what `get_state` returned."""
    torch.set_rng_state(state["torch"])
    np.random.set_state(_of_numpy(state))
    random.setstate(_of_python(state))


def check_state(state: Mapping[str, Any]) -> None:
    """Try a state on generators that nobody uses.

    Raises:
        Exception: what they raise if it is not one that `get_state` returned.
    """
    torch.Generator().set_state(state["torch"])
    np.random.RandomState().set_state(_of_numpy(state))
    random.Random().setstate(_of_python(state))


def _of_numpy(state: Mapping[str, Any]) -> tuple[str, Any, int, int, float]:
    name, keys, position, has_gauss, gauss = state["numpy"]
    return name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss


def _of_python(state: Mapping[str, Any]) -> tuple[Any, tuple[int, ...], Any]:
    version, internal, gauss_next = state["python"]
    return version, tuple(internal), gauss_next
