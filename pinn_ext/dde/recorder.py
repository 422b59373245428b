"""Raw losses of each training step, seen where DeepXDE computes them: no extra pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pinn_ext.dde.terms import as_list


class LossRecorder:
    """Stands in for `data.losses_train` and keeps the raw losses of each training step.

    DeepXDE looks `losses_train` up at every call, so the stand-in survives resampling and
    compiling again. Its calls from DeepXDE's tests are told apart by parameters that require no
    gradient. Where an optimiser evaluates the loss several times in a step, the first counts.

    Args:
        owner: the callback, told of the first losses by `on_terms(count)` and of those of a test
            by `on_test(values)`; once it is not among the model's callbacks, the recorder takes
            itself off.
        data: the model's data.
    """

    def __init__(self, owner: Any, data: Any) -> None:
        self.owner = owner
        self.data = data
        previous = vars(data).get("losses_train")
        if isinstance(previous, LossRecorder):  # left behind by an exception
            previous.remove()
        self._shadowed = vars(data).get("losses_train")
        self._original: Callable[..., Any] = data.losses_train
        data.losses_train = self

        self.num_terms: int | None = None
        self.values: Tensor | None = None
        self.bad_term: int | None = None
        self._expecting = False

    def remove(self) -> None:
        """Put the data's own method back; harmless if that was done before."""
        if vars(self.data).get("losses_train") is not self:
            return
        if self._shadowed is None:
            del self.data.losses_train
        else:
            self.data.losses_train = self._shadowed

    def expect_step(self) -> None:
        """Take the next training evaluation as the first of a step."""
        self._expecting = True
        self.values = None

    def __call__(
        self,
        targets: Any,
        outputs: Any,
        loss_fn: Any,
        inputs: Any,
        model: Any,
        aux: Any = None,
    ) -> Any:
        """Return the losses as the data computes them, noting their values on the way."""
        losses = self._original(targets, outputs, loss_fn, inputs, model, aux=aux)
        if self.owner not in model.callbacks.callbacks:
            self.remove()
            return losses
        terms = as_list(losses)
        if self.num_terms is None:
            self.num_terms = len(terms)
            self.owner.on_terms(len(terms))
        training = any(p.requires_grad for p in model.net.parameters())
        if not training:
            self.owner.on_test(torch.stack([term.detach() for term in terms]))
        elif self._expecting:
            self._expecting = False
            self.values = torch.stack([term.detach() for term in terms])
            if not math.isfinite(self.values.sum().item()):
                self.bad_term = self._first_bad(self.values)
            if self.bad_term is not None:
                # A constant of its own: backward reaches no parameter, the optimiser moves none.
                return [torch.zeros_like(term).requires_grad_() for term in self.values]
        return losses

    @staticmethod
    def _first_bad(values: Tensor) -> int | None:
        bad = (~torch.isfinite(values)).nonzero()
        return int(bad[0]) if len(bad) else None  # the sum alone may overflow
