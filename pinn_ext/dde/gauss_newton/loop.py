"""The iterations of a Gauss-Newton training: its steps, their weights, when it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
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
from pinn_ext.dde.own_loop import OwnLoop
from solvers.gauss_newton import DAMPINGS, SOLVERS, NonFiniteJacobianError, Step, Stepper
from solvers.gauss_newton.direction import memory

WEIGHTS = (*GN_WEIGHTS, "adapt")
"""What may happen to the loss weights in a Gauss-Newton training."""

_PATIENCE = 5  # iterations in a row that may each lower the loss by less than the tolerance
_AT_ROUNDING = "no step lowers the loss any more: this is as far as rounding allows"
_BALANCED = 15  # iterations over which weights are balanced, then left alone


class GaussNewtonTraining(OwnLoop):
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

    name = "Gauss-Newton"
    failures = (NonFiniteJacobianError, NonFiniteRowsError)

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
        if memory_limit_gb is not None:
            check_number("memory_limit_gb", memory_limit_gb, 0, open_low=True)
        check_rows(model)
        super().__init__(
            model, resample_every=resample_every, batch_size=batch_size, verbose=verbose
        )
        self.tolerance, self.weights = tolerance, weights
        self._bounds = VariableBounds(model, bounds)
        self._options: dict[str, Any] = {
            "damping": damping,
            "geodesic": geodesic,
            "solver": solver,
            "memory_limit_gb": memory_limit_gb,
            "sketch": sketch,
        }
        self._slow = 0
        self._saved: dict[str, Any] | None = None
        self._weights: list[float] | None = None
        self._stepper: Any = None
        self._rows: Any = None

    # ---- the pieces of a run ------------------------------------------------------------------

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        frozen = self.weights != "adapt"
        at_work = optimizers.own_steps(self.model, self.name, frozen=frozen, loop=self)
        with at_work, memory.told(self._sizes):
            yield

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
        self._say_of_points()
        for text in advice.at_start(rows, stepper):
            self._say(text)

    def _sizes(self) -> memory.Sizes | None:
        return None if self._stepper is None else self._stepper.sizes()

    def _take_up_points(self) -> None:
        self._rows.refresh()
        self._stepper.replace(self._rows)

    def _testing(self) -> contextlib.AbstractContextManager[Any]:
        return self._rows.tests()

    def _weights_have_moved(self) -> bool:
        return bool(self._rows.weights_changed())

    def _take_up_weights(self) -> None:
        self._rows.reweigh()
        self._stepper.replace(self._rows)

    def _objective_has_changed(self) -> None:
        self._slow = 0

    def _put(self) -> None:
        self._rows.put(self._stepper.x)

    def _iterate_once(self) -> None:
        if self.weights == "balance" and self.done == 0:
            self._stepper.linearize()  # a first step by bad weights may lead astray
            self._balance()
        self._take(self._stepper.step())
        for text in advice.after_first_step(self._rows) if self.done == 1 else ():
            self._say(text)

    def _take(self, step: Step) -> None:
        """Hand an iteration's parameters to the model, and decide whether another is of use."""
        self._put()
        if not step.accepted:
            self._end(_AT_ROUNDING)
            return
        self._accepted()
        if step.cost == 0.0:
            self._end("every residual is zero")
        else:
            fell = (step.cost_before - step.cost) / step.cost_before
            self._slow = self._slow + 1 if fell < self.tolerance else 0
            if self._slow >= _PATIENCE:
                self._end(
                    f"the loss fell by less than {self.tolerance:g} of itself in each of "
                    f"{_PATIENCE} iterations"
                )
            elif step.at_rounding:
                self._end(_AT_ROUNDING)
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
