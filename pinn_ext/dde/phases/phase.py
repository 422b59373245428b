"""What every phase of a run has in common, and who watches it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

import deepxde as dde

from pinn_ext.datasets import SnapshotBatch
from pinn_ext.dde.phases.graph_model import GraphModel
from pinn_ext.measurements.alignment import SCORES
from pinn_ext.reports.history import PHASES, PhaseNames


class Watcher(Protocol):
    """Whoever runs the phases: called after what is complete, it may end the training."""

    def after_epoch(self, number: int) -> None:
        """Take note of a complete epoch, or iteration, of the present phase."""

    def stop_wanted(self) -> bool:
        """Return whether the training is to end after the present step."""


class Measured(NamedTuple):
    """What a phase knows of an epoch, or iteration, that is complete.

    Attributes:
        losses: raw losses, in the order of the terms.
        weights: after it; 0 for terms that the phase leaves out.
        in_force: weights during it; None where they are those after the one before.
        equalized: whether it has just made the weighted losses equal.
        scores: what the terms' gradients say, by the names `SCORES` of
            `pinn_ext.measurements.alignment`; empty where they were not measured.
    """

    losses: list[float]
    weights: list[float]
    in_force: list[float] | None = None
    equalized: bool = False
    scores: Mapping[str, float | None] = MappingProxyType({})

    @classmethod
    def of_period(cls, row: Mapping[str, Any], losses: list[float], **others: Any) -> Measured:
        """Return what a row of the weights callback's history says of the period it is of."""
        scores = {key: row[key] for key in SCORES if key in row}
        return cls(losses, row["weights"], scores=scores, **others)


class Phase(dde.callbacks.Callback, ABC):
    """One stretch of a training, made by one optimiser; the callback of its own training.

    Args:
        shared: what is trained.
        length: epochs, or iterations, to be made in all; 0 for none.

    Attributes:
        name: in `history.csv` and checkpoints, a key of `pinn_ext.reports.history.PHASES`.
        unit: what a progress bar counts, empty if it counts nothing.
        in_blocks: whether the watcher is called after blocks of iterations, not after each.
        failures: what `compile` and `train` may raise as a user's own problem.
        warns_in_lines: whether its warnings are lines of the run.
        done: epochs, or iterations, that are complete.
        message: why it has ended, for the report; None for a phase that says nothing.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = ""
    in_blocks: ClassVar[bool] = False
    failures: ClassVar[tuple[type[Exception], ...]] = ()
    warns_in_lines: ClassVar[bool] = False

    def __init__(self, shared: GraphModel, length: int) -> None:
        super().__init__()
        self.shared, self.length = shared, length
        self.done = 0
        self.message: str | None = None
        self._watcher: Watcher | None = None

    @property
    def names(self) -> PhaseNames:
        """What it is called."""
        return PHASES[self.name]

    @property
    def over(self) -> bool:
        """Whether there is nothing left to train in it."""
        return self.done >= self.length

    @property
    def text(self) -> str:
        """How far it is, such as `L-BFGS iteration 20`."""
        return f"{self.names.counted} {self.done}"

    @abstractmethod
    def compile(self) -> None:
        """Make the model ready; the state of a checkpoint can be loaded after it."""

    @abstractmethod
    def train(self, watcher: Watcher) -> None:
        """Go on until `length` is made in all, or the phase has come to an end.

        Args:
            watcher: its `after_epoch` is called after each epoch, or iteration.
        """

    @abstractmethod
    def measured(self) -> Measured:
        """Return losses and weights of what is complete."""

    def opening(self) -> list[str]:
        """Return the lines that a run prints when the phase begins."""
        return []

    def closing(self) -> str:
        """Return the line that a run prints when nobody has stopped it; empty for none."""
        return ""

    def validation(self) -> SnapshotBatch:
        """Return the snapshots that it is measured on."""
        return self.shared.data.validation

    def state_dict(self) -> dict[str, Any]:
        """Return what an exact continuation needs beside the state of the model."""
        return {}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue from a checkpoint, which the model has loaded already."""

    # ---- what DeepXDE calls -------------------------------------------------------------------

    def on_train_begin(self) -> None:
        """Let the data count its batches as steps."""
        self.shared.data.begin()

    def on_epoch_end(self) -> None:
        """Tell of what is complete, unless the weights callback has stopped the training."""
        if self.shared.weights.stopped is not None or self._watcher is None:
            return
        made = self.made()
        if made > self.done:
            self.done = made
            self._watcher.after_epoch(made)
            self.plan_next()
        if self._watcher.stop_wanted():
            self.shared.model.stop_training = True

    @abstractmethod
    def made(self) -> int:
        """Return how many epochs, or iterations, are complete in the model."""

    def plan_next(self) -> None:
        """Get ready for what follows a complete epoch or block."""

    def _run_model(self, **options: Any) -> None:
        """Let DeepXDE train; the weights callback comes first, so that its update is seen."""
        shared = self.shared
        with shared.clock():
            shared.data.peek()
            shared.model.train(callbacks=[shared.weights, self], verbose=0, **options)
