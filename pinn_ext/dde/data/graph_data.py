"""Snapshot graphs as DeepXDE data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.datasets.resident_graphs import ResidentGraphs
from pinn_ext.dde.data.mini_batches import MiniBatches
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.row_points import row_points
from pinn_ext.networks.hard_conditions import HardConditions


class GraphData(MiniBatches):
    """Mini-batches of snapshot graphs, each at its own time.

    Args:
        loss: the loss terms.
        graphs: to train on.
        validation: snapshots at other times, for DeepXDE's test loss.
        batch_size: graphs in a mini-batch.
        seed: of the order of the graphs.
        device: where the batches lie.

    Attributes:
        resident: the graphs to train on, in the float type of the training.
    """

    def __init__(
        self,
        loss: PhysicsLoss,
        graphs: SnapshotGraphs,
        validation: SnapshotGraphs,
        *,
        batch_size: int,
        seed: int = 0,
        device: Any = "cpu",
    ) -> None:
        self.loss, self.graphs, self.device = loss, graphs, device  # which `_reside` needs
        self._snapshots = [validation[i] for i in range(len(validation))]
        super().__init__(
            loss,
            len(graphs),
            self._all(self._snapshots),
            batch_size=batch_size,
            seed=seed,
            device=device,
        )
        self.resident = self._reside(graphs)
        self._numbers: tuple[int, Tensor] | None = None

    def whole_batch(self) -> SnapshotBatch:
        """Return all graphs as one batch."""
        return self.resident.batch(self.resident.numbers(range(self.count)))

    def training_batch(self, step: int) -> SnapshotBatch:
        """Return the batch of a step; the order of its epoch goes to the device as a whole."""
        epoch, position = divmod(step, self.batches_per_epoch)
        size = len(self.batch_indices(step))
        if self._numbers is None or self._numbers[0] != epoch:
            order = itertools.chain.from_iterable(self._order[1])
            self._numbers = epoch, self.resident.numbers(list(order))
        start = position * self.batch_size
        return self.resident.batch(self._numbers[1][start : start + size])

    def row_points(self, term: int, inputs: Tensor) -> Tensor:
        """Return the position and time `[n, d]` that each row of a term belongs to.

        Args:
            term: index of the term.
            inputs: of the batch served last.

        Returns:
            One point a row; the jumps of a periodic box have each point twice, for values and
            slopes.
        """
        return row_points(self.loss, self._train, term)

    def time_span(self) -> tuple[float, float]:
        """Return the first and last time of the problem."""
        return 0.0, self.loss.system.final_time

    def exact_batch(self, device: Any = "cpu") -> SnapshotBatch:
        """Return the validation snapshots in float64."""
        return SnapshotBatch.from_graphs(self._snapshots, device, torch.float64)

    def spread_batch(self, dtype: torch.dtype) -> SnapshotBatch:
        """Return as many graphs as a mini-batch has, evenly spread over those in training."""
        chosen = torch.linspace(0, len(self.graphs) - 1, self.batch_size, device="cpu")
        return self._all([self.graphs[i] for i in chosen.round().long().tolist()], dtype)

    def _all(self, graphs: Sequence[Any], dtype: torch.dtype | None = None) -> SnapshotBatch:
        """Return some graphs as one batch."""
        resident = self._reside(graphs, dtype)
        return resident.batch(resident.numbers(range(len(graphs))))

    def _reside(self, graphs: Sequence[Any], dtype: torch.dtype | None = None) -> ResidentGraphs:
        loss = self.loss
        hard = HardConditions(loss.system) if loss.conditions == "hard" else None
        step = loss.step if any(name.startswith("RK4") for name in loss.names) else None
        return ResidentGraphs(graphs, self.device, dtype, step=step, hard=hard)
