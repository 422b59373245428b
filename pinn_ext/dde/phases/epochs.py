"""The first phase of a run: epochs of mini-batches by a first-order optimiser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pinn_ext.dde.data.data_parallel import add_up_gradients
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.phases.graph_model import GraphModel
from pinn_ext.dde.phases.phase import Measured, Phase, Watcher


class Epochs(Phase):
    """Passes over all graphs in mini-batches, by a first-order optimiser; the weights move.

    Args:
        shared: what is trained.
        length: epochs to be made in all.
        optimizer: one of `pinn_ext.choices.OPTIMIZERS`.
        learning_rate: of the optimiser, at the start.
        schedule: `"none"` keeps it, `"cosine"` lets it fall to 0 over `length` epochs, after each
            step (Loshchilov and Hutter 2017, equation 5, without restarts).
        clip_gradients: longest gradient of the weighted loss, longer ones are shortened; None
            leaves them as they are.
    """

    name = "epochs"
    unit = "epoch"

    def __init__(
        self,
        shared: GraphModel,
        length: int,
        optimizer: str,
        learning_rate: float,
        schedule: str = "none",
        clip_gradients: float | None = None,
    ) -> None:
        super().__init__(shared, length)
        self._optimizer, self._learning_rate = optimizer, learning_rate
        self._schedule, self._clip = schedule, clip_gradients

    @property
    def text(self) -> str:
        """How far it is: `epoch 3 of 50`."""
        return f"{super().text} of {self.length}"

    def compile(self) -> None:
        """Compile with the initial weights."""
        shared = self.shared
        shared.net.regularizer = ("l2", shared.weight_decay) if shared.weight_decay else None
        weights = list(shared.initial_weights.values())
        steps = self.length * shared.data.batches_per_epoch
        decay = ("cosine", max(steps, 1), 0.0) if self._schedule == "cosine" else None
        shared.model.compile(
            self._optimizer, self._learning_rate, loss_weights=weights, decay=decay, verbose=0
        )
        add_up_gradients(shared.model.opt)
        if self._clip is not None:
            optimizers.clip_gradients(shared.model.opt, self._clip)

    def train(self, watcher: Watcher) -> None:
        """Make the epochs that are missing, by one `train()` of DeepXDE."""
        self._watcher = watcher
        data = self.shared.data
        steps = self.length * data.batches_per_epoch - data.next_step
        if steps > 0:  # one line of DeepXDE's history at the start and at the end is enough
            self._run_model(iterations=steps, display_every=steps + data.next_step + 1)

    def on_epoch_begin(self) -> None:
        """Let the schedule of a winner of `auto` go on at the run's step, not at its own.

        While pilots run, each candidate has the schedule of its own steps, as if it trained alone.
        The weights callback comes first: whatever it swaps into the model is there.
        """
        schedule, step = self.shared.model.lr_scheduler, self.shared.data.next_step
        if schedule is None or self.shared.weights.choice is None or schedule.last_epoch == step:
            return
        share = (1.0 + math.cos(math.pi * step / schedule.T_max)) / 2.0
        rates = [share * base for base in schedule.base_lrs]
        place = {"last_epoch": step, "_step_count": step + 1, "_last_lr": rates}
        schedule.load_state_dict({**schedule.state_dict(), **place})
        for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Return how far the schedule of the learning rate is, if there is one."""
        schedule = self.shared.model.lr_scheduler
        return {} if schedule is None else {"schedule_state_dict": schedule.state_dict()}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on in the schedule of the learning rate, where the phase has one and is not over."""
        schedule = self.shared.model.lr_scheduler
        if schedule is not None:
            schedule.load_state_dict(saved["schedule_state_dict"])

    def made(self) -> int:
        """Return the number of whole passes over the graphs."""
        data = self.shared.data
        return data.next_step // data.batches_per_epoch

    def measured(self) -> Measured:
        """Return the means of the losses over the epoch, as the weights callback has seen them."""
        entry, manager = self.shared.weights.history[-1], self.shared.weights.manager
        equalized = manager is not None and manager.equalizes and manager.updates > 0
        return Measured.of_period(
            entry,
            entry["losses"],
            in_force=entry.get("weights_before"),
            equalized=self.done == 1 and equalized,
        )
