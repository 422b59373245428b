"""The loss terms of a coupled system on snapshot graphs, or on points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from pinn_ext.checks import check_choice
from pinn_ext.choices import CONDITIONS
from pinn_ext.datasets import SnapshotBatch, outputs_of
from pinn_ext.datasets.collocation import PointBatch
from pinn_ext.derivatives.autograd import differentiates_fields_only, fields_and_derivatives
from pinn_ext.derivatives.precomputed import Precomputed
from pinn_ext.derivatives.taylor import OtherFieldError, attach
from pinn_ext.losses.rk4_mismatch import StepMismatch
from pinn_ext.networks import FieldNetwork
from pinn_ext.systems import System
from pinn_ext.systems.boundary import MIXED

Points: TypeAlias = SnapshotBatch | PointBatch
Fields: TypeAlias = tuple[Tensor, ...]
Network: TypeAlias = Callable[..., Tensor]


class PhysicsLoss:
    """Mean squared residuals of a coupled system, one term per field and kind.

    PI: the equation at every node. RK4: the network's next state against a Runge-Kutta step of
    its present state on the graph. IC and BC: initial and boundary data, if not built into the
    network. Every term is divided by the square of its field's scale.

    Args:
        system: the coupled system.
        conditions: `"hard"` has no IC and BC terms, `"soft"` has.
        scales: units of u and v.
        use_rk4: whether there are RK4 terms.
        step: length h of the Runge-Kutta step.
        per_unit_time: whether the RK4 mismatch is divided by h.
        detach: whether the Runge-Kutta end of the mismatch is a constant for the optimiser.

    Raises:
        ValueError: if `conditions` is neither of the two.
    """

    def __init__(
        self,
        system: System,
        *,
        conditions: str = "hard",
        scales: Sequence[float] = (1.0, 1.0),
        use_rk4: bool = True,
        step: float = 1e-2,
        per_unit_time: bool = True,
        detach: bool = False,
    ) -> None:
        self.conditions = check_choice("conditions", conditions, CONDITIONS)
        self.system = system
        self.scales = tuple(scales)
        self.step = step
        self.step_mismatch = StepMismatch(
            system, conditions, step, per_unit_time=per_unit_time, detach=detach
        )
        self._by_jets = differentiates_fields_only(system)
        kinds = ["PI"] + ["RK4"] * use_rk4 + ["IC", "BC"] * (conditions == "soft")
        self.names = [f"{kind}_loss{i}" for kind in kinds for i in (1, 2)]
        terms: dict[str, Callable[..., Fields]] = {
            "PI": self._equation,
            "RK4": self._runge_kutta,
            "IC": self._initial,
            "BC": self._boundary,
        }
        self._terms = [terms[kind] for kind in kinds]
        self._boundary_parts = [self._values] * (not system.periodic)
        self._boundary_parts += [self._slopes] * (system.boundary == MIXED)
        self._boundary_parts += [self._jumps] * bool(system.periodic_axes)

    def condition_terms(self) -> list[int]:
        """Return the indices of the terms that are initial or boundary conditions."""
        return [i for i, name in enumerate(self.names) if name.startswith(("IC", "BC"))]

    def term_field_scales(self) -> list[float]:
        """Return the size of the field of each term, in the unit that its residual is measured in.

        Returns:
            The root mean square of the field's data over its scale, 1 for one without data.
        """
        sizes = [
            (size or scale) / scale
            for size, scale in zip(self.system.field_scales(), self.scales, strict=True)
        ]
        return [sizes[int(name[-1]) - 1] for name in self.names]

    def outputs(self, network: Callable[..., Tensor], batch: Points) -> Tensor:
        """Return the outputs of a network as the loss takes them best.

        Args:
            network: positions and times `[N, dimension + 1]` to fields `[N, 2]`.
            batch: the points or graphs.

        Returns:
            The fields `[N, 2]`; they carry their derivatives instead of leading back to the
            inputs if the network can compute them and the equation asks for no others.
        """
        return self._outputs(network, batch.inputs, batch.precomputed)

    def _outputs(
        self, network: Network, inputs: Tensor, precomputed: Precomputed | None = None
    ) -> Tensor:
        if self._by_jets and isinstance(network, FieldNetwork) and network.has_jet:
            return attach(network.jet(inputs, precomputed))
        return outputs_of(network, inputs, precomputed)

    def __call__(
        self, network: Callable[[Tensor], Tensor], batch: Points, outputs: Tensor
    ) -> list[Tensor]:
        """Return the raw loss terms, the mean squares of `residuals`.

        Args:
            network: positions and times `[N, dimension + 1]` to fields `[N, 2]`.
            batch: the points or graphs; its inputs must require gradients.
            outputs: `self.outputs(network, batch)`, or `network(batch.inputs)` `[N, 2]`.

        Returns:
            One scalar tensor a term, dimensionless, in the order of `names`.
        """
        return [rows.square().mean() for rows in self.residuals(network, batch, outputs)]

    def residuals(
        self, network: Callable[[Tensor], Tensor], batch: Points, outputs: Tensor
    ) -> list[Tensor]:
        """Return the residual vectors, each in units of its field's scale.

        Args:
            network: positions and times `[N, dimension + 1]` to fields `[N, 2]`.
            batch: the points or graphs; its inputs must require gradients.
            outputs: `self.outputs(network, batch)`, or `network(batch.inputs)` `[N, 2]`.

        Returns:
            One vector a term, in the order of `names`: PI at each point; RK4 at each node that
            has a stencil of its own; IC at each initial point; BC at each boundary point with given
            values, then at each with given slopes (times half the shortest side of the box), then,
            along each periodic axis, the jump of values and that of slopes (times half the box) at
            each point of its lower side.
        """
        try:
            return self._residuals(network, batch, outputs)
        except OtherFieldError:  # found out late, as the equation branches
            with torch.enable_grad():
                return self._residuals(network, batch, batch.outputs(network))

    def _residuals(self, network: Network, batch: Points, outputs: Tensor) -> list[Tensor]:
        vectors: list[Tensor] = []
        for term in self._terms:
            for rows, scale in zip(term(network, batch, outputs), self.scales, strict=True):
                vectors.append(rows if scale == 1.0 else rows / scale)
        return vectors

    def values(self, network: Callable[..., Tensor], batch: Points) -> list[float]:
        """Return the raw loss terms of a network as plain numbers, outside of training.

        Args:
            network: positions and times `[N, dimension + 1]` to fields `[N, 2]`.
            batch: the points or graphs; it is left as it is.

        Returns:
            One number a term, in the order of `names`.
        """
        batch = batch.detached()
        batch.inputs.requires_grad_()
        losses = self(network, batch, self.outputs(network, batch))
        return torch.stack(losses).tolist()  # one transfer from a device

    def _equation(self, network: Network, batch: Points, outputs: Tensor) -> Fields:
        u, v, d = fields_and_derivatives(outputs, batch.inputs)
        du, dv = self.system.rates(u, v, d, batch.inputs[:, :-1], batch.inputs[:, -1])
        return d.time(u) - du, d.time(v) - dv

    def _runge_kutta(self, network: Network, batch: Points, outputs: Tensor) -> Fields:
        graphs = batch.graphs
        if graphs is None:
            raise ValueError("`batch` must hold graphs for the RK4 terms, got points without.")
        state = outputs if graphs is batch else graphs.outputs(network)
        later = graphs.later_outputs(network, self.step)
        return self.step_mismatch(graphs, state, later).unbind(dim=1)

    def _initial(self, network: Network, batch: Points, outputs: Tensor) -> Fields:
        x = batch.initial
        t = torch.zeros_like(x[:, 0])
        start = network(torch.cat((x, t[:, None]), dim=1))
        return (start - self.system.at_start(x)).unbind(dim=1)

    def _boundary(self, network: Network, batch: Points, outputs: Tensor) -> Fields:
        parts = [part(network, batch, outputs) for part in self._boundary_parts]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).unbind(dim=1)

    def _values(self, network: Network, batch: Points, outputs: Tensor) -> Tensor:
        at, there = batch.on_boundary(network, outputs)
        return there - self.system.data(at[:, :-1], at[:, -1])

    def _slopes(self, network: Network, batch: Points, outputs: Tensor) -> Tensor:
        """Compare slopes along the outward normal, times half the shortest side, with the data."""
        at, normals = batch.with_slopes()
        if not len(at):
            return outputs[:0]
        given = self.system.slopes(at[:, :-1], normals, at[:, -1])
        at = at.clone().requires_grad_()
        u, v, d = fields_and_derivatives(self._outputs(network, at), at)
        slopes = [
            (torch.stack(tuple(d.gradient(field)), dim=1) * normals).sum(dim=1) for field in (u, v)
        ]
        return 0.5 * self.system.geometry.side * (torch.stack(slopes, dim=1) - given)

    def _jumps(self, network: Network, batch: Points, outputs: Tensor) -> Tensor:
        """Compare values and normal derivatives (times half the box) on opposite sides."""
        jumps, lower_sides = [], batch.lower_sides()
        for axis in self.system.periodic_axes:
            low, high = self.system.lower[axis], self.system.upper[axis]
            near, far = lower_sides[axis].clone(), lower_sides[axis].clone()
            near[:, axis], far[:, axis] = low, high
            # Twice, values from one half and slopes from the other: rows that share no point with
            # one another have the cheapest Jacobian.
            sides = torch.cat((near, far, near, far)).requires_grad_()
            fields = self._outputs(network, sides)
            u, v, d = fields_and_derivatives(fields, sides)
            slopes = torch.stack([d.gradient(field)[axis] for field in (u, v)], dim=1)
            lower, upper, *_ = fields.split(len(near))
            *_, slope, opposite = slopes.split(len(near))
            jumps += [lower - upper, 0.5 * (high - low) * (slope - opposite)]
        return torch.cat(jumps)

    def floor(self, batch: SnapshotBatch) -> Tensor | None:
        """Return the RK4 terms `[2]` that the exact solution scores on a batch.

        Args:
            batch: the graphs.

        Returns:
            Truncation error of the graph operators, in the units of the loss terms; None where the
            solution is not known.
        """
        if not self.system.has_solution:
            return None
        x, t = batch.inputs[:, :-1], batch.inputs[:, -1]
        now, later = self.system.solution(x, t), self.system.solution(x, t + self.step)
        rows = self.step_mismatch(batch, now, later) / now.new_tensor(self.scales)
        return rows.square().mean(dim=0)
