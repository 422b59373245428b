"""The network's next state against a Runge-Kutta step of its present state on the graph."""

from __future__ import annotations

import torch
from torch import Tensor

from pinn_ext.datasets import SnapshotBatch
from pinn_ext.datasets.node_graphs import semi_discrete
from pinn_ext.datasets.node_places import node_places
from pinn_ext.systems import System
from solvers.rk4 import SemiDiscrete, mismatch_rows, rk4_step, substeps


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
        equation, path = self._equation(batch)
        if path is not None:
            path.set_out(batch, state, later)
        try:
            stepped = self._stepped(equation, batch, state)
        finally:
            if path is not None:
                path.forget()
        if self.detach:
            stepped = stepped.detach()
        rows = mismatch_rows(later, stepped, self.step, per_unit_time=self.per_unit_time)
        inner = node_places(batch.operators).inner
        return rows if inner is None else rows[inner]

    def _stepped(self, equation: SemiDiscrete, batch: SnapshotBatch, state: Tensor) -> Tensor:
        """Return the state `[N, 2]` one step later, by as many sub-steps as are stable."""
        count = substeps(self.step, batch.stable_step)
        time, h = batch.inputs[:, -1].detach(), self.step / count
        for i in range(count):
            state = rk4_step(equation, state, time + i * h, h, constrain=equation.constrain)
        return state

    def _equation(self, batch: SnapshotBatch) -> tuple[SemiDiscrete, BoundaryPath | None]:
        """Return the system on the graphs, made once for all batches of a size."""
        kept = batch.kept.get(_KEY)
        if kept is not None and kept[0] is self:
            return kept[1], kept[2]
        path = None
        if not self.system.periodic and self.conditions == "soft":
            path = BoundaryPath(self.system, self.step)
        with torch.inference_mode(False):  # it is for trainings too
            equation = semi_discrete(self.system, batch.operators, path)
        batch.kept[_KEY] = self, equation, path
        return equation, path


_KEY = "step_mismatch"


class BoundaryPath:
    """Boundary values of a step under soft conditions, by position and stage time.

    They are the data, plus the network's own deviation from it, linear in time over the step. The
    mismatch then measures the equation alone: a jump between interior and imposed boundary would
    enter it divided by the square of the spacing.

    Args:
        system: gives the data.
        step: length of the step.
    """

    def __init__(self, system: System, step: float) -> None:
        self.system, self.step = system, step
        self.forget()

    def set_out(self, batch: SnapshotBatch, state: Tensor, later: Tensor) -> None:
        """Take the deviations from the network's fields `[N, 2]` at both ends of a step."""
        places = node_places(batch.operators).boundary
        x, start = batch.inputs.detach()[places].split((self.system.dimension, 1), dim=1)
        first = state[places] - self.system.data(x, start[:, 0])
        last = later[places] - self.system.data(x, start[:, 0] + self.step)
        self._ends: tuple[Tensor, Tensor, Tensor] | None = (start, first, last)

    def forget(self) -> None:
        """Let go of the fields, whose graph is large."""
        self._ends = None

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the values `[B, 2]` at boundary positions `[B, dimension]` and times `[B]`."""
        if self._ends is None:
            raise RuntimeError("`set_out` must come before the values of a step, got none.")
        start, first, last = self._ends
        part = (t[:, None] - start) / self.step
        return self.system.data(x, t) + (1.0 - part) * first + part * last
