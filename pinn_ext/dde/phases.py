"""The phases of a run: first-order epochs, L-BFGS (`lbfgs_blocks`) and Gauss-Newton."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

import deepxde as dde

from pinn_ext.datasets import SnapshotBatch
from pinn_ext.dde.data.point_data import PointData
from pinn_ext.dde.gauss_newton.loop import GaussNewtonTraining
from pinn_ext.dde.graph_model import GraphModel, set_float
from pinn_ext.reports.history import PHASES, PhaseNames


class Watcher(Protocol):
    """Whoever runs the phases: it is told of what is complete, and may end the training."""

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
    """

    losses: list[float]
    weights: list[float]
    in_force: list[float] | None = None
    equalized: bool = False


class Phase(dde.callbacks.Callback, ABC):
    """One stretch of a training, made by one optimiser; the callback of its own training.

    Args:
        shared: what is trained.
        length: epochs, or iterations, to be made in all; 0 for none.

    Attributes:
        name: in `history.csv` and checkpoints, a key of `pinn_ext.reports.history.PHASES`.
        unit: what a progress bar counts, empty if it counts nothing.
        in_blocks: whether it tells of blocks of iterations, not of each.
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
            watcher: is told of each complete epoch, or iteration.
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


class Epochs(Phase):
    """Passes over all graphs in mini-batches, by a first-order optimiser; the weights move.

    Args:
        shared: what is trained.
        length: epochs to be made in all.
        optimizer: one of `pinn_ext.choices.OPTIMIZERS`.
        learning_rate: of the optimiser.
    """

    name = "epochs"
    unit = "epoch"

    def __init__(
        self, shared: GraphModel, length: int, optimizer: str, learning_rate: float
    ) -> None:
        super().__init__(shared, length)
        self._optimizer, self._learning_rate = optimizer, learning_rate

    @property
    def text(self) -> str:
        """How far it is: `epoch 3 of 50`."""
        return f"{super().text} of {self.length}"

    def compile(self) -> None:
        """Compile with the initial weights."""
        shared = self.shared
        shared.net.regularizer = ("l2", shared.weight_decay) if shared.weight_decay else None
        weights = list(shared.initial_weights.values())
        shared.model.compile(
            self._optimizer, lr=self._learning_rate, loss_weights=weights, verbose=0
        )

    def train(self, watcher: Watcher) -> None:
        """Make the epochs that are missing, by one `train()` of DeepXDE."""
        self._watcher = watcher
        data = self.shared.data
        steps = self.length * data.batches_per_epoch - data.next_step
        if steps > 0:  # one line of DeepXDE's history at the start and at the end is enough
            self._run_model(iterations=steps, display_every=steps + data.next_step + 1)

    def made(self) -> int:
        """Return the number of whole passes over the graphs."""
        data = self.shared.data
        return data.next_step // data.batches_per_epoch

    def measured(self) -> Measured:
        """Return the means of the losses over the epoch, as the weights callback has seen them."""
        entry, manager = self.shared.weights.history[-1], self.shared.weights.manager
        equalized = manager is not None and manager.equalizes and manager.updates > 0
        return Measured(
            entry["losses"],
            entry["weights"],
            entry.get("weights_before"),
            equalized=self.done == 1 and equalized,
        )


class GaussNewton(Phase):
    """Second-order iterations on points of their own, in float64, with weights that it keeps.

    Args:
        shared: what is trained.
        length: iterations to be made in all.
        points: builds the points, once the phase begins.
        settings: of `GaussNewtonTraining`.
    """

    name = "gauss_newton"
    unit = "iteration"
    failures = (MemoryError, ValueError)
    warns_in_lines = True

    def __init__(
        self,
        shared: GraphModel,
        length: int,
        points: Callable[[], PointData],
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(shared, length)
        self._build_points, self._settings = points, settings
        self._points: PointData | None = None
        self._training: GaussNewtonTraining | None = None

    @property
    def over(self) -> bool:
        """Whether all iterations are made, or further ones would be of no use."""
        return super().over or (self._training is not None and self._training.converged)

    def compile(self) -> None:
        """Compile for float64 and points of its own, without weight decay.

        Raises:
            ValueError: if a setting is out of range.
        """
        shared = self.shared
        self._points = self._build_points()
        set_float("float64")
        shared.network.double()
        shared.model.data = self._points
        shared.net.serve_from(self._points)
        shared.net.regularizer = None
        shared.model.compile("adam", lr=1e-3, verbose=0)  # its optimiser makes no step
        self._weigh_points(self._points)
        self._training = GaussNewtonTraining(
            shared.model, solver="auto", verbose=0, **self._settings
        )

    def _weigh_points(self, points: PointData) -> None:
        """Give the terms of the phase the weights that the phase before has ended with."""
        held = self.shared.held_weights()
        self.shared.model.loss_weights = [held[name] for name in points.loss.names]

    def opening(self) -> list[str]:
        """Return one line: what is trained on, and what is left out."""
        shared, points = self.shared, self._compiled()[0]
        left_out = [name for name in shared.data.loss.names if name not in points.loss.names]
        text = f"Gauss-Newton: float64, {len(points.batch.inputs)} points of its own"
        if shared.weight_decay:
            text += ", no weight decay"
        if left_out:
            text += (
                f"; {' and '.join(left_out)} are left out, as the graph's truncation error would "
                "stay in the solution (training.gauss_newton.use_rk4=true keeps them)"
            )
        if shared.weights.weighs_points:
            text += "; weights of points are left out, as its points are others"
        return [f"{text}."]

    def train(self, watcher: Watcher) -> None:
        """Go on until all iterations have been made, or there is nothing to gain.

        Args:
            watcher: is told of each iteration.

        Raises:
            MemoryError: if there is no room for any way to a step; the message says how much each
                needs.
        """
        self._watcher = watcher
        training = self._compiled()[1]
        if training.done < self.length:
            with self.shared.clock():
                # One line of DeepXDE's history at the start and at the end is enough.
                training.run(self.length, display_every=2**62, callbacks=[self])
        self.message = training.message

    def made(self) -> int:
        """Return the number of accepted iterations."""
        return self._compiled()[1].done

    def measured(self) -> Measured:
        """Return losses on its points, and those of terms that it leaves out on the validation."""
        shared, points = self.shared, self._compiled()[0]
        names = shared.data.loss.names
        own = points.loss.values(shared.network, points.batch)
        losses = dict(zip(points.loss.names, own, strict=True))
        if len(losses) < len(names):
            others = shared.data.loss.values(shared.network, self.validation())
            losses = dict(zip(names, others, strict=True)) | losses
        present = map(float, shared.model.loss_weights)
        held = dict(zip(points.loss.names, present, strict=True))
        weights = [held.get(name, 0.0) for name in names]
        return Measured([losses[name] for name in names], weights, weights)

    def validation(self) -> SnapshotBatch:
        """Return the validation snapshots in float64."""
        return self.shared.exact_validation()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the iterations, and how often points were drawn."""
        if self._training is None or self._points is None:
            return {"gauss_newton": None}
        training = self._training.state_dict()
        return {"gauss_newton": {"training": training, "draws": self._points.draws}}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take up the iterations where they were, if the phase had begun."""
        if self._training is None or self._points is None:
            return
        own = saved["gauss_newton"]
        self._weigh_points(self._points)
        self._points.resample_train_points(own["draws"])
        self._training.load_state_dict(own["training"])

    def _compiled(self) -> tuple[PointData, GaussNewtonTraining]:
        if self._points is None or self._training is None:
            raise RuntimeError("`compile` must come before the training of a phase, got none.")
        return self._points, self._training
