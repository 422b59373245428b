"""The loss terms of a network that steps the state of a family's problems on graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families.batch import FamilyBatch
from pinn_ext.datasets.families.family import Family
from pinn_ext.networks.graph_networks import GraphStepper
from pinn_ext.networks.graph_networks.graph_stepper import Later
from solvers.rk4 import mismatch_rows, rk4_step

Stepper: TypeAlias = Callable[[FamilyBatch, Tensor], Tensor]
"""A batch and a time `[N]` to the state `[N, 2]` that much later."""
_MOMENT = "pinn_ext_moment"


class Moment(NamedTuple):
    """What is known of a network's answer beside its values.

    Attributes:
        slope: its derivative by the time `[N, 2]`.
        later: the network as a function of the time `[N]` alone.
    """

    slope: Tensor
    later: Callable[[Tensor], Tensor]


class StepLoss:
    """Mean squared residuals of a network that steps, one term a field and kind.

    No solution is needed. PI: the derivative of the network's state by the time tau, minus the
    equation's rates of change there with the graph's derivatives. RK4: the network's state a
    Runge-Kutta step h after tau against the Runge-Kutta step of its state at tau, by default over
    h. Data, where a user has trajectories: the network's state minus the known one, over the time
    between. Every term is divided by the square of its field's scale; nodes of a Dirichlet boundary
    are left out.

    The derivative by tau is taken forwards (`torch.func.jvp`, or by the network itself, if it is a
    `GraphStepper`): the state at a node depends on the times of its neighbours, too, so that a
    reverse pass of a sum would add what belongs to them.

    Args:
        family: gives the equation and the scales.
        step: length h of the Runge-Kutta step.
        use_rk4: whether there are RK4 terms.
        per_unit_time: whether the RK4 mismatch is divided by h.
        detach: whether the Runge-Kutta end of the mismatch is a constant for the optimiser.
        use_data: whether there are data terms; batches then need `known`.
    """

    conditions = "hard"

    def __init__(
        self,
        family: Family,
        step: float,
        *,
        use_rk4: bool = True,
        per_unit_time: bool = True,
        detach: bool = False,
        use_data: bool = False,
    ) -> None:
        self.family, self.system, self.step = family, family.system, step
        self.scales = family.scales
        self._use_rk4, self._per_unit_time, self._detach = use_rk4, per_unit_time, detach
        self._use_data = use_data
        kinds = ["PI"] + ["RK4"] * use_rk4 + ["data"] * use_data
        self.names = [f"{kind}_loss{i}" for kind in kinds for i in (1, 2)]

    def condition_terms(self) -> list[int]:
        """Return the indices of the terms that are conditions: none, they are built in."""
        return []

    def term_field_scales(self) -> list[float]:
        """Return the size of the field of each term, in the unit its residual is measured in."""
        return [1.0] * len(self.names)

    def outputs(self, network: Stepper, batch: FamilyBatch) -> Tensor:
        """Return the states of a network at the batch's times, which carry their derivative.

        Args:
            network: as `FamilyBatch` says.
            batch: the graphs.

        Returns:
            `[N, 2]`.

        Raises:
            ValueError: if the network returns another shape.
        """
        later = _of_time(network, batch)
        tau = batch.inputs.detach()[:, 0]
        states, slope = _with_slope(later, tau)
        if states.shape != batch.x.shape:
            raise ValueError(
                f"`model` must return the state {list(batch.x.shape)} for model(batch, tau), got "
                f"{list(states.shape)}."
            )
        setattr(states, _MOMENT, Moment(slope, later))
        return states

    def __call__(self, network: Stepper, batch: FamilyBatch, outputs: Tensor) -> list[Tensor]:
        """Return the raw loss terms, the mean squares of `residuals`."""
        return [rows.square().mean() for rows in self.residuals(network, batch, outputs)]

    def residuals(self, network: Stepper, batch: FamilyBatch, outputs: Tensor) -> list[Tensor]:
        """Return the residual vectors, each in units of its field's scale.

        Args:
            network: as `FamilyBatch` says.
            batch: the graphs.
            outputs: `self.outputs(network, batch)`.

        Returns:
            One vector `[n]` a term, in the order of `names`, a number for each node that is free.
        """
        moment = getattr(outputs, _MOMENT, None)
        if moment is None:
            outputs = self.outputs(network, batch)
            moment = getattr(outputs, _MOMENT)
        tau = batch.inputs.detach()[:, 0]
        rows = [moment.slope - batch.equation(tau, outputs)]
        if self._use_rk4:
            rows.append(self._mismatch(batch, outputs, moment, tau))
        if self._use_data:
            rows.append(_apart(network, batch))
        vectors: list[Tensor] = []
        for kind in rows:
            own = kind if len(batch.free) == len(kind) else kind[batch.free]
            vectors += [own[:, i] / scale for i, scale in enumerate(self.scales)]
        return vectors

    def _mismatch(self, batch: FamilyBatch, outputs: Tensor, moment: Moment, tau: Tensor) -> Tensor:
        stepped = rk4_step(batch.equation, outputs, tau, batch.step)
        if self._detach:
            stepped = stepped.detach()
        later = moment.later(tau + batch.step)
        return mismatch_rows(later, stepped, batch.step, per_unit_time=self._per_unit_time)

    def values(self, network: Stepper, batch: FamilyBatch) -> list[float]:
        """Return the raw loss terms of a network as plain numbers, outside of training.

        Args:
            network: as `FamilyBatch` says.
            batch: the graphs.

        Returns:
            One number a term, in the order of `names`.
        """
        with torch.no_grad():
            losses = self(network, batch, self.outputs(network, batch))
            return torch.stack(losses).tolist()  # one transfer from a device

    def floor(self, batch: object) -> None:
        """Return nothing: what the exact solution scores is known at the horizon alone."""


def _apart(network: Stepper, batch: FamilyBatch) -> Tensor:
    """Return by how much a network misses known states per unit time `[N, 2]`."""
    if batch.known is None:
        raise ArgumentError("batch", "have known states for data terms", "none")
    start, later = batch.known
    tau = start.inputs.detach()[:, 0]
    return (network(start, tau) - later) / tau[:, None]


def _with_slope(later: Callable[[Tensor], Tensor], tau: Tensor) -> tuple[Tensor, Tensor]:
    """Return states at the times, and their derivatives, which one of ours knows itself."""
    if isinstance(later, Later):
        return later.with_slope(tau)
    found: Any = torch.func.jvp(later, (tau,), (torch.ones_like(tau),))
    states, slope = found
    return states, slope


def _of_time(network: Stepper, batch: FamilyBatch) -> Callable[[Tensor], Tensor]:
    """Return a network as a function of the time; one of ours passes its messages once."""
    if isinstance(network, GraphStepper):
        return network.later(batch)
    return lambda tau: network(batch, tau)
