"""The fully connected network from positions and times to the two fields."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pinn_ext.checks import ArgumentError, check_choice, check_fits, check_list, check_number
from pinn_ext.choices import CONDITIONS, SCALINGS
from pinn_ext.derivatives.precomputed import Precomputed, differentiate
from pinn_ext.derivatives.taylor import Jet, can_carry, carry
from pinn_ext.networks.hard_conditions import (
    ConditionValues,
    HardConditions,
    periodic_features,
    periodic_slopes,
)
from pinn_ext.networks.hidden_layers import build_layers
from pinn_ext.systems import System


class FieldNetwork(nn.Module):
    """Fully connected network `(x, t) -> (u, v)` in physical units.

    Args:
        system: gives the box, the data and, if not given, the scales.
        hidden: width of each hidden layer.
        activation: one of `tanh`, `silu`, `gelu`, `sine`.
        conditions: `"hard"` builds initial and boundary data into the output, `"soft"` leaves
            them to the loss.
        scaling: `"fields"` puts inputs on [-1, 1] and the network output in units of each
            field's scale, `"inputs"` only the former, `"none"` neither.
        scales: size of u and of v; None takes `system.field_scales()`.
        seed: of the initial parameters: Glorot normal weights and zero biases, those of SIREN
            (`init_sine`) for the activation `sine`.
        w0: factor of the activation `sin(w0 z)`, dimensionless; None takes 3.
        features: `"fourier"` puts a layer of Fourier features `cos(k x)`, `sin(k x)` in front,
            which is trained like the others; x are the inputs as `scaling` leaves them.
        fourier_frequencies: number of wave vectors k; None takes 16.
        fourier_scale: standard deviation of their components at the start, in radians per unit of
            x; None takes 2.
        first_layer: `"random"` leaves the first layer as it is drawn, and out of the parameters.
        sees_data: whether the data part of hard conditions, in units of the scales, is two more
            inputs of the layers; on a periodic box that is the start.

    Raises:
        ValueError: if an argument is out of range, or would have no effect.

    Example:
        >>> from pinn_ext import systems
        >>> system = systems.create("brusselator")
        >>> network = FieldNetwork(system, hidden=[16, 16])
        >>> start = torch.tensor([[0.5, 1.0, 0.0]])  # x, y and t
        >>> torch.allclose(network(start), system.exact(start[:, :2], start[:, 2]))  # hard data
        True
        >>> network.has_jet, network.jet(start).laplacian.shape  # of u and v
        (True, torch.Size([1, 2]))
    """

    centre: Tensor
    half_range: Tensor
    scales: Tensor

    def __init__(
        self,
        system: System,
        hidden: Sequence[int] = (32, 32, 32),
        *,
        activation: str = "tanh",
        conditions: str = "hard",
        scaling: str = "fields",
        scales: Sequence[float] | None = None,
        seed: int = 0,
        w0: float | None = None,
        features: str = "none",
        fourier_frequencies: int | None = None,
        fourier_scale: float | None = None,
        first_layer: str = "trained",
        sees_data: bool = False,
    ) -> None:
        super().__init__()
        check_choice("conditions", conditions, CONDITIONS)
        check_choice("scaling", scaling, SCALINGS)
        hidden = check_list("hidden", hidden, "be a list of widths")
        check_number("seed", seed, integer=True)
        if not hidden:
            raise ValueError("`hidden` must hold at least one width, got an empty list.")
        for width in hidden:
            check_number("hidden", width, 1, integer=True)
        if sees_data and conditions != "hard":
            raise ArgumentError("sees_data", "be False without hard conditions", sees_data)
        self.system, self.sees_data = system, sees_data
        self.hard = HardConditions(system) if conditions == "hard" else None
        self.periodic = conditions == "hard" and system.periodic
        dtype, device = torch.get_default_dtype(), torch.get_default_device()
        low = torch.tensor([*system.lower, 0.0], dtype=dtype, device=device)
        high = torch.tensor([*system.upper, system.final_time], dtype=dtype, device=device)
        scaled = scaling != "none"
        self.register_buffer("centre", (low + high) / 2 if scaled else torch.zeros_like(low))
        self.register_buffer("half_range", (high - low) / 2 if scaled else torch.ones_like(low))
        units = term_scales(system, scaling, scales)
        self.register_buffer("scales", torch.tensor(units, dtype=dtype, device=device))
        self.layers = build_layers(
            system.dimension * (2 if self.periodic else 1) + 1 + (2 if sees_data else 0),
            hidden,
            activation=activation,
            w0=w0,
            features=features,
            fourier_frequencies=fourier_frequencies,
            fourier_scale=fourier_scale,
            first_layer=first_layer,
            seed=seed,
        )

    def forward(
        self,
        inputs: Tensor,
        precomputed: Precomputed | ConditionValues | None = None,
        *,
        known: Precomputed | None = None,
    ) -> Tensor:
        """Return the fields.

        Args:
            inputs: positions and times `[N, dimension + 1]`.
            precomputed: the data part of hard conditions at the inputs, if it is there already,
                or, for inputs that need no gradient, all values of theirs.
            known: former name of `precomputed`.

        Returns:
            u and v `[N, 2]`.
        """
        precomputed = precomputed if known is None else _renamed(known)
        features = self._features(inputs)
        if self.hard is None:
            return self.layers(features) * self.scales
        values = self.hard.values(inputs, precomputed)
        if self.sees_data:
            features = torch.cat((features, values.data / self.scales), dim=1)
        return self.hard(inputs, self.layers(features) * self.scales, values)

    def jet(
        self,
        inputs: Tensor,
        precomputed: Precomputed | None = None,
        *,
        known: Precomputed | None = None,
    ) -> Jet:
        """Return the fields with their derivatives, in one pass.

        Args:
            inputs: positions and times `[N, dimension + 1]`.
            precomputed: the data part of hard conditions at the inputs, if it is there already.
            known: former name of `precomputed`.

        Returns:
            u and v and their derivatives, differentiable in the parameters but not in the inputs.
        """
        precomputed = precomputed if known is None else _renamed(known)
        inputs = inputs.detach()
        features = self._features(inputs)
        slopes = self._feature_slopes(features)
        axes = self.system.dimension
        if self.hard is None:
            return carry(self.layers, features, slopes, axes).times(self.scales)
        if precomputed is None:
            precomputed = differentiate(self.hard.data_part, inputs)
        if self.sees_data:
            data = precomputed.jet().times(1 / self.scales)
            features = torch.cat((features, data.value), dim=1)
            slopes = torch.cat((slopes, torch.cat((data.first, data.laplacian[None]))), dim=2)
        raw = carry(self.layers, features, slopes, axes)
        return self.hard.jet(inputs, raw, self.scales, precomputed)

    @property
    def has_jet(self) -> bool:
        """Whether `jet` returns the fields of `forward`: neither has been changed from outside."""
        plain = type(self).forward is FieldNetwork.forward and type(self).jet is FieldNetwork.jet
        hooks = self._forward_hooks or self._forward_pre_hooks or "forward" in vars(self)
        return plain and not hooks and can_carry(self.layers)

    def _features(self, inputs: Tensor) -> Tensor:
        scaled = (inputs - self.centre) / self.half_range
        if not self.periodic:
            return scaled
        features = periodic_features(self.system, inputs)
        return torch.cat((features[:, :-1], scaled[:, -1:]), dim=1)

    def _feature_slopes(self, features: Tensor) -> Tensor:
        """Return derivatives of the features `[dimension + 2, N, n_in]`, the Laplacian last."""
        axes = self.system.dimension
        if self.periodic:
            slopes = periodic_slopes(self.system, features)
            slopes[axes, :, -1] = 1.0 / self.half_range[-1]
            return slopes
        slopes = features.new_zeros(axes + 2, *features.shape)
        slopes[:-1].diagonal(dim1=0, dim2=2).copy_(1.0 / self.half_range)
        return slopes


def _renamed(known: Precomputed) -> Precomputed:
    """Return what was given under the former name of an argument."""
    warnings.warn("`known` is now `precomputed`.", DeprecationWarning, stacklevel=3)
    return known


def term_scales(
    system: System, scaling: str, scales: Sequence[float] | None = None
) -> tuple[float, float]:
    """Return the units of u and v of the network output and of residuals.

    Args:
        system: gives the scales if none are given.
        scaling: only `"fields"` scales the fields.
        scales: size of u and of v, positive, or None.

    Returns:
        Two positive numbers, 1 and 1 unless `scaling` is `"fields"`.

    Raises:
        ValueError: if `scales` is not two positive numbers that torch's default float type holds,
            or None and a field has no data but 0.

    Example:
        >>> from pinn_ext import systems
        >>> system = systems.create("linear_reaction_diffusion")
        >>> [round(scale, 3) for scale in term_scales(system, "fields")]
        [1.435, 0.007]
        >>> term_scales(system, "none"), term_scales(system, "fields", [2.0, 0.5])
        ((1.0, 1.0), (2.0, 0.5))
    """
    if scales is not None:
        scales = check_list("scales", scales, "hold one number for u and one for v")
        if len(scales) != 2:
            raise ValueError(f"`scales` must hold one number for u and one for v, got {scales}.")
        float_type = str(torch.get_default_dtype()).removeprefix("torch.")
        for scale in scales:
            check_fits("scales", check_number("scales", scale, 0, open_low=True), float_type)
    if scaling != "fields":
        return 1.0, 1.0
    u, v = system.field_scales() if scales is None else scales
    if not (u > 0 and v > 0):
        raise ValueError(
            f"`scales` must be given for {system.name}: a field without data has no size, "
            f"got {u:g} and {v:g}."
        )
    return float(u), float(v)
