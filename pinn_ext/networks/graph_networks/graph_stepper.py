"""Encoder, processor and decoder of a network that steps, with hard conditions around them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP

from pinn_ext.checks import ArgumentError, check_list, check_number
from pinn_ext.networks.graph_networks.graph_states import GraphStates

ACTIVATION = "silu"
"""Of all hidden layers; it is smooth, as the time derivative of the output is trained."""


class GraphStepper(nn.Module):
    """Network `(state, tau) -> state` on graphs: `U0 + tau N(U0, graph, tau)`.

    The encoder reads at each node the state, its rates of change by the equation (the inverse
    hyperbolic sine of them, as they may be large), whether it is a Dirichlet node, and the
    constants that vary; the processor passes messages along the edges; the decoder takes what came
    of it, and the time. Positions enter as differences along edges alone, so a translation of the
    graph changes nothing, nor does another numbering of its nodes. The initial state holds for any
    parameters, and Dirichlet nodes keep theirs.

    Time enters the decoder alone: messages are passed once for all times that are asked for.

    Encode, process and decode: Pfaff et al. 2021, arXiv 2010.03409, section 3.

    Args:
        processor: features of nodes `[N, width]` and a batch to features `[N, width]`.
        centre: usual value of u and of v.
        scales: size of u and of v.
        horizon: longest time of a step, the unit of time.
        parameters: number of constants that vary.
        width: of all hidden layers.

    Raises:
        ArgumentError: if an argument is out of range.
    """

    centre: Tensor
    scales: Tensor

    def __init__(
        self,
        processor: nn.Module,
        *,
        centre: Sequence[float],
        scales: Sequence[float],
        horizon: float,
        parameters: int = 0,
        width: int = 32,
    ) -> None:
        super().__init__()
        check_number("horizon", horizon, 0, open_low=True)
        check_number("parameters", parameters, 0, integer=True)
        check_number("width", width, 1, integer=True)
        for name, pair, least in (("centre", centre, None), ("scales", scales, 0.0)):
            _check_pair(name, pair, least)
        self.horizon = float(horizon)
        dtype, device = torch.get_default_dtype(), torch.get_default_device()
        self.register_buffer("centre", torch.tensor(list(centre), dtype=dtype, device=device))
        self.register_buffer("scales", torch.tensor(list(scales), dtype=dtype, device=device))
        self.encoder = MLP([5 + parameters, width, width], act=ACTIVATION, norm=None)
        self.processor = processor
        self.damping = MLP([width, width, 2], act=ACTIVATION, norm=None)
        self.decoder = MLP([width + _TIMES, width, width, 2], act=ACTIVATION, norm=None)
        with torch.no_grad():  # a new network changes little
            self.decoder.lins[-1].weight.mul_(_SMALL)

    def forward(self, batch: GraphStates, tau: Tensor) -> Tensor:
        """Return the state a time later.

        Args:
            batch: state at the start, and its graph.
            tau: time `[N]`, the same within a graph.

        Returns:
            u and v `[N, 2]`.
        """
        return self.later(batch)(tau)

    def later(self, batch: GraphStates) -> Later:
        """Return the state as a function of the time `[N]`, for which messages have passed.

        Args:
            batch: state at the start, and its graph.
        """
        hidden = self.processor(self.encoder(self._features(batch)), batch)
        free = (~batch.boundary_mask).to(hidden.dtype)[:, None] * (self.scales / self.horizon)
        damping = nn.functional.softplus(self.damping(hidden))
        return Later(batch.x, batch.rates, hidden, damping, free, self.decoder, self.horizon)

    def _features(self, batch: GraphStates) -> Tensor:
        """Return what the encoder reads `[N, 5 + parameters]`."""
        state = (batch.x - self.centre) / self.scales
        rates = torch.asinh(batch.rates * (self.horizon / self.scales))
        mask = batch.boundary_mask.to(state.dtype)[:, None]
        return torch.cat((state, rates, mask, batch.parameters[batch.batch]), dim=1)


_TIMES, _SMALL = 4, 0.1


@dataclass(frozen=True, eq=False)
class Later:
    """The state of a `GraphStepper` as a function of the time alone.

    Attributes:
        start: state at the start `[N, 2]`.
        rates: its rates of change `[N, 2]`.
        hidden: features of the nodes after all messages `[N, width]`.
        damping: of the rates `[N, 2]`, per horizon.
        free: size of a field over the horizon `[N, 2]`, 0 where the state stays what it is.
        decoder: features and functions of the time to what the network adds.
        horizon: the unit of time.
    """

    start: Tensor
    rates: Tensor
    hidden: Tensor
    damping: Tensor
    free: Tensor
    decoder: MLP
    horizon: float

    def __call__(self, tau: Tensor) -> Tensor:
        """Return the state `[N, 2]` at times `[N]`."""
        t = (tau / self.horizon)[:, None]
        own = self.decoder(torch.cat((self.hidden, _time_features(t)), dim=1))
        rate = self.rates / (1.0 + self.damping * t) + t * self.free * own
        return self.start + tau[:, None] * rate

    def with_slope(self, tau: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state at times `[N]`, and its derivative by them, both `[N, 2]`.

        Forward mode, as `torch.func.jvp` has it, written out: that one sends all that does not
        depend on the time through tensors of zeros, at four times the cost.
        """
        t = (tau / self.horizon)[:, None]
        times = _time_features(t)
        inputs = torch.cat((self.hidden, times), dim=1)
        own, steep = _with_slope(self.decoder, inputs, _time_slopes(t, times))
        slowed = 1.0 + self.damping * t
        rate = self.rates / slowed + t * self.free * own
        bend = self.free * (own + t * steep) - self.rates * self.damping / slowed.square()
        return self.start + tau[:, None] * rate, rate + t * bend


def _with_slope(decoder: MLP, values: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Return outputs and derivatives of a decoder, of whose inputs the last alone move `[N, 4]`."""
    *hidden, last = decoder.lins
    for layer in hidden:
        values = layer(values)
        slopes = nn.functional.linear(slopes, layer.weight[:, -slopes.shape[1] :])
        share = torch.sigmoid(values)
        slopes = slopes * (share * (1.0 + values * (1.0 - share)))
        values = nn.functional.silu(values)
    return last(values), nn.functional.linear(slopes, last.weight)


def _time_features(t: Tensor) -> Tensor:
    """Return smooth functions `[N, 4]` of a time `[N, 1]` in units of the horizon."""
    return torch.cat((t, t * t, torch.exp(-2.0 * t), torch.exp(-6.0 * t)), dim=1)


def _time_slopes(t: Tensor, features: Tensor) -> Tensor:
    """Return the derivatives of `_time_features` `[N, 4]`."""
    fast, faster = features[:, 2:3], features[:, 3:]
    return torch.cat((torch.ones_like(t), 2.0 * t, -2.0 * fast, -6.0 * faster), dim=1)


def _check_pair(name: str, pair: Sequence[float], least: float | None) -> None:
    wanted = "hold one number for u and one for v"
    if len(check_list(name, pair, wanted)) != 2:
        raise ArgumentError(name, wanted, list(pair))
    for value in pair:
        if least is None:
            check_number(name, value)
        else:
            check_number(name, value, least, open_low=True)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let layers of torch-geometric draw their initial parameters from a seed of their own.

    Args:
        seed: of the random numbers inside the block; those outside go on as if it were not there.

    Yields:
        Nothing.
    """
    check_number("seed", seed, integer=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
