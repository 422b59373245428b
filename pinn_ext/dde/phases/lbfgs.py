"""The second phase of a run: L-BFGS on all graphs in one batch, in blocks of iterations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import deepxde as dde

from pinn_ext.dde.model import optimizers
from pinn_ext.dde.phases.graph_model import GraphModel
from pinn_ext.dde.phases.phase import Measured, Phase, Watcher

BLOCK = 20
"""Iterations between two looks at the run."""


class LBFGS(Phase):
    """Iterations of L-BFGS on all graphs; the weights stay, or move between its blocks.

    Args:
        shared: what is trained.
        length: iterations to be made in all.

    Attributes:
        ended: whether it has come to its end, by convergence or by its length.
    """

    name = "lbfgs"
    in_blocks = True

    def __init__(self, shared: GraphModel, length: int) -> None:
        super().__init__(shared, length)
        self.ended = False

    @property
    def over(self) -> bool:
        """Whether all iterations are made, or it has converged."""
        return super().over or self.ended

    def compile(self) -> None:
        """Compile for all graphs in one batch, without weight decay, which it cannot have."""
        self.shared.data.use_all_graphs()
        self.shared.net.regularizer = None
        with _options(iter_per_step=BLOCK, fun_per_step=25 * BLOCK):
            self.shared.model.compile("L-BFGS", verbose=0)

    def opening(self) -> list[str]:
        """Return what is left out, and what becomes of the weights."""
        moves = self.shared.weights.second_phase == "blocks"
        how = "move between its blocks" if moves else "frozen"
        lines = [f"L-BFGS: all graphs in one batch, loss weights {how}."]
        return ["L-BFGS: weight decay is left out.", *lines] if self.shared.weight_decay else lines

    def closing(self) -> str:
        """Return after how many iterations it has converged, if before its length."""
        if self.done >= self.length:
            return ""
        return f"L-BFGS has converged after {self.done} iterations."

    def train(self, watcher: Watcher) -> None:
        """Run L-BFGS until it has made all iterations, or has converged.

        At its first block DeepXDE's loop adds all that the optimiser has counted to its counters,
        where the iterations before a resume are already: they are taken off first. And it takes a
        block of one iteration for convergence and leaves without adding it or calling back: such a
        last block is added here, and the watcher called.

        Args:
            watcher: its `after_epoch` is called after each block.
        """
        self._watcher = watcher
        model, weights = self.shared.model, self.shared.weights
        self.done = self.made()
        if self.over:
            return
        state = model.train_state
        state.step, state.iteration = state.step - self.done, state.iteration - self.done
        self.plan_next()
        with _options(maxiter=self.length):
            self._run_model()
        # Ended by itself, or by our count: what is left of the length will not be made.
        self.ended = weights.stopped is None and not watcher.stop_wanted()
        missed = self.made() - self.done
        if missed > 0:
            state.step, state.iteration = state.step + missed, state.iteration + missed
            if weights.stopped is None:
                self.done = self.made()
                watcher.after_epoch(self.done)

    def made(self) -> int:
        """Return the iterations that the optimiser has counted."""
        return optimizers.lbfgs_iterations(self.shared.model)

    def plan_next(self) -> None:
        """Set the length of the next block so that no block of one iteration is left over."""
        left = self.length - self.done
        block = BLOCK - 1 if left == BLOCK + 1 else min(left, BLOCK)
        self.shared.model.opt.param_groups[0]["max_iter"] = max(block, 1)

    def measured(self) -> Measured:
        """Return the losses of the present parameters on all graphs."""
        shared = self.shared
        losses = shared.data.loss.values(shared.network, shared.data.present_batch)
        return Measured.of_period(shared.weights.history[-1], losses)

    def state_dict(self) -> dict[str, Any]:
        """Return whether it has ended."""
        return {"lbfgs_over": self.ended}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take up whether it had ended."""
        self.ended = saved["lbfgs_over"]


@contextlib.contextmanager
def _options(**options: int) -> Iterator[None]:
    """Set DeepXDE's global L-BFGS options for a while."""
    table = dde.optimizers.config.LBFGS_options
    before = dict(table)
    table.update(options)
    try:
        yield
    finally:
        table.clear()
        table.update(before)
