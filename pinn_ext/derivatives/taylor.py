"""Fields together with their first derivatives and Laplacian, carried forward through a network.

Nested reverse passes walk through the network once for each derivative of each field; here one
forward pass carries all of them (Taylor mode). Losses are then differentiated by an ordinary
backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pinn_ext.derivatives.activations import activate, curve_of
from pinn_ext.derivatives.layers import FixedLinear


class OtherFieldError(Exception):
    """An equation asks for the derivative of something that is neither u nor v."""


@dataclass(frozen=True, eq=False)
class Jet:
    """Values `[N, k]` of k fields and their derivatives in space and time.

    Attributes:
        value: the fields `[N, k]`.
        first: derivatives `[dimension + 1, N, k]` along each axis, time last.
        laplacian: sum of the unmixed second derivatives in space `[N, k]`.
    """

    value: Tensor
    first: Tensor
    laplacian: Tensor

    def __add__(self, other: Jet) -> Jet:
        """Return the sum of the fields."""
        return Jet(
            self.value + other.value, self.first + other.first, self.laplacian + other.laplacian
        )

    def __mul__(self, other: Jet) -> Jet:
        """Return the product of the fields, by the product rule."""
        cross = (self.first[:-1] * other.first[:-1]).sum(dim=0)
        bent = self.value * other.laplacian + self.laplacian * other.value
        return Jet(
            self.value * other.value,
            self.value * other.first + self.first * other.value,
            torch.add(bent, cross, alpha=2.0),
        )

    def times(self, units: Tensor) -> Jet:
        """Return the fields, each multiplied by a constant of `units` `[k]`."""
        return Jet(self.value * units, self.first * units, self.laplacian * units)


def attach(jet: Jet) -> Tensor:
    """Return the values `[N, k]` of a jet, which carry their derivatives along for `jet_of`."""
    # On the tensor itself: there they live as long as it does, whoever holds it, and no longer.
    setattr(jet.value, _DERIVATIVES, (jet.first, jet.laplacian))
    return jet.value


def jet_of(values: Tensor) -> Jet | None:
    """Return the jet that values `[N, k]` came from by `attach`, None if they carry none."""
    derivatives = getattr(values, _DERIVATIVES, None)
    return None if derivatives is None else Jet(values, *derivatives)


_DERIVATIVES = "pinn_ext_derivatives"


class JetDerivatives:
    """Derivatives of the two fields of a jet, as `System.rhs` asks for them.

    Args:
        jet: of u and v, k = 2.

    Attributes:
        fields: u and v `[N]`; derivatives exist for these very tensors.
    """

    def __init__(self, jet: Jet) -> None:
        u, v = jet.value.unbind(dim=1)
        self.fields = u, v
        self._first = [column.unbind(dim=0) for column in jet.first.unbind(dim=2)]
        self._laplacian = jet.laplacian.unbind(dim=1)

    def gradient(self, field: Tensor) -> tuple[Tensor, ...]:
        """Return the spatial components `[N]` of the gradient of u or v."""
        return self._first[self._number(field)][:-1]

    def time(self, field: Tensor) -> Tensor:
        """Return the time derivative `[N]` of u or v."""
        return self._first[self._number(field)][-1]

    def laplacian(self, field: Tensor) -> Tensor:
        """Return the Laplacian `[N]` of u or v."""
        return self._laplacian[self._number(field)]

    def _number(self, field: Tensor) -> int:
        for number, own in enumerate(self.fields):
            if field is own:
                return number
        raise OtherFieldError("derivatives are known of u and v only")


def can_carry(layers: nn.Module) -> bool:
    """Return whether `carry` can stand in for a network's layers.

    Args:
        layers: linear layers, trained or fixed, and activations in a row, without hooks.
    """
    return type(layers) is nn.Sequential and not any(
        module._forward_hooks or module._forward_pre_hooks or _unknown(module)
        for module in (layers, *layers)
    )


def _unknown(layer: nn.Module) -> bool:
    return type(layer) not in (nn.Sequential, nn.Linear, FixedLinear) and curve_of(layer) is None


def carry(layers: nn.Sequential, features: Tensor, slopes: Tensor, dimension: int) -> Jet:
    """Carry features and their derivatives through a network's layers.

    Weights and biases appear in calls of `torch.nn.functional.linear` only, with one sample for
    each point and channel, so that such calls can be watched to find gradients of single points.

    Args:
        layers: linear layers and activations, see `can_carry`.
        features: `[N, n_in]`.
        slopes: derivatives of the features `[dimension + 2, N, n_in]`: along each axis, along
            time, and the Laplacian.
        dimension: number of space coordinates.

    Returns:
        The output and its derivatives, differentiable in the parameters.
    """
    channels, count = slopes.shape[:2]
    value, slopes = features, slopes.reshape(channels * count, -1)
    for layer in layers:
        if isinstance(layer, (nn.Linear, FixedLinear)):
            value = F.linear(value, layer.weight, layer.bias)
            slopes = F.linear(slopes, layer.weight)
        elif (curve := curve_of(layer)) is not None:
            value, slopes = activate(curve, value, slopes, dimension)
    first, laplacian = slopes.reshape(channels, count, -1).split((channels - 1, 1))
    return Jet(value, first, laplacian[0])
