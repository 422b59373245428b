"""One run of the program on `dde.Model`: its phases, and what happens between their steps."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import deepxde as dde
from torch import nn

from pinn_ext.datasets import SnapshotBatch
from pinn_ext.dde.callback import AdaptiveWeights
from pinn_ext.dde.data.graph_data import GraphData, NetworkAdapter
from pinn_ext.dde.data.point_data import PointData
from pinn_ext.dde.gauss_newton.loop import GaussNewtonTraining
from pinn_ext.dde.model import optimizers

LBFGS_BLOCK = 20
"""Iterations of L-BFGS between two looks at the run."""


class Session(dde.callbacks.Callback):
    """Trains a network on snapshot graphs through `dde.Model.compile` and `train`.

    Args:
        data: the graphs and their loss terms.
        network: a plain module on its device.
        weights: the callback that moves, or keeps, the loss weights.
        initial_weights: one number a loss term.
        after_epoch: called with the number of the epoch, or of the iteration of a later phase,
            each time one is complete.
        after_step: called after each step; what it returns true ends the training.
    """

    def __init__(
        self,
        data: GraphData,
        network: nn.Module,
        weights: AdaptiveWeights,
        initial_weights: list[float],
        *,
        after_epoch: Callable[[int], None],
        after_step: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.data, self.network, self.weights = data, network, weights
        self.net = NetworkAdapter(network, data)
        self.dde_model = dde.Model(data, self.net)
        self._initial_weights = initial_weights
        self._after_epoch, self._after_step = after_epoch, after_step
        self._last_iteration = 0
        self.lbfgs_done = 0
        self.lbfgs_over = False
        self.points: PointData | None = None
        self.gauss_newton: GaussNewtonTraining | None = None
        self._exact: SnapshotBatch | None = None
        self._started: float | None = None
        self._seconds = 0.0

    # ---- first-order epochs -------------------------------------------------------------------

    def compile(self, optimizer: str, learning_rate: float, weight_decay: float) -> None:
        """Compile for the epochs; the state of a checkpoint can be loaded after it."""
        self.net.regularizer = ("l2", weight_decay) if weight_decay else None
        self.dde_model.compile(
            optimizer, lr=learning_rate, loss_weights=self._initial_weights, verbose=0
        )

    def train_epochs(self, epochs: int) -> None:
        """Train until `epochs` passes over all graphs have been made, by one `train()`."""
        steps = epochs * self.data.batches_per_epoch - self.data.next_step
        if steps > 0:
            self._train(iterations=steps, display_every=steps + self.data.next_step + 1)

    # ---- L-BFGS -------------------------------------------------------------------------------

    def compile_lbfgs(self) -> None:
        """Compile for the end phase: all graphs in one batch, no weight decay."""
        self.data.use_all_graphs()
        self.net.regularizer = None
        with _lbfgs_options(iter_per_step=LBFGS_BLOCK, fun_per_step=25 * LBFGS_BLOCK):
            self.dde_model.compile("L-BFGS", verbose=0)

    def train_lbfgs(self, iterations: int) -> None:
        """Run L-BFGS until it has made `iterations` iterations in all, or has converged."""
        # DeepXDE adds all iterations of the optimiser at its first block: take off the old ones.
        done = self.lbfgs_done = optimizers.lbfgs_iterations(self.dde_model)
        if done >= iterations or self.lbfgs_over:
            return
        state = self.dde_model.train_state
        state.step, state.iteration = state.step - done, state.iteration - done
        self._goal = iterations
        self._plan_block()
        with _lbfgs_options(maxiter=iterations):
            self._train()
        # Ended by itself, or by our count: what is left of the goal will not be made.
        self.lbfgs_over = self.weights.stopped is None and not self._after_step()
        missed = optimizers.lbfgs_iterations(self.dde_model) - self.lbfgs_done
        if missed > 0:  # DeepXDE leaves a loop of one iteration without counting it
            state.step, state.iteration = state.step + missed, state.iteration + missed
            if self.weights.stopped is None:
                self._block_done()

    def _plan_block(self) -> None:
        """Set the length of the next block so that no block of one iteration is left over.

        DeepXDE takes a block of one iteration for convergence.
        """
        left = self._goal - self.lbfgs_done
        block = LBFGS_BLOCK - 1 if left == LBFGS_BLOCK + 1 else min(left, LBFGS_BLOCK)
        self.dde_model.opt.param_groups[0]["max_iter"] = max(block, 1)

    def _block_done(self) -> None:
        self.lbfgs_done = optimizers.lbfgs_iterations(self.dde_model)
        self._after_epoch(self.lbfgs_done)

    # ---- Gauss-Newton -------------------------------------------------------------------------

    def compile_gauss_newton(self, points: PointData, **settings: Any) -> None:
        """Compile for the second-order end phase: its own points, float64, no weight decay.

        Args:
            points: to train on.
            **settings: of `GaussNewtonTraining`.
        """
        set_float("float64")
        self.network.double()
        self.points = self.dde_model.data = points
        self.net.serve_from(points)
        self.net.regularizer = None
        self.dde_model.compile("adam", lr=1e-3, verbose=0)  # its optimiser makes no step
        self._weigh_points(points)
        self.gauss_newton = GaussNewtonTraining(
            self.dde_model, solver="auto", verbose=0, **settings
        )

    def _weigh_points(self, points: PointData) -> None:
        """Give the terms of the phase the weights that the epochs have ended with."""
        held = self._held_weights()
        self.dde_model.loss_weights = [held[name] for name in points.loss.names]

    def train_gauss_newton(self, iterations: int) -> None:
        """Go on until `iterations` have been made in all, or there is nothing to gain.

        Raises:
            MemoryError: if there is no room for any way to a step; the message says how much each
                needs.
        """
        if self.gauss_newton is None or self.gauss_newton.done >= iterations:
            return
        self._started = time.perf_counter()
        try:
            # One line of DeepXDE's history at the start and at the end is enough.
            self.gauss_newton.run(iterations, display_every=2**62, callbacks=[self])
        finally:
            self._seconds, self._started = self.training_seconds(), None

    def _held_weights(self) -> dict[str, float]:
        manager = self.weights.manager
        if manager is not None:
            return manager.get_weights()
        return dict(zip(self.data.loss.names, self._initial_weights, strict=True))

    def weights_in_force(self) -> dict[str, float]:
        """Return the loss weights by name; 0 for terms that the present phase leaves out."""
        if self.points is None:
            return self._held_weights()
        present = map(float, self.dde_model.loss_weights)
        own = dict(zip(self.points.loss.names, present, strict=True))
        return {name: own.get(name, 0.0) for name in self.data.loss.names}

    # ---- what DeepXDE calls -------------------------------------------------------------------

    def on_train_begin(self) -> None:
        """Let the data count its batches as steps."""
        self.data.begin()

    def on_epoch_end(self) -> None:
        """Report a complete epoch or block, unless the weights callback has stopped the run."""
        model = self.dde_model
        if self.weights.stopped is not None:
            return
        if self.gauss_newton is not None:
            if self.gauss_newton.done > self._last_iteration:
                self._last_iteration = self.gauss_newton.done
                self._after_epoch(self._last_iteration)
        elif model.opt_name == "L-BFGS":
            if optimizers.lbfgs_iterations(model) > self.lbfgs_done:
                self._block_done()
                self._plan_block()
        elif self.data.next_step % self.data.batches_per_epoch == 0:
            self._after_epoch(self.data.next_step // self.data.batches_per_epoch)
        if self._after_step():
            model.stop_training = True

    def _train(self, **options: Any) -> None:
        self._started = time.perf_counter()
        self.data.peek()
        try:
            self.dde_model.train(callbacks=[self.weights, self], verbose=0, **options)
        finally:
            self._seconds, self._started = self.training_seconds(), None

    def training_seconds(self) -> float:
        """Return the time spent in `train()` so far."""
        running = time.perf_counter() - self._started if self._started is not None else 0.0
        return self._seconds + running

    def raw_losses(self) -> list[float]:
        """Return the raw losses of the present parameters, in the order of the terms.

        They are measured on the batch served last; in the Gauss-Newton phase on its points, and
        terms that it leaves out on the validation snapshots.
        """
        loss = self.data.loss
        if self.points is None:
            return loss.values(self.network, self.data.present_batch)
        own = self.points.loss.values(self.network, self.points.batch)
        known = dict(zip(self.points.loss.names, own, strict=True))
        if len(known) < len(loss.names):
            others = loss.values(self.network, self.exact_validation())
            known = dict(zip(loss.names, others, strict=True)) | known
        return [known[name] for name in loss.names]

    def exact_validation(self) -> SnapshotBatch:
        """Return the validation snapshots in float64, on the device of the training."""
        if self._exact is None:
            self._exact = self.data.exact_batch(self.data.device)
        return self._exact

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state of network, optimiser, weights and counters."""
        state, second = self.dde_model.train_state, None
        if self.gauss_newton is not None and self.points is not None:
            second = {"training": self.gauss_newton.state_dict(), "draws": self.points.draws}
        return {
            "model_state_dict": self.network.state_dict(),
            "optimizer_state_dict": self.dde_model.opt.state_dict(),
            "adaptive_weights_state": self.weights.state_dict(),
            "gauss_newton": second,
            "next_step": self.data.next_step,
            "step": state.step,
            "iteration": state.iteration,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned; compile for the same phase first."""
        self.network.load_state_dict(saved["model_state_dict"])
        self.dde_model.opt.load_state_dict(saved["optimizer_state_dict"])
        self.data.next_step = saved["next_step"]
        self.weights.load_state_dict(saved["adaptive_weights_state"], self.dde_model)
        self.lbfgs_over = saved["lbfgs_over"]
        self.dde_model.train_state.step = saved["step"]
        self.dde_model.train_state.iteration = saved["iteration"]
        if self.gauss_newton is not None and self.points is not None:
            own = saved["gauss_newton"]
            self._weigh_points(self.points)
            self.points.resample_train_points(own["draws"])
            self.gauss_newton.load_state_dict(own["training"])
            self._last_iteration = self.gauss_newton.done


def configure(dtype: str, seed: int) -> None:
    """Set what DeepXDE and torch keep globally, before anything is built.

    Args:
        dtype: `"float32"` or `"float64"`.
        seed: of torch, numpy and random.
    """
    set_float(dtype)
    dde.config.set_random_seed(seed)


def set_float(dtype: str) -> None:
    """Set the float type of DeepXDE and torch, `"float32"` or `"float64"`."""
    with contextlib.redirect_stdout(io.StringIO()):  # DeepXDE prints the type it sets
        dde.config.set_default_float(dtype)


@contextlib.contextmanager
def _lbfgs_options(**options: int) -> Iterator[None]:
    """Set DeepXDE's global L-BFGS options for a while."""
    table = dde.optimizers.config.LBFGS_options
    before = dict(table)
    table.update(options)
    try:
        yield
    finally:
        table.clear()
        table.update(before)
