"""Layers that Taylor mode knows beside torch's: the sine, a linear layer that is not trained."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pinn_ext.checks import check_number
from pinn_ext.choices import LARGEST_FREQUENCY, SINE_W0


class Sine(nn.Module):
    """The activation `sin(w0 z)` of SIREN (Sitzmann et al. 2020, arXiv:2006.09661).

    Any network may use it, `dde.nn.FNN([2, 30, 30, 1], Sine(), "Glorot normal")` too; the
    parameters that belong to it come from `pinn_ext.networks.init_sine`.

    Args:
        w0: factor of each product z, dimensionless: the number of radians per half width of the
            box, for inputs on [-1, 1] and the first layer of `init_sine`.

    Raises:
        ValueError: if it is not in (0, 1000].

    Example:
        >>> Sine(2.0)(torch.tensor([0.0, torch.pi / 4]))
        tensor([0., 1.])
    """

    def __init__(self, w0: float = SINE_W0) -> None:
        super().__init__()
        self.w0 = float(check_number("w0", w0, 0, LARGEST_FREQUENCY, open_low=True))

    def forward(self, input: Tensor) -> Tensor:
        """Return the sine of `w0` times the input, of the same shape."""
        return torch.sin(input if self.w0 == 1.0 else self.w0 * input)

    def extra_repr(self) -> str:
        """Return what the layer's line in a print of the network says."""
        return f"w0={self.w0:g}"


class FixedLinear(nn.Module):
    """A linear layer whose weights are drawn once and are saved, but are no parameters.

    Buffers instead of parameters without gradient: DeepXDE's tests make all parameters of a
    network trainable again, and its optimisers are given all.

    Args:
        n_in: width of its input.
        n_out: width of its output.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        device = torch.get_default_device()
        self.in_features, self.out_features = n_in, n_out
        self.register_buffer("weight", torch.zeros(n_out, n_in, device=device))
        self.register_buffer("bias", torch.zeros(n_out, device=device))

    def forward(self, input: Tensor) -> Tensor:
        """Return the products `[..., n_out]` of inputs `[..., n_in]`."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return what the layer's line in a print of the network says."""
        return f"in_features={self.in_features}, out_features={self.out_features}"
