"""The same training step in three variants: stock DeepXDE, reverse passes of ours, jets of ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext import systems
from pinn_ext.datasets.collocation import PointBatch, collocation_points
from pinn_ext.dde.data.network_adapter import NetworkAdapter
from pinn_ext.dde.data.point_data import PointData
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork
from pinn_ext.networks.hard_conditions import HardConditions, periodic_features
from solvers.devices import on_cpu


@dataclass(frozen=True)
class Case:
    """A problem to train on: `points` for the equation, a quarter each for soft conditions."""

    name: str
    boundary: str | None
    conditions: str
    points: int
    hidden: tuple[int, ...]

    def system(self) -> systems.System:
        return systems.create(self.name, boundary=self.boundary)

    def network(self, cls: type[FieldNetwork] = FieldNetwork) -> FieldNetwork:
        with on_cpu():  # the same parameters whatever the device
            network = cls(self.system(), self.hidden, conditions=self.conditions)
        return network.to(torch.get_default_device())

    def batch(self) -> PointBatch:
        device = torch.get_default_device()
        with on_cpu():
            return collocation_points(self.system(), self.points, self.conditions, device=device)


class ReverseNetwork(FieldNetwork):
    """The network as one that knows no derivatives: nested reverse passes are taken instead."""

    has_jet = False


def ours(case: Case, cls: type[FieldNetwork]) -> dde.Model:
    """Return a compiled model of the program's own data, loss and network."""
    system, batch = case.system(), case.batch()
    loss = PhysicsLoss(
        system, conditions=case.conditions, use_rk4=False, scales=system.field_scales()
    )
    data = PointData(loss, lambda draws: batch)
    model = dde.Model(data, NetworkAdapter(case.network(cls), data))
    model.compile("adam", lr=1e-3, verbose=0)
    return model


class StockDerivatives:
    """`dde.grad` under the names by which an equation asks, so that it is not written twice."""

    def __init__(self, inputs: Tensor, outputs: Tensor) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.fields = outputs[:, 0:1], outputs[:, 1:2]

    def _first(self, field: Tensor, axis: int) -> Tensor:
        component = 0 if field is self.fields[0] else 1
        return dde.grad.jacobian(self.outputs, self.inputs, i=component, j=axis)

    def time(self, field: Tensor) -> Tensor:
        return self._first(field, self.inputs.shape[1] - 1)

    def gradient(self, field: Tensor) -> list[Tensor]:
        return [self._first(field, axis) for axis in range(self.inputs.shape[1] - 1)]

    def laplacian(self, field: Tensor) -> Tensor:
        component = 0 if field is self.fields[0] else 1
        parts = [
            dde.grad.hessian(self.outputs, self.inputs, component=component, i=axis, j=axis)
            for axis in range(self.inputs.shape[1] - 1)
        ]
        return sum(parts[1:], parts[0])


def stock(case: Case, bare: bool = False) -> dde.Model:
    """Return the model that a DeepXDE user would write, with the parameters of ours.

    Args:
        case: the problem.
        bare: leave the data part out of the output transform, which cannot cost less then.
    """
    system, batch, network = case.system(), case.batch(), case.network()

    def residuals(x: Tensor, y: Tensor) -> list[Tensor]:
        d = StockDerivatives(x, y)
        u, v = d.fields
        du, dv = system.rhs(u, v, d)
        return [d.time(u) - du, d.time(v) - dv]

    conditions = [] if case.conditions == "hard" else _point_sets(system, batch)
    domain = dde.geometry.GeometryXTime(
        dde.geometry.Hypercube(system.lower, system.upper)
        if system.dimension > 1
        else dde.geometry.Interval(*system.lower, *system.upper),
        dde.geometry.TimeDomain(0, system.final_time),
    )
    data = dde.data.TimePDE(domain, residuals, conditions, anchors=batch.inputs.cpu().numpy())
    model = dde.Model(data, _stock_network(case, network, bare))
    weights = [1.0 / scale**2 for scale in system.field_scales()]
    model.compile("adam", lr=1e-3, verbose=0, loss_weights=weights * (1 + len(conditions) // 2))
    return model


def _point_sets(system: systems.System, batch: PointBatch) -> list[Any]:
    start = torch.cat((batch.initial, torch.zeros_like(batch.initial[:, :1])), dim=1)
    sets = []
    for at in (start, batch.sides[0]):
        values = system.data(at[:, :-1], at[:, -1])
        sets += [
            dde.icbc.PointSetBC(at.cpu().numpy(), values[:, k : k + 1], component=k) for k in (0, 1)
        ]
    return sets


def _stock_network(case: Case, network: FieldNetwork, bare: bool) -> dde.nn.FNN:
    system = network.system
    linears = [layer for layer in network.layers if isinstance(layer, torch.nn.Linear)]
    widths = [linears[0].in_features, *(layer.out_features for layer in linears)]
    net = dde.nn.FNN(widths, "tanh", "Glorot normal")
    for own, theirs in zip(net.linears, linears, strict=True):
        own.load_state_dict(theirs.state_dict())
    centre, half, scales = network.centre, network.half_range, network.scales

    def features(x: Tensor) -> Tensor:
        scaled = (x - centre) / half
        if not network.periodic:
            return scaled
        return torch.cat((periodic_features(system, x)[:, :-1], scaled[:, -1:]), dim=1)

    net.apply_feature_transform(features)
    hard = HardConditions(system) if case.conditions == "hard" else None

    def transform(x: Tensor, y: Tensor) -> Tensor:
        if hard is None:
            return y * scales
        return hard.bubble(x)[:, None] * (y * scales) if bare else hard(x, y * scales)

    net.apply_output_transform(transform)
    return net


def step_of(model: dde.Model) -> Callable[[], None]:
    """Return a function that makes one training step: losses, backward pass, Adam."""
    model.train_state.set_data_train(*model.data.train_next_batch())
    state = model.train_state

    def step() -> None:
        model.train_step(state.X_train, state.y_train, state.train_aux_vars)

    return step


def loss_of(model: dde.Model) -> float:
    """Return the sum of a model's weighted losses at its present parameters."""
    state = model.train_state
    losses = model.outputs_losses_train(state.X_train, state.y_train, state.train_aux_vars)[1]
    return math.fsum(losses.tolist())


VARIANTS: dict[str, Callable[[Case], dde.Model]] = {
    "stock": stock,
    "stock_bare": lambda case: stock(case, bare=True),
    "reverse": lambda case: ours(case, ReverseNetwork),
    "jets": lambda case: ours(case, FieldNetwork),
}


def fits(variant: str, case: Case) -> bool:
    """Return whether a variant says anything about a case."""
    return variant != "stock_bare" or case.conditions == "hard"


def with_points(case: Case, points: int | None, hidden: tuple[int, ...] | None) -> Case:
    """Return a case of another size, where one is given."""
    return replace(case, points=points or case.points, hidden=hidden or case.hidden)
