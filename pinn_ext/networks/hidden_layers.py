"""The layers of a fully connected network: activations, Fourier features, and how they start."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from pinn_ext.checks import ArgumentError, check_choice, check_number
from pinn_ext.choices import (
    FEATURES,
    FIRST_LAYERS,
    FOURIER_FREQUENCIES,
    FOURIER_SCALE,
    LARGEST_FREQUENCY,
    SINE_W0,
)
from pinn_ext.derivatives.layers import FixedLinear, Sine
from pinn_ext.networks.initial_parameters import (
    Linear,
    draw_fourier,
    draw_glorot,
    draw_ridges,
    draw_sine,
)

ACTIVATIONS = {"tanh": nn.Tanh, "silu": nn.SiLU, "gelu": nn.GELU, "sine": Sine}


def build_layers(
    n_in: int,
    hidden: Sequence[int],
    *,
    activation: str,
    w0: float | None,
    features: str,
    fourier_frequencies: int | None,
    fourier_scale: float | None,
    first_layer: str,
    seed: int,
) -> nn.Sequential:
    """Return linear layers and activations in turn, from `n_in` inputs to two outputs.

    Args:
        n_in: number of inputs.
        hidden: width of each hidden layer, at least one.
        activation: one of `ACTIVATIONS`.
        w0: of the activation `sine`; None takes the default.
        features: `"fourier"` puts a layer of Fourier features in front.
        fourier_frequencies: their number, of either phase; None takes the default.
        fourier_scale: standard deviation of their wave numbers; None takes the default.
        first_layer: `"random"` leaves the first layer, which may be that of the features, as it
            is drawn.
        seed: of the initial parameters.

    Returns:
        The layers.

    Raises:
        ArgumentError: if a value is out of range, or would have no effect.
    """
    check_choice("activation", activation, ACTIVATIONS)
    check_choice("features", features, FEATURES)
    check_choice("first_layer", first_layer, FIRST_LAYERS)
    by_waves = features == "fourier"
    w0 = _of("w0", w0, SINE_W0, activation == "sine", "activation='sine'")
    scale = _of("fourier_scale", fourier_scale, FOURIER_SCALE, by_waves, "features='fourier'")
    count = fourier_frequencies
    if not by_waves and count is not None:
        _refuse("fourier_frequencies", count, "features='fourier'")
    count = FOURIER_FREQUENCIES if count is None else count
    check_number("fourier_frequencies", count, 1, integer=True)
    widths = [n_in, *([2 * count] if by_waves else []), *hidden, 2]
    layers: list[nn.Module] = []
    for number, (here, there) in enumerate(itertools.pairwise(widths)):
        fixed = number == 0 and first_layer == "random"
        layers.append(FixedLinear(here, there) if fixed else _empty_linear(here, there))
        waves = number == 0 and by_waves
        layers.append(Sine(1.0) if waves else _activation(activation, w0))
    chain = nn.Sequential(*layers[:-1])
    _draw(chain, activation, w0, scale if by_waves else None, seed)
    return chain


def _activation(name: str, w0: float) -> nn.Module:
    return Sine(w0) if name == "sine" else ACTIVATIONS[name]()


def _of(name: str, value: float | None, default: float, in_use: bool, needs: str) -> float:
    """Return a positive number or its default; refuse one that is given and would do nothing."""
    if value is None:
        return default
    if not in_use:
        _refuse(name, value, needs)
    return float(check_number(name, value, 0, LARGEST_FREQUENCY, open_low=True))


def _refuse(name: str, value: object, needs: str) -> None:
    raise ArgumentError(name, f"be None unless {needs}, as it has no effect", repr(value))


def _draw(chain: nn.Sequential, activation: str, w0: float, waves: float | None, seed: int) -> None:
    """Draw the parameters from a separate generator, so that they depend on the seed alone."""
    generator = torch.Generator(device="cpu").manual_seed(seed)
    linear: list[Linear] = [x for x in chain if isinstance(x, (nn.Linear, FixedLinear))]
    for number, layer in enumerate(linear):
        if number == 0 and waves is not None:
            draw_fourier(layer, waves, generator)
        elif activation == "sine":
            draw_sine(layer, w0, number == 0, generator)
        elif isinstance(layer, FixedLinear):
            draw_ridges(layer, generator)
        else:
            draw_glorot(layer, generator)


def _empty_linear(n_in: int, n_out: int) -> nn.Linear:
    """Make a layer without drawing its parameters from torch's global generator."""
    return nn.utils.skip_init(nn.Linear, n_in, n_out, device=torch.get_default_device())
