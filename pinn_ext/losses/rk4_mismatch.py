"""The network's next state against a Runge-Kutta step of its present state on the graph."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from pinn_ext.datasets import SnapshotBatch
from pinn_ext.systems import System
from solvers.rk4 import SemiDiscrete, mismatch_rows, rk4_step, substeps

Boundary = Callable[[Tensor, Tensor], Tensor]


class StepMismatch:
    """Mismatch of a Runge-Kutta step of a coupled system on snapshot graphs.

    Args:
        system: the coupled system.
        conditions: `"hard"` or `"soft"`, what the boundary nodes of the step follow.
        step: length h of the step.
        per_unit_time: whether the mismatch is divided by h.
        detach: whether the Runge-Kutta end of the mismatch is a constant for the optimiser.
    """

    def __init__(
        self, system: System, conditions: str, step: float, *, per_unit_time: bool, detach: bool
    ) -> None:
        self.system, self.conditions, self.step = system, conditions, step
        self.per_unit_time, self.detach = per_unit_time, detach

    def __call__(self, batch: SnapshotBatch, state: Tensor, later: Tensor) -> Tensor:
        """Return the mismatch, in physical units.

        Args:
            batch: the graphs.
            state: fields `[N, 2]` at the batch's times.
            later: fields `[N, 2]` one step later.

        Returns:
            `[n, 2]`, a row for each node that has a stencil of its own.
        """
        boundary = self._boundary_path(batch, state, later)
        equation = SemiDiscrete(self.system.rhs, batch.operators, boundary)
        count = substeps(self.step, batch.stable_step)
        time, h = batch.inputs[:, -1].detach(), self.step / count
        stepped = state
        for i in range(count):
            stepped = rk4_step(equation, stepped, time + i * h, h, constrain=equation.constrain)
        if self.detach:
            stepped = stepped.detach()
        return mismatch_rows(
            later,
            stepped,
            self.step,
            per_unit_time=self.per_unit_time,
            mask=~batch.operators.boundary_mask,
        )

    def _boundary_path(self, batch: SnapshotBatch, state: Tensor, later: Tensor) -> Boundary | None:
        """Return the boundary values of a step as a function of position and stage time.

        They are the data, plus the network's own deviation from it under soft conditions (linear
        in time over the step). The mismatch then measures the equation alone: a jump between
        interior and imposed boundary would enter it divided by the square of the spacing.
        """
        if self.system.periodic:
            return None
        if self.conditions == "hard":
            return self.system.data
        mask = batch.operators.boundary_mask
        x, start = batch.inputs.detach()[mask].split((self.system.dimension, 1), dim=1)
        first = state[mask] - self.system.data(x, start[:, 0])
        last = later[mask] - self.system.data(x, start[:, 0] + self.step)

        def values(x: Tensor, t: Tensor) -> Tensor:
            part = (t[:, None] - start) / self.step
            return self.system.data(x, t) + (1.0 - part) * first + part * last

        return values
