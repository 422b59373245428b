"""Raw losses of each training step, seen where DeepXDE computes them: no extra pass."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.loss_terms import as_list, difference
from pinn_ext.dde.weighting.point_weights import Heard, PointWeights, listening
from pinn_ext.dde.weighting.stand_in import StandIn
from pinn_ext.measurements import processes
from solvers.devices import read


class Listeners(NamedTuple):
    """The functions that a recorder calls with the losses it sees.

    Attributes:
        first_losses: called once a training with the terms `[k]`, before DeepXDE weighs them.
        step: called in each step that is measured and whose losses are finite with their values
            `[k]`, the terms, the residuals that were wanted and the outputs of the network, while
            their graph is alive and the parameters are still theirs.
        test: called with the values of a DeepXDE test.
        settle: called on an accelerator in each step, before anything of it is read; it returns
            whether the step before was sound.
        present: whether the callback is still among those of the model.
    """

    first_losses: Callable[[Sequence[Tensor]], None]
    step: Callable[[list[float], Sequence[Tensor], Sequence[Tensor], Any], None]
    test: Callable[[list[float]], None]
    settle: Callable[[], bool]
    present: Callable[[], bool]


Correction = Callable[[Sequence[Any], Sequence[Heard], Any, Any], tuple[list[Any], list[Heard]]]
"""From loss terms, the calls they came from, outputs and inputs of the network: those to train."""


class LossRecorder(StandIn):
    """Stands in for `data.losses_train` and keeps the raw losses of each training step.

    Its calls from DeepXDE's tests are told apart by parameters that require no gradient. Where an
    optimiser evaluates the loss several times in a step, the first counts.

    Args:
        listeners: functions that are called with what it sees. Once their callback is not among
            the model's, the recorder takes itself off.
        data: the model's data.
        parameters: of the network.
        point_weights: of the rows of the terms, if any: training steps get weighted losses, while
            tests and all that is noted here stay raw.

    Attributes:
        values: raw loss of each term `[k]` in the present step, None before its evaluation and
            where they are not read.
        latest: raw loss of each term `[k]` in the last evaluation of a search of ours, which finds
            its own way around values that are not finite.
        correction: what changes the terms that are trained, as `PseudoTime` does, before points are
            weighted; all that is noted here, and residual vectors, stay as they are.
        unread: the same as a tensor, in a step whose losses are not read in it; else None.
        bad_term: index of the first term that is not finite in the present step, or None; in later
            evaluations of the step only NaN counts.
        bad_gradient: whether the gradient of an evaluation before the last of the step was not
            finite, although its losses were.
        is_sound: whether no more than finite losses was wanted of the present step, and it has had
            them in its only evaluation; False says nothing.
        seconds: time spent here beside computing the losses and waiting until they are.
    """

    def __init__(
        self,
        listeners: Listeners,
        data: Any,
        parameters: Sequence[Tensor],
        point_weights: PointWeights | None = None,
    ) -> None:
        self._listeners = listeners
        self.point_weights = point_weights
        self.correction: Correction | None = None
        self._parameters = list(parameters)
        super().__init__(data)
        self.values: list[float] | None = None
        self.latest: list[float] | None = None
        self.unread: Tensor | None = None
        self.bad_term: int | None = None
        self.bad_gradient = self.is_sound = self._was_finite = False
        self.seconds = 0.0
        self._at_work = True
        self._expecting = False
        self._seen_terms = False
        self._wants_residuals = self._reads_late = self._measures = self._is_plain = False

    def remove(self) -> None:
        """Put the data's own method back; harmless if that was done before."""
        self._at_work = self._expecting = False  # even where another stand-in still calls this
        super().remove()

    def expect_step(
        self, with_residuals: bool = False, reads_late: bool = False, measures: bool = False
    ) -> None:
        """Take the next evaluation as the first of a step.

        Args:
            with_residuals: whether its residuals are handed over with the losses.
            reads_late: whether its losses are left unread, so that nothing waits for them.
            measures: whether `step` of the listeners is called: it wants the graph, so that
                `start_from` does not do.
        """
        self._expecting, self._measures = True, measures
        self._is_plain = not (with_residuals or reads_late or measures)
        self.is_sound = False
        self._wants_residuals, self._reads_late = with_residuals, reads_late
        self.values = self.unread = None
        self.bad_term = None
        self.bad_gradient = self._was_finite = False

    def start_from(self, values: list[float] | None) -> bool:
        """Take the raw losses `[k]` that a step starts from, if an earlier evaluation has them.

        Args:
            values: the losses, `latest` after that evaluation.

        Returns:
            Whether they do; if not, the step is to evaluate them where it starts.
        """
        if not self._expecting:
            return True
        if values is None or self._measures:
            return False
        self._expecting, self.values = False, list(values)
        return True

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
        heard: list[Heard] = []
        corrected = self.point_weights is not None or self.correction is not None
        weighs = corrected and self._at_work
        if weighs or (self._expecting and self._wants_residuals):
            functions = listening(loss_fn, heard)
        losses = self._original(targets, outputs, functions, inputs, model, aux=aux)
        start = perf_counter()
        if self._expecting and self._is_plain and not weighs and self._reads_plain(losses):
            self.seconds += perf_counter() - start
            return losses

        def weighed(raw: Any, moves: bool = False, usable: Tensor | None = None) -> Any:
            own, calls = as_list(raw), heard
            if self.correction is not None and not own[0].ndim:
                own, calls = self.correction(own, heard, outputs, inputs)
            if self.point_weights is None:
                return own
            return self.point_weights.weigh(own, heard, inputs, model, moves, usable, calls)

        weigh = weighed if weighs else _as_it_is
        if self._expecting:
            residuals = [h.value - h.target for h in heard] if self._wants_residuals else []
            losses = self._read(losses, loss_fn, model, residuals, outputs, weigh)
        elif self._at_work:
            losses = self._other(losses, loss_fn, model, weigh)
        self.seconds += perf_counter() - start
        return losses

    def _reads_plain(self, losses: Any) -> bool:
        """Read the losses of a step of which nothing else is wanted, and return whether it is one.

        Nearly every step is. After so many operators nothing of this is left in the processor's
        caches, so that what counts is how many functions are called, not what they do.

        Returns:
            False where the losses are not finite, too: then they are read again.
        """
        if not isinstance(losses, list) or losses[0].ndim or not losses[0].is_cpu:
            return False
        values, total = [], 0.0
        for term in losses:  # one at a time is the cheapest here
            values.append(value := term.item())
            total += value
        if total - total != 0.0:  # it is infinite or NaN
            return False
        self.values = self.latest = values
        self._expecting, self._was_finite, self.is_sound = False, True, True
        return True

    def _read(
        self,
        losses: Any,
        loss_fn: Any,
        model: Any,
        residuals: Sequence[Tensor],
        outputs: Any,
        weigh: Callable[..., Any],
    ) -> Any:
        """Read the losses that a step starts from."""
        terms = losses if isinstance(losses, list) else [losses]
        if terms[0].ndim:  # residual vectors
            if loss_fn is not difference:  # asked for by someone else
                return losses
            means = [term.detach().square().mean() for term in terms]
            self._read(means, loss_fn, model, residuals, outputs, _as_it_is)
            return weigh(losses)
        self._expecting = False
        if terms[0].is_cpu:
            values = [term.item() for term in terms]  # one at a time is the cheapest here
        else:
            with self._clock_stopped():
                sound = self._listeners.settle()
                values = read(*terms) if sound and not self._reads_late else []
            if not sound:
                return self._constants(terms, model)  # undone together with the step before
            if self._reads_late:
                self.unread = torch.stack([term.detach() for term in terms])
                return weigh(losses, True, self.unread.sum().isfinite())
        self.values = self.latest = values
        self._was_finite = math.isfinite(sum(values))
        if not self._was_finite:  # none is bad where only the sum has overflowed
            bad = (i for i, value in enumerate(values) if not math.isfinite(value))
            self.bad_term = next(bad, None)
            if self.bad_term is not None:
                return losses if optimizers.own_search(model) else self._constants(terms, model)
        losses = weigh(losses, True)
        if self._measures:
            # Of the raw terms, also where points are weighted: their graph is a part of the other.
            self._listeners.step(values, terms, residuals, outputs)
        return losses

    @contextlib.contextmanager
    def _clock_stopped(self) -> Iterator[None]:
        """Leave out of `seconds` what waits for the device to compute the losses."""
        start = perf_counter()
        yield
        self.seconds -= perf_counter() - start

    def _other(self, losses: Any, loss_fn: Any, model: Any, weigh: Callable[..., Any]) -> Any:
        """Take note of a test, and weigh the points of later evaluations within a step."""
        if not self._listeners.present():
            self.remove()  # left behind by an exception
            return losses
        self.is_sound = False
        terms = as_list(losses)
        if terms[0].ndim and self._seen_terms:
            return weigh(losses) if loss_fn is difference else losses
        if not self._seen_terms:
            self._listeners.first_losses(terms)
            self._seen_terms = True
        if not any(parameter.requires_grad for parameter in self._parameters):
            self._listeners.test(read(*terms))
        elif optimizers.own_search(model):
            self.latest = read(*terms)
            losses = weigh(losses)
        elif not self._is_bad:
            losses = weigh(losses)
            self._look_again(as_list(losses), model)
        return self._constants(terms, model) if self._is_bad else losses

    @property
    def _is_bad(self) -> bool:
        return self.bad_term is not None or self.bad_gradient

    def _look_again(self, terms: Sequence[Tensor], model: Any) -> None:
        """Find out whether a later evaluation of a step is one that no line search comes back from.

        That is a weighted sum that is NaN, or one that was finite and whose gradient, which the
        parameters still hold, was not. An infinite sum is only a trial that went too far.
        """
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        looked_at = [own.sum() for own in gradients] if self._was_finite else []
        stacked = torch.stack(list(terms)).detach()
        weights = model.loss_weights
        weighted = stacked if weights is None else stacked * torch.as_tensor(weights).to(stacked)
        total, *sums = read(weighted.sum(), *looked_at)
        self.bad_gradient = not all(map(math.isfinite, sums))
        self._was_finite = math.isfinite(total)
        if math.isnan(total) and not self.bad_gradient:
            raw = zip(stacked.tolist(), weighted.tolist(), strict=True)
            self.bad_term = next(i for i, own in enumerate(raw) if not all(map(math.isfinite, own)))

    def _constants(self, terms: Sequence[Tensor], model: Any) -> list[Tensor]:
        """Return zeros whose backward pass moves no parameter."""
        zeros = [torch.zeros_like(term).requires_grad_() for term in terms]
        # NNCG fails without a second derivative, and processes that train together wait for
        # each other's gradients: give them zeros.
        if model.opt_name == "NNCG" or processes.is_running():
            flat = sum((parameter * parameter).sum() for parameter in self._parameters)
            zeros[0] = zeros[0] + 0.0 * flat
        return zeros


def _as_it_is(raw: Any, *how: Any) -> Any:
    """Return losses whose points are not weighted."""
    return raw
