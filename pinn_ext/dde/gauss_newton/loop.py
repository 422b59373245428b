"""The iterations of a Gauss-Newton training: what is called, tested, resampled, when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import deepxde as dde
import numpy as np
import torch

from pinn_ext.checks import check_choice, check_number
from pinn_ext.choices import GN_WEIGHTS
from pinn_ext.dde.gauss_newton import advice
from pinn_ext.dde.gauss_newton.bounds import VariableBounds
from pinn_ext.dde.gauss_newton.saved_state import check_training
from pinn_ext.dde.messages import weights_text
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.block_rows import BlockRows
from pinn_ext.dde.model.refusals import check_rows
from pinn_ext.dde.model.residual_rows import NonFiniteRowsError
from pinn_ext.dde.model.row_points import draw_points
from pinn_ext.point_weights.keys import same_inputs
from solvers.gauss_newton import DAMPINGS, SOLVERS, NonFiniteJacobianError, Step, Stepper
from solvers.gauss_newton.direction import memory

WEIGHTS = (*GN_WEIGHTS, "adapt")
"""What may happen to the loss weights in a Gauss-Newton training."""

_PATIENCE = 5  # iterations in a row that may each lower the loss by less than the tolerance
_AT_ROUNDING = "no step lowers the loss any more: this is as far as rounding allows"
_BALANCED = 15  # iterations over which weights are balanced, then left alone


class GaussNewtonTraining:
    """The iterations behind `train_gauss_newton`, which can be stopped and taken up again.

    Args:
        model: a compiled DeepXDE model.
        tolerance, damping, geodesic, solver, weights, resample_every, memory_limit_gb, sketch,
            bounds, batch_size, verbose: see `train_gauss_newton`.

    Attributes:
        done: iterations made so far.
        message: why it has ended, a sentence; None while it goes on.
        converged: whether further iterations would be of no use.
    """

    def __init__(
        self,
        model: Any,
        *,
        tolerance: float,
        damping: str,
        geodesic: bool,
        solver: str,
        weights: str,
        resample_every: int,
        memory_limit_gb: float | None,
        sketch: int | str | None = None,
        bounds: Sequence[tuple[Any, float | None, float | None]] = (),
        batch_size: Any = None,
        verbose: int = 1,
    ) -> None:
        check_number("tolerance", tolerance, 0)
        check_choice("damping", damping, DAMPINGS)
        check_choice("solver", solver, SOLVERS)
        check_choice("weights", weights, WEIGHTS)
        check_number("resample_every", resample_every, 0, integer=True)
        if memory_limit_gb is not None:
            check_number("memory_limit_gb", memory_limit_gb, 0, open_low=True)
        check_rows(model)
        if resample_every and not hasattr(model.data, "resample_train_points"):
            raise ValueError(
                "`resample_every` must be 0 for data that cannot draw new points "
                f"({type(model.data).__name__}), got {resample_every}."
            )
        self.model = model
        self.tolerance, self.weights, self.resample_every = tolerance, weights, resample_every
        self._batch_size, self._verbose = batch_size, verbose
        self._bounds = VariableBounds(model, bounds)
        self._options: dict[str, Any] = {
            "damping": damping,
            "geodesic": geodesic,
            "solver": solver,
            "memory_limit_gb": memory_limit_gb,
            "sketch": sketch,
        }
        self.done = 0
        self.message: str | None = None
        self.converged = False
        self._slow = 0
        self._saved: dict[str, Any] | None = None
        self._weights: list[float] | None = None
        self._stepper: Any = None
        self._rows: Any = None

    def run(
        self,
        iterations: int,
        *,
        display_every: int = 10,
        disregard_previous_best: bool = False,
        callbacks: Sequence[Any] | None = None,
    ) -> None:
        """Go on until `iterations` have been made in all, or there is nothing to gain.

        Args:
            iterations: their number, those of earlier calls included.
            display_every: iterations between two tests.
            disregard_previous_best: as in `model.train`.
            callbacks: DeepXDE's and ours.

        Raises:
            ValueError: if an argument is out of range or the model has no residual rows.
            MemoryError: if there is no room for any solver, or memory runs out all the same; the
                model then has the parameters of the last accepted step.
        """
        check_number("iterations", iterations, 0, integer=True)
        check_number("display_every", display_every, 1, integer=True)
        model = self.model
        if not self.converged:
            self.message = None
        at_work = optimizers.gauss_newton_at_work(model, frozen=self.weights != "adapt")
        with at_work, memory.told(self._sizes):
            self._begin(callbacks, disregard_previous_best)
            try:
                self._iterate(iterations, display_every)
            except KeyboardInterrupt:
                self.message = "interrupted; the last accepted step is kept"
            finally:
                self._rows.put(self._stepper.x)
            model.callbacks.on_train_end()
        self._say_end()

    # ---- the pieces of a run ------------------------------------------------------------------

    def _begin(self, callbacks: Sequence[Any] | None, disregard_previous_best: bool) -> None:
        """Do what `model.train` does before its first step."""
        model, state = self.model, self.model.train_state
        model.batch_size, model.stop_training = self._batch_size, False
        model.callbacks = dde.callbacks.CallbackList()
        state.set_data_train(*model.data.train_next_batch(self._batch_size))
        state.set_data_test(*model.data.test())
        self._prepare()  # refuses a model before callbacks and history have seen anything
        model.callbacks = dde.callbacks.CallbackList(callbacks=callbacks)
        model.callbacks.set_model(model)
        if disregard_previous_best:
            state.disregard_best()
        self._say("Training model by Gauss-Newton...\n")
        self._test()
        if getattr(model.data.losses_train, "point_weights", None) is not None:
            self._rows.refresh()  # only now are they in force
            self._stepper.replace(self._rows)
        model.callbacks.on_train_begin()

    def _iterate(self, iterations: int, display_every: int) -> None:
        model, state = self.model, self.model.train_state
        while self.done < iterations and not self.converged:
            model.callbacks.on_epoch_begin()
            model.callbacks.on_batch_begin()
            try:
                self._follow_data()
                if self.weights == "balance" and self.done == 0:
                    self._stepper.linearize()  # a first step by bad weights may lead astray
                    self._balance()
                self._take(self._stepper.step())
                for text in advice.after_first_step(self._rows) if self.done == 1 else ():
                    self._say(text)
            except (NonFiniteJacobianError, NonFiniteRowsError) as error:
                self.converged, self.message = True, _sentence(error)
            last = self.converged or self.done == iterations or model.stop_training
            if state.step % display_every == 0 or last:
                self._test()
            else:
                state.loss_train = self._weighted_losses()
            model.callbacks.on_batch_end()
            model.callbacks.on_epoch_end()
            if model.stop_training:
                nan = np.isnan(state.loss_test).any()
                why = "the loss on the test points is NaN" if nan else "stopped by a callback"
                self.message = self.message or why
                return
        if self.message is None:
            self.message = f"all {iterations} iterations are made"

    def _prepare(self) -> None:
        """Set up rows and solver at the model's parameters and points."""
        saved = self.state_dict()
        # Matrices of a former call are given back before memory is looked at.
        self._saved, self._weights = saved["stepper"], saved["loss_weights"]
        self._stepper = self._rows = None
        rows = BlockRows(self.model, in_pieces=self.weights != "adapt")
        x = rows.get()
        stepper = Stepper(rows, x, box=self._bounds.box(rows.tensors), **self._options)
        if saved["stepper"] is not None:
            stepper.load_state_dict({**saved["stepper"], "x": x})
            if saved["loss_weights"] != rows.weights:  # moved after the last step
                stepper.replace(rows)
        self._rows, self._stepper = rows, stepper
        advice.warn_of_few_rows(rows, self.resample_every)
        for text in advice.at_start(self.model.data, rows, stepper, self.resample_every):
            self._say(text)

    def _sizes(self) -> memory.Sizes | None:
        return None if self._stepper is None else self._stepper.sizes()

    def _test(self) -> None:
        """Test as `model.train` does, and keep frozen parameters frozen, which DeepXDE does not."""
        network = list(self.model.net.parameters())
        flags = [parameter.requires_grad for parameter in network]
        try:
            with self._rows.tests():
                self.model._test(verbose=self._verbose)
        finally:
            for parameter, flag in zip(network, flags, strict=True):
                parameter.requires_grad_(flag)

    def _follow_data(self) -> None:
        """Take up new points and weights, if there are any."""
        model, state, rows = self.model, self.model.train_state, self._rows
        if self.resample_every and self.done and self.done % self.resample_every == 0:
            draw_points(model.data)
        batch = model.data.train_next_batch(self._batch_size)
        old = (state.X_train, state.y_train, state.train_aux_vars)
        if not all(same_inputs(a, b) for a, b in zip(old, (*batch, None, None), strict=False)):
            state.set_data_train(*batch)
            rows.refresh()
            self._stepper.replace(rows)
            self._slow = 0
        elif rows.weights_changed():
            rows.reweigh()
            self._stepper.replace(rows)
            self._slow = 0

    def _take(self, step: Step) -> None:
        """Hand an iteration's parameters to the model, and decide whether another is of use."""
        self._rows.put(self._stepper.x)
        if step.accepted:
            self.done += 1
            self.model.train_state.iteration += 1
            self.model.train_state.step += 1
        if not step.accepted:
            self.converged, self.message = True, _AT_ROUNDING
        elif step.cost == 0.0:
            self.converged, self.message = True, "every residual is zero"
        else:
            fell = (step.cost_before - step.cost) / step.cost_before
            self._slow = self._slow + 1 if fell < self.tolerance else 0
            if self._slow >= _PATIENCE:
                self.converged = True
                self.message = (
                    f"the loss fell by less than {self.tolerance:g} of itself in each of "
                    f"{_PATIENCE} iterations"
                )
            elif step.at_rounding:
                self.converged, self.message = True, _AT_ROUNDING
        if self.weights == "balance" and self.done <= _BALANCED:
            self._balance()

    def _weighted_losses(self) -> np.ndarray:
        """Return DeepXDE's weighted losses at the present point, measured with its cost."""
        single = self._stepper.residual.dtype == torch.float32
        return np.array(self._stepper.measures, dtype=np.float32 if single else np.float64)

    def _balance(self) -> None:
        """Set the weights by the curvatures of the iteration that has just been made."""
        weights = self._rows.balanced()
        self.model.loss_weights = torch.tensor(weights, dtype=dde.config.real(torch))
        self._rows.reweigh()
        self._stepper.replace(self._rows)
        self._slow = 0
        if self.done == _BALANCED:
            text = weights_text(dict(zip(self._rows.names, weights, strict=True)))
            self._say(f"Gauss-Newton: balanced loss weights, from now on fixed: {text}")

    def _say_end(self) -> None:
        if self._verbose > 0:
            print("")
            dde.display.training_display.summary(self.model.train_state)
            plural = "s" * (self.done != 1)
            print(f"Gauss-Newton ended after {self.done} iteration{plural}: {self.message}.")

    def _say(self, text: str) -> None:
        if self._verbose > 0:
            print(text, flush=True)

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what an exact continuation needs, as plain numbers, lists and tensors.

        Parameters, points and the weights of an `AdaptiveWeights` are not in it.
        """
        stepper = self._saved if self._stepper is None else self._stepper.state_dict()
        return {
            "stepper": stepper,
            "done": self.done,
            "slow": self._slow,
            "converged": self.converged,
            "message": self.message,
            "loss_weights": self._rows.weights if self._stepper else self._weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned; the model must hold its parameters."""
        check_training(state)
        self._saved, self._stepper = state["stepper"], None
        self.done, self._slow = state["done"], state["slow"]
        self.converged, self.message = state["converged"], state["message"]
        self._weights = state["loss_weights"]
        if self.weights == "balance" and self._weights is not None:
            self.model.loss_weights = list(self._weights)


def _sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return text[0].lower() + text[1:]
