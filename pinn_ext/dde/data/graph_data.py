"""Snapshot graphs as DeepXDE data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs, epoch_order
from pinn_ext.datasets.resident_graphs import ResidentGraphs
from pinn_ext.dde.data.network_adapter import plain_network, term_losses
from pinn_ext.dde.model.data_protocol import DescribedData
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.row_points import row_points
from pinn_ext.networks.hard_conditions import HardConditions


class GraphData(dde.data.Data, DescribedData):
    """Serves mini-batches of snapshot graphs to `dde.Model` and computes their loss terms.

    DeepXDE draws a batch before the first step, for its first test. It is served again as the
    batch of that step, so that batches and steps agree: call `peek()` before each `train()` and
    `begin()` in `on_train_begin`.

    Args:
        loss: the loss terms.
        graphs: to train on.
        validation: snapshots at other times, for DeepXDE's test loss.
        batch_size: graphs in a mini-batch.
        seed: of the order of the graphs.
        device: where the batches lie.

    Attributes:
        resident: the graphs to train on, in the float type of the training.
        points_return: that each epoch has the same points.
    """

    points_return = True

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
        self.loss, self.graphs = loss, graphs
        self.batch_size, self.seed, self.device = min(batch_size, len(graphs)), seed, device
        self._snapshots = [validation[i] for i in range(len(validation))]
        self.validation = self._all(self._snapshots)
        self.resident = self._reside(graphs)
        self.next_step = 0
        self._shift = 0
        self._begun = False
        self._whole: SnapshotBatch | None = None
        self._order: tuple[int, list[list[int]]] = (-1, [])
        self._numbers: tuple[int, Tensor] | None = None
        self._train = self.validation

    @property
    def batches_per_epoch(self) -> int:
        """Number of mini-batches in one pass over all graphs."""
        return -(-len(self.graphs) // self.batch_size)

    def peek(self) -> None:
        """Serve the next batch without counting it as a step, until `begin()`."""
        self._begun = False

    def begin(self) -> None:
        """From now on each batch belongs to a step."""
        self._begun = True

    def use_all_graphs(self) -> None:
        """Serve all graphs in one batch from now on, for L-BFGS."""
        numbers = self.resident.numbers(range(len(self.graphs)))
        self._whole = self.resident.batch(numbers)

    def batch_indices(self, step: int) -> list[int]:
        """Return the graphs in the mini-batch of a step, counted from 0."""
        epoch, position = divmod(step, self.batches_per_epoch)
        if self._order[0] != epoch:
            order = epoch_order(len(self.graphs), self.batch_size, epoch, self.seed)
            self._order = (epoch, order)
        return self._order[1][position]

    def train_next_batch(self, batch_size: int | None = None) -> tuple[Tensor, None, None]:
        """Return the inputs of the next batch; its graphs are kept for `losses_train`."""
        if self._whole is not None:
            self._train = self._whole.detached()
        else:
            self._train = self._training_batch(self.position())
            self.next_step += self._begun
        return self._train.inputs, None, None

    def test(self) -> tuple[Tensor, None, None]:
        """Return the inputs of the validation snapshots."""
        return self.validation.inputs, None, None

    def losses_train(
        self,
        targets: Any,
        outputs: Tensor,
        loss_fn: Any,
        inputs: Tensor,
        model: Any,
        aux: Any = None,
    ) -> list[Tensor]:
        """Return the raw loss terms of the batch served last.

        Args:
            targets: none, residuals are compared with zeros.
            outputs: of `model.net` at the batch.
            loss_fn: of zeros and residuals, or a list with one a term; what it returns is
                returned, so that `value - target` gives the residual vectors.
            inputs: of the batch.
            model: holds the network.
            aux: DeepXDE's, not used.

        Returns:
            One tensor a term.
        """
        return term_losses(self.loss, self._train, outputs, loss_fn, model)

    def losses_test(
        self,
        targets: Any,
        outputs: Tensor,
        loss_fn: Any,
        inputs: Tensor,
        model: Any,
        aux: Any = None,
    ) -> list[Tensor]:
        """Return the raw loss terms of the validation snapshots, as `losses_train` does."""
        return term_losses(self.loss, self.validation, outputs, loss_fn, model)

    def position(self) -> int:
        """Return the number of the coming batch: that of the step, unless `go_to` has moved it."""
        return self.next_step + self._shift

    def go_to(self, position: int) -> None:
        """Serve the batches from another one on, without a change to the count of steps."""
        self._shift = position - self.next_step

    def held_out_losses(self, model: Any) -> list[float]:
        """Return a model's raw losses on the validation snapshots."""
        return self.loss.values(plain_network(model), self.validation)

    def condition_terms(self) -> list[int]:
        """Return the indices of the terms that are conditions rather than equations."""
        return self.loss.condition_terms()

    def term_field_scales(self) -> list[float]:
        """Return the size of the field of each term, in the units of the root of its loss."""
        return self.loss.term_field_scales()

    def equation_blocks(self) -> list[list[int]]:
        """Return the indices of the terms at the same nodes: equations, then Runge-Kutta steps."""
        kinds = [[i for i, n in enumerate(self.loss.names) if n[:2] == k] for k in ("PI", "RK")]
        return [kind for kind in kinds if kind]

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

    def batch_at(self, inputs: Tensor) -> SnapshotBatch | None:
        """Return the batch that these very inputs were served from, if any."""
        for batch in (self._train, self.validation):
            if inputs is batch.inputs:
                return batch
        return None

    @property
    def present_batch(self) -> SnapshotBatch:
        """The batch served last."""
        return self._train

    def exact_batch(self, device: Any = "cpu") -> SnapshotBatch:
        """Return the validation snapshots in float64."""
        return SnapshotBatch.from_graphs(self._snapshots, device, torch.float64)

    def spread_batch(self, dtype: torch.dtype) -> SnapshotBatch:
        """Return as many graphs as a mini-batch has, evenly spread over those in training."""
        chosen = torch.linspace(0, len(self.graphs) - 1, self.batch_size, device="cpu")
        return self._all([self.graphs[i] for i in chosen.round().long().tolist()], dtype)

    def _training_batch(self, step: int) -> SnapshotBatch:
        """Return the batch of a step; the order of its epoch goes to the device as a whole."""
        epoch, position = divmod(step, self.batches_per_epoch)
        size = len(self.batch_indices(step))
        if self._numbers is None or self._numbers[0] != epoch:
            order = itertools.chain.from_iterable(self._order[1])
            self._numbers = epoch, self.resident.numbers(list(order))
        start = position * self.batch_size
        return self.resident.batch(self._numbers[1][start : start + size])

    def _all(self, graphs: Sequence[Any], dtype: torch.dtype | None = None) -> SnapshotBatch:
        """Return some graphs as one batch."""
        resident = self._reside(graphs, dtype)
        return resident.batch(resident.numbers(range(len(graphs))))

    def _reside(self, graphs: Sequence[Any], dtype: torch.dtype | None = None) -> ResidentGraphs:
        loss = self.loss
        hard = HardConditions(loss.system) if loss.conditions == "hard" else None
        step = loss.step if any(name.startswith("RK4") for name in loss.names) else None
        return ResidentGraphs(graphs, self.device, dtype, step=step, hard=hard)
