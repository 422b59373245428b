"""The last phase of a run: Gauss-Newton in float64, on points drawn for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pinn_ext.datasets import SnapshotBatch
from pinn_ext.dde.data.point_data import PointData
from pinn_ext.dde.gauss_newton.loop import GaussNewtonTraining
from pinn_ext.dde.model.loss_terms import set_float
from pinn_ext.dde.phases.graph_model import GraphModel
from pinn_ext.dde.phases.phase import Measured, Phase, Watcher


class GaussNewton(Phase):
    """Second-order iterations in float64, on points drawn for them; loss weights as settings say.

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
        """Compile for float64 and the points of the phase, without weight decay.

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
            watcher: its `after_epoch` is called after each iteration.

        Raises:
            MemoryError: if there is no room for any solver; the message says how much each needs.
        """
        self._watcher = watcher
        training = self._compiled()[1]
        if training.done < self.length:
            with self.shared.clock():
                # One line of DeepXDE's history at the start and at the end is enough.
                training.run(self.length, display_every=2**62, callbacks=[self])
        self.message = training.message
        if self.message is None and training.done >= self.length:  # made before the run was resumed
            self.message = f"all {self.length} iterations are made"

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
