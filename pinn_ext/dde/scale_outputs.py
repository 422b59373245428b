"""A network whose outputs are in units of each field's size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.checks import check_fits, check_number
from pinn_ext.dde.model.loss_terms import float_type

_OF_PRODUCTS = (
    dde.nn.DeepONetCartesianProd,
    dde.nn.MIONetCartesianProd,
    dde.nn.PODDeepONet,
    dde.nn.PODMIONet,
)
"""Networks that answer each function at each point, `[functions, points]` for a single output."""


def scale_outputs(net: Any, scales: Sequence[float]) -> Any:
    """Multiply each output of a DeepXDE network by the size of its field.

    Together with the strategy `field_scale`, which divides each loss by the square of that size, it
    makes the fields dimensionless; either of them alone does not. An output transform that the
    network has already is applied after it, so that hard conditions stay in physical units; one
    that is set later takes its place instead.

    Args:
        net: a DeepXDE network; it is changed in place. Call this before `compile`.
        scales: size of each output, positive, in its units. An operator network that answers
            `[functions, points]` has one output.

    Returns:
        `net` itself.

    Raises:
        ValueError: if there are no sizes, one is not above 0 or beyond the float type; at the
            first call of the network, if there are not as many as outputs.

    Example:
        >>> import deepxde as dde
        >>> import torch
        >>> import pinn_ext
        >>> x = torch.rand(4, 1)
        >>> net = dde.nn.FNN([1, 8, 2], "tanh", "Glorot normal")
        >>> before = net(x)
        >>> scaled = pinn_ext.scale_outputs(net, [1.0, 1e-3])
        >>> torch.allclose(scaled(x), before * torch.tensor([1.0, 1e-3]))
        True
    """
    if isinstance(scales, (str, Mapping)) or not isinstance(scales, Iterable):
        raise ValueError(f"`scales` must be a list of one number for each output, got {scales!r}.")
    sizes = [float(check_number("scales", scale, 0, open_low=True)) for scale in scales]
    for size in sizes:
        check_fits("scales", size, float_type())
    if not sizes:
        raise ValueError("`scales` must hold one number for each output, got none.")
    inner = net._output_transform
    factors: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def transform(inputs: Any, outputs: Tensor) -> Tensor:
        number = 1 if _is_one_field(net, inputs, outputs) else outputs.shape[-1]
        if number != len(sizes):
            raise ValueError(
                f"`scales` must hold one number for each of {number} output{'s' * (number != 1)}, "
                f"got {len(sizes)}."
            )
        key = (outputs.dtype, outputs.device)
        if key not in factors:  # once, as a copy to another device at each call would cost
            factors[key] = torch.tensor(sizes, dtype=outputs.dtype, device=outputs.device)
        scaled = outputs * factors[key]
        return scaled if inner is None else inner(inputs, scaled)

    net.apply_output_transform(transform)
    return net


def _is_one_field(net: Any, inputs: Any, outputs: Tensor) -> bool:
    """Return whether the outputs are one field `[functions, points]`, without an axis of its own.

    A network of another class is told by its inputs, functions and points of different number.
    """
    if outputs.ndim != 2:
        return False
    if isinstance(net, _OF_PRODUCTS):
        return True
    if not isinstance(inputs, (tuple, list)) or len(inputs) < 2:
        return False
    functions, points = len(inputs[0]), len(inputs[-1])
    return functions != points and tuple(outputs.shape) == (functions, points)
