"""Raw losses of each training step, seen where DeepXDE computes them: no extra pass."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext import distributed
from pinn_ext.dde.terms import as_list, difference


class LossRecorder:
    """Stands in for `data.losses_train` and keeps the raw losses of each training step.

    DeepXDE looks `losses_train` up at every call, so the stand-in survives resampling and
    compiling again. Its calls from DeepXDE's tests are told apart by parameters that require no
    gradient. Where an optimiser evaluates the loss several times in a step, the first counts.

    Args:
        owner: the callback. It is told of the first losses by `on_terms(terms)`, of the finite
            losses of a step by `on_step(values, terms, residuals)` while their graph is alive and
            the parameters are still theirs, and of those of a test by `on_test(values)`. Once it
            is not among the model's callbacks, the recorder takes itself off.
        data: the model's data.
        parameters: of the network.

    Attributes:
        values: raw loss of each term `[k]` in the present step, None before its evaluation.
        bad_term: index of the first term that is not finite in the present step, or None.
        seconds: time spent here beside computing the losses.
    """

    def __init__(self, owner: Any, data: Any, parameters: Sequence[Tensor]) -> None:
        self.owner = owner
        self.data = data
        self._parameters = list(parameters)
        previous = vars(data).get("losses_train")
        if isinstance(previous, LossRecorder):  # left behind by an exception
            previous.remove()
        self._shadowed = vars(data).get("losses_train")
        self._original: Callable[..., Any] = data.losses_train
        data.losses_train = self

        self.values: list[float] | None = None
        self.bad_term: int | None = None
        self.seconds = 0.0
        self._at_work = True
        self._expecting = False
        self._met_terms = False
        self._residuals: list[Tensor] | None = None

    def remove(self) -> None:
        """Put the data's own method back; harmless if that was done before."""
        self._at_work = self._expecting = False  # even where another stand-in still calls this
        if vars(self.data).get("losses_train") is self:
            if self._shadowed is None:
                del self.data.losses_train
            else:
                self.data.losses_train = self._shadowed

    def expect_step(self, with_residuals: bool = False) -> None:
        """Take the next evaluation as the first of a step.

        Args:
            with_residuals: whether its residuals are handed over with the losses.
        """
        self._expecting = True
        self._residuals = [] if with_residuals else None
        self.values = None
        self.bad_term = None

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
        functions = loss_fn
        if self._expecting and self._residuals is not None:
            functions = self._listening(loss_fn, self._residuals)
        losses = self._original(targets, outputs, functions, inputs, model, aux=aux)
        start = time.perf_counter()
        if self._expecting:  # the one path that every step takes
            losses = self._read(losses, loss_fn, model)
        elif self._at_work:
            losses = self._other(losses, model)
        self.seconds += time.perf_counter() - start
        return losses

    @staticmethod
    def _listening(loss_fn: Any, residuals: list[Tensor]) -> Any:
        """Return DeepXDE's loss functions such that they keep the residuals they are given."""

        def listen(function: Callable[..., Any]) -> Callable[..., Any]:
            def listening(target: Any, value: Any) -> Any:
                residuals.append(value - target)
                return function(target, value)

            return listening

        if isinstance(loss_fn, (list, tuple)):
            return [listen(function) for function in loss_fn]
        return listen(loss_fn)

    def _read(self, losses: Any, loss_fn: Any, model: Any) -> Any:
        """Read the losses that a step starts from."""
        terms = losses if isinstance(losses, list) else [losses]
        if terms[0].ndim:  # residual vectors
            if loss_fn is not difference:  # asked for by someone else
                return losses
            self._read([term.detach().square().mean() for term in terms], loss_fn, model)
            return losses
        self._expecting = False
        # One number at a time is the cheapest on the CPU, one transfer on other devices.
        if terms[0].is_cpu:
            values = [term.item() for term in terms]
        else:
            values = torch.stack([term.detach() for term in terms]).tolist()
        self.values = values
        if -math.inf < sum(values) < math.inf:
            self.owner.on_step(values, terms, self._residuals or [])
            return losses
        bad = [i for i, value in enumerate(values) if not math.isfinite(value)]
        if not bad:  # only the sum has overflowed
            self.owner.on_step(values, terms, self._residuals or [])
            return losses
        self.bad_term = bad[0]
        return self._constants(terms, model)

    def _other(self, losses: Any, model: Any) -> Any:
        """Take note of a test, and pass on later evaluations within a step."""
        if model.callbacks is None or self.owner not in model.callbacks.callbacks:
            self.remove()  # left behind by an exception
            return losses
        terms = as_list(losses)
        if terms[0].ndim and self._met_terms:
            return losses
        if not self._met_terms:
            self.owner.on_terms(terms)
            self._met_terms = True
        if not any(parameter.requires_grad for parameter in self._parameters):
            self.owner.on_test([term.item() for term in terms])
        elif self.bad_term is not None:
            return self._constants(terms, model)
        return losses

    def _constants(self, terms: Sequence[Tensor], model: Any) -> list[Tensor]:
        """Return zeros whose backward pass moves no parameter."""
        zeros = [torch.zeros_like(term).requires_grad_() for term in terms]
        # NNCG fails without a second derivative, and processes that train together wait for
        # each other's gradients: give them zeros.
        if model.opt_name == "NNCG" or distributed.is_running():
            flat = sum((parameter * parameter).sum() for parameter in self._parameters)
            zeros[0] = zeros[0] + 0.0 * flat
        return zeros
