"""Coupled systems as stock DeepXDE models, for the benchmarks of Gauss-Newton.

The equation is `System.rhs` with derivatives by `dde.grad`; points, conditions, network and
transforms are DeepXDE's own. Inputs are scaled to [-1, 1], the network output is in units of each
field's scale, and each loss term is divided by that scale squared.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("DDE_BACKEND", "pytorch")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import _devices
import deepxde as dde
import numpy as np
import torch
from torch import Tensor

from pinn_ext import systems
from pinn_ext.systems import System
from solvers.devices import make_default, on_cpu

HELD_OUT = 4000


CASES: dict[str, tuple[Callable[[], System], str]] = {
    "brusselator_hard": (lambda: systems.create("brusselator"), "hard"),
    "brusselator_soft": (lambda: systems.create("brusselator"), "soft"),
    "coupled_burgers": (lambda: systems.create("coupled_burgers"), "hard"),
    "burgers_2d": (lambda: systems.create("burgers_2d", viscosity=0.05), "soft"),
    "linear_reaction_diffusion": (lambda: systems.create("linear_reaction_diffusion"), "hard"),
}


@dataclass
class Problem:
    """A model that is not compiled yet, with what is needed to measure its errors."""

    system: System
    device: torch.device
    model: dde.Model
    loss_weights: list[float]
    points: np.ndarray
    wanted: np.ndarray

    def compile(self, optimizer: str, **options: Any) -> None:
        """Compile; the weights too, as a model that is compiled again has none."""
        self.model.compile(optimizer, loss_weights=self.loss_weights, verbose=0, **options)

    def loss(self) -> float:
        """Return the weighted loss of the training points."""
        state = self.model.train_state
        _, losses = self.model.outputs_losses_train(
            state.X_train, state.y_train, state.train_aux_vars
        )
        return losses.sum().item()

    def errors(self) -> list[float]:
        """Return the relative L2 error of u and v on points that no training has seen."""
        with torch.no_grad():
            found = self.model.net(torch.as_tensor(self.points)).cpu().numpy()
        difference = np.linalg.norm(found - self.wanted, axis=0)
        return (difference / np.linalg.norm(self.wanted, axis=0)).tolist()

    def trivial_errors(self) -> list[float]:
        """Return the errors of a network that returns zero."""
        kept = {name: value.clone() for name, value in self.model.net.state_dict().items()}
        with torch.no_grad():
            for parameter in self.model.net.parameters():
                parameter.zero_()
        errors = self.errors()
        self.model.net.load_state_dict(kept)
        return errors


def build(
    case: str, seed: int, width: int = 20, interior: int | None = None, device: str = "cpu"
) -> Problem:
    """Return a case in float64 with three hidden layers; points and weights follow the seed.

    Args:
        case: one of `CASES`.
        seed: of the points and of the network.
        width: of each hidden layer.
        interior: collocation points inside; soft conditions add an eighth at the start and a
            quarter on the boundary.
        device: where it is trained; becomes the default device.
    """
    where = _devices.named(device)
    make_default(where)
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(seed)
    make, conditions = CASES[case]
    system = make()
    scales = system.field_scales()
    count = interior or (1600 if conditions == "hard" else 1200)
    domain = _domain(system)
    bcs = _conditions(system, domain) if conditions == "soft" else []
    at_start, on_boundary = (count // 8, count // 4) if bcs else (0, 0)
    data = dde.data.TimePDE(
        domain,
        _equation(system),
        bcs,
        num_domain=count,
        num_initial=at_start,
        num_boundary=on_boundary,
    )
    features = 2 * system.dimension + 1 if system.periodic else system.dimension + 1
    net = dde.nn.FNN([features, width, width, width, 2], "tanh", "Glorot normal")
    net.apply_feature_transform(_features(system))
    net.apply_output_transform(_output(system, conditions, scales))
    generator = np.random.default_rng(12345)
    low, high = np.array([*system.lower, 0.0]), np.array([*system.upper, system.final_time])
    points = low + (high - low) * generator.random((HELD_OUT, system.dimension + 1))
    # Terms come as residuals of u and v, then initial and boundary values of u and v.
    weights = [scale**-2 for scale in scales] * (1 if conditions == "hard" else 3)
    model = dde.Model(data, net)
    return Problem(system, where, model, weights, points, _exact(system)(points))


def width_of(parameters: int) -> int:
    """Return the width of the Brusselator's hidden layers closest to a number of parameters."""
    # Three inputs, three hidden layers, two outputs: 2 w^2 + 8 w + 2 weights and biases.
    return min(range(1, 400), key=lambda w: abs(2 * w * w + 8 * w + 2 - parameters))


