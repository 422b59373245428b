"""A network whose outputs are in units of each field's size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext.checks import check_number


def scale_outputs(net: Any, scales: Sequence[float]) -> Any:
    """Multiply each output of a DeepXDE network by the size of its field.

    Together with the strategy `field_scale`, which divides each loss by the square of that size, it
    makes the fields dimensionless; either of them alone does not. An output transform that the
    network has already is applied after it, so that hard conditions stay in physical units; one
    that is set later takes its place instead.

    Args:
        net: a DeepXDE network; it is changed in place. Call this before `compile`.
        scales: size of each output, positive, in its units.

    Returns:
        `net` itself.

    Raises:
        ValueError: if there are no sizes or one is not above 0; at the first call of the network,
            if there are not as many as outputs.
    """
    if isinstance(scales, (str, Mapping)) or not isinstance(scales, Iterable):
        raise ValueError(f"`scales` must be a list of one number for each output, got {scales!r}.")
    sizes = [float(check_number("scales", scale, 0, open_low=True)) for scale in scales]
    if not sizes:
        raise ValueError("`scales` must hold one number for each output, got none.")
    inner = net._output_transform
    factors: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def transform(inputs: Any, outputs: Tensor) -> Tensor:
        if outputs.shape[-1] != len(sizes):
            raise ValueError(
                f"`scales` must hold one number for each of {outputs.shape[-1]} outputs, "
                f"got {len(sizes)}."
            )
        key = (outputs.dtype, outputs.device)
        if key not in factors:  # once, as a copy to another device at each call would cost
            factors[key] = torch.tensor(sizes, dtype=outputs.dtype, device=outputs.device)
        scaled = outputs * factors[key]
        return scaled if inner is None else inner(inputs, scaled)

    net.apply_output_transform(transform)
    return net
