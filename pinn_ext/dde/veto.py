"""Keeps a first-order optimiser from taking a step that would break the parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext.dde.guard import GRADIENT, Guard, stop
from pinn_ext.dde.snapshot import Snapshot


class Veto:
    """Looks at the gradients between the backward pass and the step, and takes bad ones away.

    The optimisers of `torch.optim` leave parameters without a gradient, and their state, as they
    are. So nothing has to be copied in each step, which is what `Guard` does for all other
    optimisers. After each backward pass a sample is looked at: the earliest layer, which a number
    that is not finite reaches from all later ones, and external variables. What that should miss
    shows in the next loss; then a snapshot comes in that is taken once a period.

    Args:
        model: a compiled DeepXDE model.
        parameters: the tensors that training moves, external variables included.
    """

    def __init__(self, model: Any, parameters: Sequence[Tensor]) -> None:
        self.model = model
        self._parameters = list(parameters)
        own = list(model.net.parameters())
        earliest = min(own[:2], key=Tensor.numel)  # the bias of the first layer, as a rule
        self._sample = [earliest, *self._parameters[len(own) :]]
        self._snapshot, self._spare = (Snapshot(model, parameters) for _ in range(2))
        self._snapshot_step = self._step = 0
        self._schedule: tuple[dict[str, Any], list[Any]] | None = None
        self._refuse = self._vetoed = False

    def before_step(self) -> None:
        """Get ready for a step."""
        if not self._snapshot.taken:
            self._snapshot.take()
            self._snapshot_step = self.model.train_state.step
        scheduler = self.model.lr_scheduler
        if scheduler is not None:
            rates = [group["lr"] for group in self.model.opt.param_groups]
            self._schedule = dict(vars(scheduler)), rates
        self._vetoed = False

    def before_backward(self, terms: Sequence[Tensor], bad: bool) -> None:
        """Ask for a look at the gradients once the backward pass from `terms` is over.

        Args:
            terms: the losses that the pass starts from.
            bad: whether they stand in for losses that are not finite: nothing may move then.
        """
        self._refuse = bad
        for term in terms:
            if term.requires_grad:
                term.register_hook(self._queue)
                return

    def _queue(self, grad: Tensor) -> None:
        # What distributed data parallel does: called at the end of the whole backward pass.
        torch.autograd.Variable._execution_engine.queue_callback(self._look)

    def _look(self) -> None:
        if self._refuse or not self._gradients_look_finite():
            self._vetoed = True
            for parameter in self._parameters:
                parameter.grad = None

    def _gradients_look_finite(self) -> bool:
        total = 0.0
        for parameter in self._sample:
            if parameter.grad is not None:
                total += parameter.grad.sum().item()
        if math.isfinite(total) and self._sample[0].grad is not None:
            return True
        # A sum may overflow, and a frozen layer says nothing.
        return all(p.grad is None or bool(p.grad.isfinite().all()) for p in self._parameters)

    def check(self, step: int, bad_term: str | None) -> str | None:
        """Stop the training if the step was vetoed.

        Args:
            step: its number, from 1.
            bad_term: name of a loss term that was not finite in it, or None.

        Returns:
            Why the training is stopped, None if the step was sound.
        """
        self._step = step
        if not self._vetoed and bad_term is None:
            return None
        if self._schedule is not None:
            values, rates = self._schedule
            vars(self.model.lr_scheduler).update(values)
            for group, rate in zip(self.model.opt.param_groups, rates, strict=True):
                group["lr"] = rate
        if bad_term is None:
            return stop(self.model, f"{GRADIENT} at step {step}")
        return self._missed() or stop(
            self.model, f"loss term {bad_term} is not finite at step {step}"
        )

    def check_at_end(self) -> str | None:
        """Look at all parameters after the last step; return why some are undone, or None."""
        return self._missed() if self._snapshot.taken else None

    def _missed(self) -> str | None:
        """Go back to the last snapshot if parameters are not finite all the same."""
        if all(bool(parameter.isfinite().all()) for parameter in self._parameters):
            return None
        self._snapshot.restore()
        kept = f"those of step {self._snapshot_step}"
        return stop(self.model, f"{GRADIENT} at or before step {self._step}", kept)

    def forget(self) -> None:
        """Copy the state anew before the next step, as something else has changed it."""
        self._snapshot.taken = False
        self._snapshot.look_around()

    def end_period(self) -> str | None:
        """Renew the snapshot; return why the training is stopped, or None."""
        if reason := self._missed():
            return reason
        self._spare.look_around()
        self._spare.take()
        self._snapshot, self._spare = self._spare, self._snapshot
        self._snapshot_step = self._step
        return None


def make_guard(model: Any, parameters: Sequence[Tensor]) -> Guard | Veto:
    """Return what keeps a model's parameters finite.

    Args:
        model: a compiled DeepXDE model.
        parameters: the tensors that training moves, external variables included.

    Returns:
        A `Veto` for torch's own first-order optimisers, a `Guard` for every other.
    """
    own = type(model.opt).__module__.startswith("torch.optim.")
    if own and not isinstance(model.opt, torch.optim.LBFGS):
        return Veto(model, parameters)
    return Guard(model, parameters)