def _domain(system: System) -> Any:
    if system.dimension == 1:
        space = dde.geometry.Interval(system.lower[0], system.upper[0])
    else:
        space = dde.geometry.Rectangle(list(system.lower), list(system.upper))
    return dde.geometry.GeometryXTime(space, dde.geometry.TimeDomain(0.0, system.final_time))


def _exact(system: System) -> Callable[[np.ndarray], np.ndarray]:
    def exact(x):
        with on_cpu():
            x = torch.as_tensor(x, dtype=torch.float64)
            return system.exact(x[:, :-1], x[:, -1]).numpy()

    return exact


class _DeepXDE:
    """Derivatives of fields `[N, 1]` by DeepXDE."""

    def __init__(self, x: Tensor) -> None:
        self._x, self._axes = x, range(x.shape[1] - 1)

    def laplacian(self, field: Tensor) -> Tensor:
        return sum(dde.grad.hessian(field, self._x, i=k, j=k) for k in self._axes)

    def gradient(self, field: Tensor) -> list[Tensor]:
        return [dde.grad.jacobian(field, self._x, i=0, j=k) for k in self._axes]


def _equation(system: System) -> Callable[[Tensor, Tensor], list[Tensor]]:
    def equation(x, y):
        u, v = y[:, :1], y[:, 1:]
        du, dv = system.rhs(u, v, _DeepXDE(x))
        time = system.dimension
        return [
            dde.grad.jacobian(u, x, i=0, j=time) - du,
            dde.grad.jacobian(v, x, i=0, j=time) - dv,
        ]

    return equation


def _conditions(system: System, domain: Any) -> list[Any]:
    exact = _exact(system)

    def field(k):  # DeepXDE counts the arguments of what it is given: one is for points alone
        return lambda x: exact(x)[:, k : k + 1]

    def anywhere(_, on):
        return on

    return [
        kind(domain, field(k), anywhere, component=k)
        for kind in (dde.icbc.IC, dde.icbc.DirichletBC)
        for k in (0, 1)
    ]


def _features(system: System) -> Callable[[Tensor], Tensor]:
    low = torch.tensor([*system.lower, 0.0], dtype=torch.float64)
    high = torch.tensor([*system.upper, system.final_time], dtype=torch.float64)

    def scaled(x):
        return (2.0 * x - low - high) / (high - low)

    def periodic(x):
        unit = scaled(x)
        angle = math.pi * unit[:, :-1]
        return torch.cat((torch.cos(angle), torch.sin(angle), unit[:, -1:]), dim=1)

    return periodic if system.periodic else scaled


def _output(
    system: System, conditions: str, scales: tuple[float, float]
) -> Callable[[Tensor, Tensor], Tensor]:
    units = torch.tensor(scales, dtype=torch.float64)

    def soft(x, y):
        return units * y

    def from_start(x, y):
        start = system.exact(x[:, :-1], torch.zeros_like(x[:, -1]))
        return start + x[:, -1:] / system.final_time * units * y

    if conditions == "soft":
        return soft
    return from_start if system.periodic else _on_box(system, units)


def _on_box(system: System, units: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the transform for the Brusselator's data, each a product f(x) f(y) g(t).

    With l the linear interpolation of f between the two sides, the data is met by
    `(f - l)(x) (f - l)(y) g(0) + (f(x) l(y) + l(x) f(y) - l(x) l(y)) g(t)`: the first product is
    the initial data less its share of the boundary, the others are the faces and the edges.
    """
    signs = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    side = system.upper[0]
    far = torch.exp(signs * side)

    def transform(x, y):
        s, r, t = x[:, :1], x[:, 1:2], x[:, 2:]
        f, g = torch.exp(signs * s), torch.exp(signs * r)
        f_line, g_line = 1.0 + (far - 1.0) * (s / side), 1.0 + (far - 1.0) * (r / side)
        faces = f * g_line + f_line * g - f_line * g_line
        data = (f - f_line) * (g - g_line) + faces * torch.exp(signs * t / 2.0)
        bubble = 16.0 * s * (side - s) * r * (side - r) / side**4 * t
        return data + bubble * units * y

    return transform
