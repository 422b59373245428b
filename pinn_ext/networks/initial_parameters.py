"""Initial parameters of linear layers: drawn in main memory, one layer after the other."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.choices import LARGEST_FREQUENCY, SINE_W0
from pinn_ext.derivatives.layers import FixedLinear

Linear = nn.Linear | FixedLinear
Network = TypeVar("Network", bound=nn.Module)


def init_sine(network: Network, w0: float = SINE_W0, *, seed: int | None = None) -> Network:
    """Give a network of sine activations the initial parameters of SIREN.

    With them what enters each sine but the first is normal with a variance between 0.8 and 1,
    however deep the network is (Sitzmann et al. 2020, arXiv:2006.09661, theorem 1.8, which has it
    as 1; for w0 of 3 or more). Weights of the first layer are uniform in `+-1/n_in` and its biases,
    which are phases, in `+-1/sqrt(n_in)`; weights of the others in `+-sqrt(6/n_in)/w0`, and their
    biases are 0.

    Args:
        network: its layers `torch.nn.Linear` are taken as one chain, in the order in which it
            holds them, such as those of a `dde.nn.FNN`. It is changed in place.
        w0: factor in its activations `sin(w0 z)`, see `pinn_ext.networks.Sine`; 1 for DeepXDE's
            "sin".
        seed: of the numbers; None goes on with torch's own generator.

    Returns:
        `network` itself.

    Raises:
        ArgumentError: if it has no linear layer, or a number is out of range.

    Example:
        >>> from pinn_ext.networks import Sine
        >>> layers = [torch.nn.Linear(2, 64), Sine(3.0), torch.nn.Linear(64, 64), Sine(3.0)]
        >>> network = init_sine(torch.nn.Sequential(*layers, torch.nn.Linear(64, 1)), 3.0, seed=0)
        >>> network[2].weight.abs().max().item() <= (6 / 64) ** 0.5 / 3.0
        True
    """
    check_number("w0", w0, 0, LARGEST_FREQUENCY, open_low=True)
    if seed is not None:
        check_number("seed", seed, integer=True)
    chain = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    if not chain:
        raise ArgumentError("network", "have linear layers", f"a {type(network).__name__}")
    generator = None if seed is None else torch.Generator(device="cpu").manual_seed(seed)
    for number, layer in enumerate(chain):
        draw_sine(layer, w0, number == 0, generator)
    return network


def draw_sine(layer: Linear, w0: float, first: bool, generator: torch.Generator | None) -> None:
    """Draw one layer of SIREN.

    Args:
        layer: changed in place.
        w0: factor in the activation behind it.
        first: whether its inputs are coordinates rather than sines.
        generator: None for torch's own.
    """
    n_in = layer.weight.shape[1]
    if first:
        weight = _uniform(layer.weight, 1.0 / n_in, generator)
        has_bias = layer.bias is not None
        _set(layer, weight, _uniform(layer.bias, n_in**-0.5, generator) if has_bias else None)
    else:
        _set(layer, _uniform(layer.weight, math.sqrt(6.0 / n_in) / w0, generator), None)


def draw_glorot(layer: Linear, generator: torch.Generator) -> None:
    """Draw a layer like DeepXDE's "Glorot normal"."""
    n_out, n_in = layer.weight.shape
    std = (2.0 / (n_in + n_out)) ** 0.5
    _set(layer, torch.randn(n_out, n_in, generator=generator, device="cpu") * std, None)


def draw_fourier(layer: Linear, scale: float, generator: torch.Generator) -> None:
    """Draw wave numbers, normal with standard deviation `scale`, each for a cosine and a sine.

    As phases of one sine: `cos(k x) = sin(k x + pi/2)`.
    """
    n_out, n_in = layer.weight.shape
    waves = torch.randn(n_out // 2, n_in, generator=generator, device="cpu") * scale
    phases = torch.zeros(n_out, device="cpu")
    phases[: n_out // 2] = math.pi / 2
    _set(layer, torch.cat((waves, waves)), phases)


def draw_ridges(layer: Linear, generator: torch.Generator) -> None:
    """Draw weights that are standard normal and biases in `+-1`, for a layer that is not trained.

    Without biases all of its ridges would pass through the middle of the box, for ever.
    """
    n_out, n_in = layer.weight.shape
    weight = torch.randn(n_out, n_in, generator=generator, device="cpu")
    _set(layer, weight, _uniform(layer.bias, 1.0, generator))


def _uniform(like: Tensor, bound: float, generator: torch.Generator | None) -> Tensor:
    unit = torch.rand(like.shape, generator=generator, dtype=like.dtype, device="cpu")
    return (2.0 * unit - 1.0) * bound


@torch.no_grad()
def _set(layer: Linear, weight: Tensor, bias: Tensor | None) -> None:
    layer.weight.copy_(weight)
    if bias is not None:
        layer.bias.copy_(bias)
    elif layer.bias is not None:
        layer.bias.zero_()
