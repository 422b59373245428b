"""The iterations of a quasi-Newton training: its steps, what they follow, when it ends."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from pinn_ext.checks import ArgumentError, check_choice, check_number
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.loss_terms import float_type
from pinn_ext.dde.own_loop import OwnLoop, sentence
from pinn_ext.dde.quasi_newton.objective import ModelLoss, check_loss
from pinn_ext.dde.quasi_newton.precision import PRECISIONS, converted, in_float64
from pinn_ext.dde.quasi_newton.saved_state import check_training
from solvers.quasi_newton import METHODS, NonFiniteStartError, QuasiNewton, Status
from solvers.quasi_newton.memory import needs

_INSTEAD = (
    'take DeepXDE\'s L-BFGS (model.compile("L-BFGS")), which keeps some vectors only, or '
    "pinn_ext.train_gauss_newton(model), which for losses of the kind MSE can do with products"
)


class QuasiNewtonTraining(OwnLoop):
    """The iterations behind `train_quasi_newton`, which can be stopped and taken up again.

    Args:
        model: a compiled DeepXDE model.
        method, gtol, resample_every, precision, memory_limit_gb, batch_size, verbose: see
            `train_quasi_newton`.

    Attributes:
        done: iterations made so far.
        message: why it has ended, a sentence; None while it goes on.
        converged: whether further iterations would be of no use.
    """

    name = "Quasi-Newton"
    failures = (NonFiniteStartError,)

    def __init__(
        self,
        model: Any,
        *,
        method: str = "ssbroyden",
        gtol: float = 0.0,
        resample_every: int = 0,
        precision: str = "float64",
        memory_limit_gb: float | None = None,
        batch_size: Any = None,
        verbose: int = 1,
    ) -> None:
        check_choice("method", method, METHODS)
        check_choice("precision", precision, PRECISIONS)
        check_number("gtol", gtol, 0)
        if memory_limit_gb is not None:
            check_number("memory_limit_gb", memory_limit_gb, 0, open_low=True)
        check_loss(model)
        super().__init__(
            model, resample_every=resample_every, batch_size=batch_size, verbose=verbose
        )
        self.method, self.gtol, self._limit = method, gtol, memory_limit_gb
        self._precision = precision
        self._single = precision == "float64" and float_type() == "float32"
        self._saved: Mapping[str, Any] | None = None
        self._weights: list[float] = []
        self._stepper: Any = None
        self._loss: Any = None

    # ---- the pieces of a run ------------------------------------------------------------------

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        wide = in_float64(self.model) if self._widens else contextlib.nullcontext()
        steps = optimizers.own_steps(self.model, self.name, frozen=True, searches=True, loop=self)
        with wide, steps:
            yield

    @property
    def _widens(self) -> bool:
        return self._precision == "float64"

    def _widened(self, batch: Any) -> Any:
        return converted(batch, "float64") if self._widens else batch

    def _prepare(self) -> None:
        """Set up loss and solver at the model's parameters and points."""
        saved = self.state_dict()
        # The matrix of a former call lies in `saved` alone, and is taken over.
        self._saved, self._stepper, self._weights = saved["stepper"], None, saved["loss_weights"]
        loss = ModelLoss(self.model)
        self._look(loss)
        x, limit = loss.get(), self._limit
        if self._saved is not None:
            if self._saved["inverse_hessian"]["array"] is not None:
                limit = math.inf  # it is there already
            if loss.holds(self._saved["x"], torch.float32 if self._single else None):
                x = self._saved["x"]  # of which float32 networks have the first digits only
        stepper = QuasiNewton(
            loss,
            x,
            method=self.method,
            memory_limit_gb=limit,
            instead=_INSTEAD,
        )
        if self._saved is not None:
            moved = self._weights != loss.weights  # after the last step
            stepper.load_state_dict({**self._saved, "x": x}, rescale=moved)
        self._loss, self._stepper, self._saved = loss, stepper, None
        self._say_size()

    def _look(self, loss: ModelLoss) -> None:
        """Evaluate a model for the first time, in a float type that it may not be made for."""
        try:
            loss.look()
        except RuntimeError as error:
            if self._single and "dtype" in str(error):
                raise ArgumentError(
                    "precision",
                    f"be 'own' for a model with float32 numbers of its own ({error})",
                    "'float64'",
                ) from error
            raise

    def _take_up_points(self) -> None:
        self._stepper.replace()

    def _weights_have_moved(self) -> bool:
        return bool(self._loss.weights_changed())

    def _take_up_weights(self) -> None:
        self._loss.reweigh()
        self._stepper.replace(rescale=True)

    def _iterate_once(self) -> None:
        """Make a step; callbacks that measure a step do so on an evaluation where it starts."""
        stepper = self._stepper
        starts = getattr(self.model.data.losses_train, "start_from", None)
        if starts is not None and not starts(stepper.more.raw):
            stepper.replace()
        step = stepper.step(self.gtol)
        self._put()
        if step.accepted:
            self._accepted()
        if step.status is not Status.RUNNING:
            self._end(sentence(step.status.value))

    def _weighted_losses(self) -> np.ndarray:
        losses: np.ndarray = self._stepper.more.weighted.cpu().numpy()
        return losses

    def _put(self) -> None:
        self._loss.put(self._stepper.x)

    def _say_size(self) -> None:
        size = needs(self._stepper.n) / 2.0**30
        self._say(
            f"{self.name} ({self.method}): {self._stepper.n:,} parameters, their inverse Hessian "
            f"takes {size:.2g} GiB"
            + (f"; it goes on after {self.done} iterations." if self.done else ".")
        )
        self._say_of_points()
        if self._single:
            self._say(
                f"{self.name}: the float32 network computes in float64 until the training ends."
            )
        elif self._stepper.more.weighted.dtype == torch.float32:
            self._say(
                f"{self.name}: the network computes in float32, parameters and curvature are in "
                "float64; precision='float64' goes on to smaller losses."
            )

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what an exact continuation needs, as plain numbers, lists and tensors.

        Its largest tensor is the one in use, not a copy. Points, random numbers and the weights of
        an `AdaptiveWeights` are not in it.
        """
        stepper = self._saved if self._stepper is None else self._stepper.state_dict()
        return {
            "stepper": stepper,
            "done": self.done,
            "converged": self.converged,
            "message": self.message,
            "loss_weights": self._loss.weights if self._stepper is not None else self._weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned; the model gets the parameters in it.

        Args:
            state: of a training of the same method and model; its tensors are taken over.

        Raises:
            ValueError: if it is not; the message names the part.
        """
        loss = ModelLoss(self.model)
        check_training(state, self.method, sum(tensor.numel() for tensor in loss.tensors))
        self._saved, self._stepper = state["stepper"], None
        self._weights = list(state["loss_weights"])
        self.done, self.converged = state["done"], state["converged"]
        self.message = state["message"]
        if self._saved is not None:
            loss.put(self._saved["x"].to(loss.tensors[0].device))
