"""Whether saved parameters are those of a network, before it takes them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

_SHOWN = 3  # of the tensors that differ


class OtherNetwork(ValueError):
    """Parameters belong to another network; the message says what is different."""


def check_parameters(network: nn.Module, state: Mapping[str, Any]) -> None:
    """Refuse the parameters of another network.

    Args:
        network: that is to take them up.
        state: what `state_dict` of one like it is said to have returned; float types and devices
            do not matter.

    Raises:
        OtherNetwork: naming the first tensors that are absent, of another shape, or too many.

    Example:
        >>> from torch import nn
        >>> check_parameters(nn.Linear(2, 3), nn.Linear(2, 5).state_dict())
        Traceback (most recent call last):
            ...
        pinn_ext.networks.saved_parameters.OtherNetwork: `weight` is [5, 2] there, wanted [3, 2];
        `bias` is [5] there, wanted [3]
    """
    own = network.state_dict()
    found = [
        f"`{name}` is {_shape(state[name])} there, wanted {_shape(tensor)}"
        if name in state
        else f"it lacks `{name}` {_shape(tensor)}"
        for name, tensor in own.items()
        if name not in state or _shape(state[name]) != _shape(tensor)
    ]
    found += [f"it has `{name}` {_shape(state[name])} besides" for name in state if name not in own]
    if found:
        more = [f"{len(found) - _SHOWN} more differences"] if len(found) > _SHOWN else []
        raise OtherNetwork("; ".join(found[:_SHOWN] + more))


def _shape(value: Any) -> str:
    return str(list(value.shape)) if isinstance(value, Tensor) else "no tensor"
