"""Stops a training at the step that breaks it, with the parameters of the step before."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext.dde.weighting.step_snapshot import Snapshot

_GRADIENT = "a gradient is not finite although the losses are"


class NonFiniteGuard:
    """Tells whether a step has left finite parameters, and undoes it if not.

    Two snapshots take turns: the one taken after a sound step is the state before the next.
    Parameters are looked at rather than gradients: a gradient that is not finite makes them so,
    and so does an update that overflows. After most steps only a sample is looked at; what that
    should miss shows in the next loss, and the older snapshot is from before it.

    On an accelerator a look would make the host wait: there `copy` takes a step in without one, and
    `check_late` is told a step later what was found.

    Args:
        model: a compiled DeepXDE model.
        parameters: the tensors that training moves, external variables included.

    Attributes:
        step: number of the last step that was taken in, from 1.
        is_ready: whether there is a copy of the present state.
        quiet: whether it stops without a warning, as the caller has another use for the training.
    """

    def __init__(self, model: Any, parameters: Sequence[Tensor]) -> None:
        self.model = model
        self._latest = Snapshot(model, parameters)
        self._older = Snapshot(model, parameters)
        self.step = 0
        self.is_ready = self.quiet = False

    def fits(self, model: Any, parameters: Sequence[Tensor]) -> bool:
        """Return whether this is the model, and these are the tensors, that it watches."""
        return model is self.model and [*map(id, parameters)] == [*map(id, self._latest.parameters)]

    def before_step(self) -> None:
        """Have a copy of the present state."""
        if not self.is_ready:
            self._latest.take()
            self.is_ready = True

    def check(self, step: int, bad_term: str | None, bad_gradient: bool = False) -> str | None:
        """Copy what a step has left, or stop the training at it.

        Args:
            step: its number, from 1.
            bad_term: name of a loss term that was not finite in it, or None.
            bad_gradient: whether a gradient within it was not finite, whatever it has left.

        Returns:
            Why the training is stopped, None if the step was sound.
        """
        if bad_term is not None:
            if not self._older.taken or self._latest.is_finite():
                return self._stop(f"loss term {bad_term} is not finite at step {step}")
            return self._stop(f"{_GRADIENT} at step {step - 1}")
        if bad_gradient:
            return self._stop(f"{_GRADIENT} at step {step}")
        return None if self.accepts(step) else self._stop(f"{_GRADIENT} at step {step}")

    def accepts(self, step: int) -> bool:
        """Take in a step if what it has left looks finite.

        Args:
            step: its number, from 1.

        Returns:
            Whether it does; if not, the copy of the state before the step is still there.
        """
        older = self._older
        older.take()
        if not older.looks_finite():
            older.taken = False
            return False
        self._latest, self._older, self.step = older, self._latest, step
        return True

    @property
    def device(self) -> torch.device | None:
        """Where the copies lie, if they lie in one piece."""
        return self._latest.device

    def copy(self, step: int) -> Tensor:
        """Copy what a step has left without a look at it.

        Args:
            step: its number, from 1.

        Returns:
            Whether the parameters are finite, one bool on their device; False also where only
            their sum has overflowed.
        """
        self._older.take()
        self._latest, self._older, self.step = self._older, self._latest, step
        return self._latest.finite()

    def check_late(self, bad_term: str | None) -> str | None:
        """Look at the last step that was copied, and stop the training if it was not sound.

        Args:
            bad_term: name of a loss term that was not finite in it, or None.

        Returns:
            Why the training is stopped, None if the step was sound after all.
        """
        if bad_term is not None:
            reason = f"loss term {bad_term} is not finite at step {self.step}"
        elif self._latest.is_finite():
            return None
        else:
            reason = f"{_GRADIENT} at step {self.step}"
        return self._stop(reason, self._older)

    def undo(self, reason: str) -> None:
        """Stop the training at a step that was sound here but not on another process.

        Args:
            reason: why, for the warning.
        """
        self._stop(reason, self._older)

    def check_at_end(self) -> str | None:
        """Look at all parameters after the last step; return why it is undone, or None."""
        if not self._latest.taken or self._latest.is_finite():
            return None
        return self._stop(f"{_GRADIENT} at step {self.step}")

    def forget(self) -> None:
        """Copy the state again before the next step, as something else has changed it."""
        self._latest.taken = self._older.taken = self.is_ready = False
        self.look_around()

    def look_around(self) -> None:
        """Search for the tensors again if someone has replaced them."""
        self._latest.look_around()
        self._older.look_around()

    def _stop(self, reason: str, back_to: Snapshot | None = None) -> str:
        """Go back to the last finite state or the one given, end the training and say why."""
        if back_to is None:
            newest_is_bad = self._older.taken and not self._latest.is_finite()
            back_to = self._older if newest_is_bad else self._latest
        back_to.restore()
        self.model.stop_training = True
        if self.quiet:
            return reason
        warnings.warn(
            f"{reason}: training stopped, parameters are those before that step.",
            RuntimeWarning,
            stacklevel=4,
        )
        return reason
