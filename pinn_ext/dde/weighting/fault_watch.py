"""Finds the step that breaks a training, in that step or in the next, and undoes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pinn_ext.dde.model import optimizers
from pinn_ext.dde.weighting.late_look import LateLook
from pinn_ext.dde.weighting.nonfinite_guard import NonFiniteGuard
from pinn_ext.measurements import processes
from solvers import devices


class FaultWatch:
    """Holds a training to its last finite step, on all processes that train together.

    On the CPU each step is looked at once it is made. On an accelerator the host would have to
    wait for that, so a step is looked at while the next one is under way; but at once at the end
    of a period, where its numbers are needed, and under optimisers that evaluate the losses more
    than once in a step.

    Attributes:
        on_accelerator: whether the parameters lie on one, in one piece; known once it has started.
    """

    def __init__(self) -> None:
        self._late = LateLook()
        self._guard: NonFiniteGuard | None = None
        self._together = self._searches = self.on_accelerator = False
        self._before = 0

    def start_on(self, model: Any, tensors: Sequence[Tensor], together: bool) -> bool:
        """Take up a model at the start of a training.

        Args:
            model: a compiled DeepXDE model.
            tensors: that training moves, external variables included.
            together: whether processes, if there are several, stop together; their line searches
                may differ.

        Returns:
            Whether what an earlier training has left unread, because of an exception, was sound.
        """
        self._together = together and processes.is_running()
        self._searches = optimizers.searches(model)
        if self._guard is None or not self._guard.fits(model, tensors):
            self._guard = NonFiniteGuard(model, tensors)
        device = self._guard.device
        self.on_accelerator = device is not None and device.type != "cpu"
        self._guard.forget()
        sound = self.settle()
        self._late.take_finding()
        return sound

    def keep_quiet(self, quiet: bool) -> None:
        """Stop without a warning, or with one, as the caller has another use for the training."""
        if self._guard is not None:
            self._guard.quiet = quiet

    def forget(self) -> None:
        """Copy the state again before the next step, as something else has changed it."""
        if self._guard is not None:
            self._guard.forget()

    def look_around(self) -> None:
        """Search for the tensors again if someone has replaced them."""
        if self._guard is not None:
            self._guard.look_around()

    # ---- in a step ----------------------------------------------------------------------------

    def before_step(self, made: int) -> None:
        """Have a copy of the present state.

        Args:
            made: how many steps were made before.
        """
        self._before, guard = made, self._guard
        if guard is not None and not guard.is_ready:
            guard.before_step()

    def looks_late(self, at_once: bool) -> bool:
        """Return whether the present step is looked at in the next.

        Args:
            at_once: whether its numbers are needed in it.
        """
        return self.on_accelerator and not (self._searches or at_once)

    def wait_unless_late(self, at_once: bool) -> None:
        """Wait for an accelerator whose numbers are about to be read: no cost of reading them.

        Args:
            at_once: as for `looks_late`.
        """
        if self.on_accelerator and not self.looks_late(at_once):
            devices.synchronize(self._guard.device)  # type: ignore[union-attr, arg-type]

    def settle(self) -> bool:
        """Read what is under way of the last step, if anything is; return whether it was sound."""
        return self._late.settle()

    def send(self, losses: Tensor) -> list[float]:
        """Take in a step without a look at it.

        Args:
            losses: its raw losses `[k]`.

        Returns:
            The same, a list that is filled by the time the next step is under way.
        """
        assert self._guard is not None  # `looks_late` has said so
        return self._late.send(losses, self._guard.copy(self._before + 1))

    def late_fault(self, names: Sequence[str]) -> tuple[str | None, list[float]]:
        """Return why the training stops at the step that was sent off last, None if it was sound.

        Args:
            names: of the loss terms.

        Returns:
            The reason; the list of the step's losses that `send` has returned.
        """
        finding, guard = self._late.take_finding(), self._guard
        if finding is None or guard is None:
            return None, []
        name = None if finding.bad_term is None else names[finding.bad_term]
        own = guard.check_late(name) if finding.is_bad else None
        return self._agreed(own, guard), finding.losses

    def accepts_step(self) -> bool:
        """Take in a step with finite losses that is looked at once it is made, if it is sound.

        Returns:
            Whether it was taken in; if not, `fault` or `send` is to see it.
        """
        if self._together or self.on_accelerator or self._guard is None:
            return False
        return self._guard.accepts(self._before + 1)

    def fault(self, names: Sequence[str], bad_term: int | None, bad_gradient: bool) -> str | None:
        """Return why the training stops at the step that was just made, None if it was sound.

        Args:
            names: of the loss terms.
            bad_term: index of one that was not finite in it, or None.
            bad_gradient: whether a gradient within it was not finite.
        """
        guard = self._guard
        if guard is None:
            return None
        name = None if bad_term is None else names[bad_term]
        return self._agreed(guard.check(self._before + 1, name, bad_gradient), guard)

    def fault_at_end(self, names: Sequence[str]) -> str | None:
        """Return why the last step is undone after a look at all parameters, None if it is not.

        Args:
            names: of the loss terms.
        """
        guard = self._guard
        if guard is None:
            return None
        self.settle()
        return self.late_fault(names)[0] or self._agreed(guard.check_at_end(), guard)

    def step_back(self, train_state: Any) -> None:
        """Let DeepXDE forget the step that was made before the fault of an earlier one was seen.

        Args:
            train_state: of the model.
        """
        surplus = 0 if self._guard is None else train_state.step - self._guard.step
        train_state.step -= surplus
        train_state.iteration -= surplus

    def _agreed(self, own: str | None, guard: NonFiniteGuard) -> str | None:
        """Return why the training stops, here or on another process: they stop together."""
        if not self._together:
            return own
        fault = processes.first_fault(own)
        if own is None and fault is not None:
            guard.undo(fault)
        return fault if own is None else own
