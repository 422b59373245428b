"""A loop of our own in the place of `model.train`: what is called, tested, resampled, said."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import deepxde as dde
import numpy as np

from pinn_ext.checks import check_number
from pinn_ext.dde.model.notes import take_broken_off, tell_end
from pinn_ext.dde.model.row_points import FIXED_POINTS, draw_points
from pinn_ext.files import RunError
from pinn_ext.point_weights.keys import same_inputs


class OwnLoop(ABC):
    """Iterations that we make ourselves, which can be stopped and taken up again.

    Callbacks, loss history, training state and tests are those of `model.train`; whoever derives
    from it makes the steps.

    Args:
        model: a compiled DeepXDE model.
        resample_every: iterations between two draws of new points in the domain, 0 for never.
        batch_size: as in `model.train`.
        verbose: 0 prints nothing.

    Attributes:
        name: of what makes the steps, as users read it.
        failures: errors of a step that end the training in their words.
        done: iterations made so far.
        message: why it has ended, a sentence; None while it goes on.
        converged: whether further iterations would be of no use.

    Raises:
        ValueError: if `resample_every` is no whole number, or the data cannot draw new points.
    """

    name: ClassVar[str]
    failures: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(
        self, model: Any, *, resample_every: int, batch_size: Any = None, verbose: int = 1
    ) -> None:
        check_number("resample_every", resample_every, 0, integer=True)
        if resample_every and not hasattr(model.data, "resample_train_points"):
            raise ValueError(
                "`resample_every` must be 0 for data that cannot draw new points "
                f"({type(model.data).__name__}), got {resample_every}."
            )
        self.model, self.resample_every = model, resample_every
        self._batch_size, self._verbose = batch_size, verbose
        self.done = 0
        self.message: str | None = None
        self.converged = False

    # ---- what makes the steps -----------------------------------------------------------------

    @abstractmethod
    def _at_work(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context that lets callbacks know of the loop."""

    @abstractmethod
    def _prepare(self) -> None:
        """Set up the solver at the model's parameters and points, or refuse the model."""

    @abstractmethod
    def _take_up_points(self) -> None:
        """Go on with the points that `train_state` holds."""

    @abstractmethod
    def _weights_have_moved(self) -> bool:
        """Return whether the model's loss weights are others than those of the solver."""

    @abstractmethod
    def _take_up_weights(self) -> None:
        """Go on with the loss weights of the model."""

    @abstractmethod
    def _iterate_once(self) -> None:
        """Make an iteration, or find that there is none to be made: see `_accepted`, `_end`."""

    @abstractmethod
    def _weighted_losses(self) -> np.ndarray:
        """Return DeepXDE's weighted losses at the present point."""

    @abstractmethod
    def _put(self) -> None:
        """Give the model the parameters of the last accepted step."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what an exact continuation needs beside the model's parameters and points."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned; the model must hold its parameters."""

    def _testing(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which DeepXDE tests."""
        return contextlib.nullcontext()

    def _widened(self, batch: Any) -> Any:
        """Return a batch in the float type that is computed in."""
        return batch

    def _objective_has_changed(self) -> None:
        """Take note that points or weights have changed between two steps."""
        return None

    def _accepted(self) -> None:
        """Count an accepted step."""
        self.done += 1
        self.model.train_state.iteration += 1
        self.model.train_state.step += 1

    def _end(self, why: str) -> None:
        """End the training, as further iterations would be of no use."""
        self.converged, self.message = True, why

    # ---- a run --------------------------------------------------------------------------------

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
            iterations: their number, those of earlier calls included, also those before a march
                was broken off in this training.
            display_every: iterations between two tests.
            disregard_previous_best: as in `model.train`.
            callbacks: DeepXDE's and ours.

        Raises:
            ValueError: if an argument is out of range, or the model cannot be trained in this way.
            MemoryError: if there is no room, or memory runs out all the same; the model then has
                the parameters of the last accepted step.
            RunError: if the state that a training was broken off with does not fit.
        """
        check_number("iterations", iterations, 0, integer=True)
        check_number("display_every", display_every, 1, integer=True)
        self._go_on_if_broken_off()
        if not self.converged:
            self.message = None
        with self._at_work():
            self._begin(callbacks, disregard_previous_best)
            try:
                self._iterate(iterations, display_every)
            except KeyboardInterrupt:
                self.message = "interrupted; the last accepted step is kept"
            finally:
                self._put()
            self.model.callbacks.on_train_end()
        self._say_end()

    def _go_on_if_broken_off(self) -> None:
        """Take up the state of a training like this one that a resumed march has left."""
        saved = take_broken_off(self.model, self.name) if self.done == 0 else None
        if saved is None:
            return
        try:
            self.load_state_dict(saved.state)
        except ValueError as error:
            text = f"{saved.source} does not fit the {self.name} training of it: {error}"
            raise RunError(text) from error

    def _begin(self, callbacks: Sequence[Any] | None, disregard_previous_best: bool) -> None:
        """Do what `model.train` does before its first step."""
        model, state = self.model, self.model.train_state
        model.batch_size, model.stop_training = self._batch_size, False
        model.callbacks = dde.callbacks.CallbackList()
        state.set_data_train(*self._widened(model.data.train_next_batch(self._batch_size)))
        state.set_data_test(*self._widened(model.data.test()))
        self._prepare()  # refuses a model before callbacks and history have seen anything
        model.callbacks = dde.callbacks.CallbackList(callbacks=callbacks)
        model.callbacks.set_model(model)
        if disregard_previous_best:
            state.disregard_best()
        self._say(f"Training model by {self.name}...\n")
        self._test()
        if getattr(model.data.losses_train, "point_weights", None) is not None:
            self._take_up_points()  # only now are they in force
        model.callbacks.on_train_begin()

    def _iterate(self, iterations: int, display_every: int) -> None:
        model, state = self.model, self.model.train_state
        while self.done < iterations and not self.converged:
            model.callbacks.on_epoch_begin()
            model.callbacks.on_batch_begin()
            try:
                self._follow_data()
                self._iterate_once()
            except self.failures as error:
                self._end(sentence(str(error)))
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

    def _test(self) -> None:
        """Test as `model.train` does, and keep frozen parameters frozen, which DeepXDE does not."""
        network = list(self.model.net.parameters())
        flags = [parameter.requires_grad for parameter in network]
        try:
            with self._testing():
                self.model._test(verbose=self._verbose)
        finally:
            for parameter, flag in zip(network, flags, strict=True):
                parameter.requires_grad_(flag)

    def _follow_data(self) -> None:
        """Take up new points and weights, if there are any."""
        model, state = self.model, self.model.train_state
        if self.resample_every and self.done and self.done % self.resample_every == 0:
            draw_points(self.model.data)
        batch = model.data.train_next_batch(self._batch_size)
        old = (state.X_train, state.y_train, state.train_aux_vars)
        if not all(same_inputs(a, b) for a, b in zip(old, (*batch, None, None), strict=False)):
            state.set_data_train(*self._widened(batch))
            self._take_up_points()
        elif self._weights_have_moved():
            self._take_up_weights()
        else:
            return
        self._objective_has_changed()

    # ---- what is said -------------------------------------------------------------------------

    def _say_of_points(self) -> None:
        """Say by what points are drawn where DeepXDE's own are the same at each draw."""
        kind = getattr(self.model.data, "train_distribution", None)
        if self.resample_every and kind in FIXED_POINTS:
            self._say(
                f"{self.name}: {kind} points are the same at each draw, so new ones are drawn by "
                "train_distribution='pseudo'."
            )

    def _say_end(self) -> None:
        tell_end(self.model, self.message)
        if self._verbose > 0:
            print("")
            dde.display.training_display.summary(self.model.train_state)
            plural = "s" * (self.done != 1)
            print(f"{self.name} ended after {self.done} iteration{plural}: {self.message}.")

    def _say(self, text: str) -> None:
        if self._verbose > 0:
            print(text, flush=True)


def sentence(text: str) -> str:
    """Return a sentence as the end of another: without its capital and its full stop."""
    text = text.rstrip(".")
    return text[0].lower() + text[1:]
