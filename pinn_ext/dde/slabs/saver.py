"""The callback that saves a slab in the middle of its training, and lets L-BFGS go on."""

from __future__ import annotations

from typing import Any

import deepxde as dde

from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.notes import take_broken_off, tell_end

STEPS_MADE = "all steps made"
"""Why a training has ended that nobody has stopped."""


class Saver(dde.callbacks.Callback):
    """Saves the model of a slab at regular steps, at the first call after each multiple of them.

    Args:
        slab: whose `save` is called.
        every: steps between two times.
    """

    def __init__(self, slab: Any, every: int) -> None:
        super().__init__()
        self._slab, self._every = slab, every
        self._last, self._lbfgs_before = 0, 0

    def on_train_begin(self) -> None:
        """Take up the optimiser that was broken off, if it has been compiled since."""
        model = self.model
        self._last, self._lbfgs_before = model.train_state.step, 0
        if not optimizers.compiled_at_work(model):
            return
        saved = take_broken_off(model, type(model.opt).__name__)
        if saved is not None:
            model.opt.load_state_dict(saved.state)
        if optimizers.runs_in_blocks(model) and self._slab.done:
            self._go_on_in_blocks()

    def on_epoch_end(self) -> None:
        """Save, if it is time to."""
        step = self.model.train_state.step
        if self._lbfgs_before:
            self._end_if_converged()
        if step // self._every > self._last // self._every:
            self._slab.save(self.model)
        self._last = step

    def _go_on_in_blocks(self) -> None:
        """Let DeepXDE's loop go on in L-BFGS as if it had never been left.

        At its first block it adds all that the optimiser has counted to its counters, where the
        iterations before are already, and makes that block however many there were.
        """
        model, made = self.model, optimizers.lbfgs_iterations(self.model)
        state, most = model.train_state, dde.optimizers.config.LBFGS_options["maxiter"]
        state.step, state.iteration = state.step - made, state.iteration - made
        self._lbfgs_before = made
        if made >= most:
            for group in model.opt.param_groups:
                group["max_iter"] = 0

    def _end_if_converged(self) -> None:
        """End where the loop would have ended, which takes its first block for one from 0 on."""
        model, before = self.model, self._lbfgs_before
        made = optimizers.lbfgs_iterations(model) - before
        self._lbfgs_before = 0
        if made <= 1 and before < dde.optimizers.config.LBFGS_options["maxiter"]:
            state = model.train_state
            state.step, state.iteration = state.step - made, state.iteration - made
            model.stop_training = True
            tell_end(model, STEPS_MADE)
