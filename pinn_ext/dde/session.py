"""One run of the program on `dde.Model`: its two phases, and what happens between their steps."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import deepxde as dde
from torch import nn

from pinn_ext.dde import optimizers
from pinn_ext.dde.callback import AdaptiveWeights
from pinn_ext.dde.graph_data import GraphData, NetworkAdapter

LBFGS_BLOCK = 20
"""Iterations of L-BFGS between two looks at the run."""


class Session(dde.callbacks.Callback):
    """Trains a network on snapshot graphs through `dde.Model.compile` and `train`.

    Args:
        data: the graphs and their loss terms.
        network: a plain module on its device.
        weights: the callback that moves, or keeps, the loss weights.
        initial_weights: one number a loss term.
        after_epoch: called with the number of the epoch, or of the L-BFGS iteration, each time
            one is complete.
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
        self._last_block = 0
        self.lbfgs_done = 0
        self.lbfgs_over = False
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

    # ---- what DeepXDE calls -------------------------------------------------------------------

    def on_train_begin(self) -> None:
        """Let the data count its batches as steps."""
        self.data.begin()

    def on_epoch_end(self) -> None:
        """Report a complete epoch or block, unless the weights callback has stopped the run."""
        model = self.dde_model
        if self.weights.stopped is not None:
            return
        if model.opt_name == "L-BFGS":
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
        """Return the raw losses of the present parameters on the batch served last."""
        return self.data.loss.values(self.network, self.data.present_batch)

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state of network, optimiser, weights and counters."""
        state = self.dde_model.train_state
        return {
            "model_state_dict": self.network.state_dict(),
            "optimizer_state_dict": self.dde_model.opt.state_dict(),
            "adaptive_weights_state": self.weights.state_dict(),
            "next_step": self.data.next_step,
            "step": state.step,
            "iteration": state.iteration,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned; compile for the same phase first."""
        self.network.load_state_dict(saved["model_state_dict"])
        self.dde_model.opt.load_state_dict(saved["optimizer_state_dict"])
        self.weights.load_state_dict(saved["adaptive_weights_state"], self.dde_model)
        self.data.next_step = saved["next_step"]
        self.lbfgs_over = saved["lbfgs_over"]
        self.dde_model.train_state.step = saved["step"]
        self.dde_model.train_state.iteration = saved["iteration"]


def configure(dtype: str, seed: int) -> None:
    """Set what DeepXDE and torch keep globally, before anything is built.

    Args:
        dtype: `"float32"` or `"float64"`.
        seed: of torch, numpy and random.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # DeepXDE prints the type it sets
        dde.config.set_default_float(dtype)
    dde.config.set_random_seed(seed)


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
