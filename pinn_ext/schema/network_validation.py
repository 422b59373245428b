"""The refusal of networks that cannot be, and of keys that a network does not read."""

from __future__ import annotations

from typing import Any

from pinn_ext import choices
from pinn_ext.checks import ArgumentError, check_choice, check_number
from pinn_ext.schema.keys import Network

_OF_GRAPHS = ("width", "layers")
_OF_COORDINATES = (
    *("hidden", "activation", "w0", "features"),
    *("fourier_frequencies", "fourier_scale", "first_layer", "sees_data"),
)


def validate_network(network: Network) -> None:
    """Refuse values of `network` that are out of range, or have no effect.

    Args:
        network: the group of keys.

    Raises:
        ArgumentError: naming the full key, what is allowed and what came.
    """
    check_choice("network.name", network.name, ("mlp", *choices.GRAPH_NETWORKS))
    defaults = Network()
    on_graphs = network.name in choices.GRAPH_NETWORKS
    for key in _OF_COORDINATES if on_graphs else _OF_GRAPHS:
        value, default = getattr(network, key), getattr(defaults, key)
        if value != default:
            wanted = f"be left out for network.name={network.name}, as it has no effect"
            raise ArgumentError(f"network.{key}", wanted, value)
    if on_graphs:
        for key in _OF_GRAPHS:
            check_number(f"network.{key}", getattr(network, key), 1, integer=True)
    else:
        _validate_coordinates(network)


def _validate_coordinates(network: Network) -> None:
    check_choice("network.activation", network.activation, choices.ACTIVATIONS)
    check_choice("network.features", network.features, choices.FEATURES)
    check_choice("network.first_layer", network.first_layer, choices.FIRST_LAYERS)
    largest = choices.LARGEST_FREQUENCY
    check_number("network.w0", network.w0, 0, largest, open_low=True)
    check_number("network.fourier_frequencies", network.fourier_frequencies, 1, integer=True)
    check_number("network.fourier_scale", network.fourier_scale, 0, largest, open_low=True)
    if network.activation != "sine":
        _check_left_alone("network.w0", network.w0, choices.SINE_W0, "activation=sine")
    if network.features != "fourier":
        for key, default in (
            ("fourier_frequencies", choices.FOURIER_FREQUENCIES),
            ("fourier_scale", choices.FOURIER_SCALE),
        ):
            value = getattr(network, key)
            _check_left_alone(f"network.{key}", value, default, "features=fourier")
    if not network.hidden:
        raise ArgumentError("network.hidden", "hold at least one width", "[]")
    for width in network.hidden:
        check_number("network.hidden", width, 1, integer=True)


def _check_left_alone(key: str, value: Any, default: float, needs: str) -> None:
    """Refuse a number that was set where nothing reads it."""
    if value != default:
        wanted = f"stay {default:g} without network.{needs}, as it has no effect"
        raise ArgumentError(key, wanted, value)
