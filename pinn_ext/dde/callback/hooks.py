"""What DeepXDE calls in a training with adaptive weights, and what follows from it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import deepxde as dde
from torch import Tensor

from pinn_ext.adaptive_weights import AdaptiveLossWeights, WeightSettings
from pinn_ext.dde.auto.pilots import Pilots
from pinn_ext.dde.messages import LEFT_BEHIND, closing_table, event_text, start_text
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.best import BestModel
from pinn_ext.dde.model.loss_terms import trained_tensors
from pinn_ext.dde.model.notes import note
from pinn_ext.dde.model.refusals import check_model, check_optimizer
from pinn_ext.dde.weighting.kernel_meter import KernelMeter
from pinn_ext.dde.weighting.loss_recorder import Listeners, LossRecorder
from pinn_ext.dde.weighting.model_weights import ModelWeights
from pinn_ext.dde.weighting.point_weights import PointWeights
from pinn_ext.dde.weighting.training_state import TrainingState
from pinn_ext.measurements import gradient_verdict, processes
from pinn_ext.networks.normalization import warn_of_graph
from pinn_ext.strategies import PointStrategy


class WeightingHooks(dde.callbacks.Callback):
    """The steps of a training: record its losses, update the weights, undo what breaks it.

    `pinn_ext.AdaptiveWeights` is made of it; whoever derives from it sets the attributes below and
    then calls `init`.

    Attributes:
        settings: of the weights.
        period: iterations between two updates.
        rescale_moments: whether the optimiser's moments follow a jump of the weighted sum.
        verbose: 0, 1 or 2.
        second_phase: `"freeze"` or `"blocks"`.
    """

    settings: WeightSettings
    period: int
    rescale_moments: bool
    verbose: int
    second_phase: str
    _meter: KernelMeter
    _names: list[str] | None
    _scales: Sequence[float] | None
    _of_terms: WeightSettings
    _own_seconds: float

    def init(self) -> None:
        """Start afresh; DeepXDE calls this when the callback gets a new model."""
        method = self.settings.method
        self._points = PointWeights(method) if isinstance(method, PointStrategy) else None
        self._pilots: Pilots | None = None
        if self.settings.strategy == "auto":
            self._pilots = Pilots(self.settings, self._names, self._scales, self.period, self._say)
            weights = self._pilots.weights()
        else:
            weights = ModelWeights(self._of_terms, self._names, self._scales, self._say)
        self._state = TrainingState(weights, self._meter, self.period, self.rescale_moments)
        if self._pilots:
            self._pilots.state = self._state
        self.history: list[dict[str, Any]] = []
        self.gradient_history: list[dict[str, Any]] = []
        self.best = BestModel()
        self.stopped: str | None = None
        self._first: list[float] | None = None
        self._last: list[float] | None = None
        self._said_frozen = self._looked_ahead = self._pending = False
        self._recorder: LossRecorder | None = None

    @property
    def manager(self) -> AdaptiveLossWeights | None:
        """The `AdaptiveLossWeights` at work, None before the first losses."""
        return self._state.weights.manager

    @property
    def strategy(self) -> str:
        """Name of the strategy, of the one that was chosen in place of `auto`."""
        return self._pilots.name if self._pilots else self.settings.strategy

    # ---- what DeepXDE calls -------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        """Take up a model: called at the start of every `train()`, before its first test."""
        super().set_model(model)
        self._recorder = None
        callbacks = model.callbacks.callbacks if model.callbacks else []
        twins = [callback for callback in callbacks if isinstance(callback, WeightingHooks)]
        if twins and twins[0] is not self:
            warnings.warn(
                "Only the first AdaptiveWeights of a training is at work; a second one is idle.",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        check_model(model)
        if optimizers.compiled_at_work(model):
            check_optimizer(model)
        self.stopped, self._pending = None, False
        self.best = self.best.or_new(trained_tensors(model))
        if self._points is None:
            note(model, point_weights=None)  # those of an earlier training are not of this one
        else:
            self._points.start_on(model)
        switched = self._state.start_on(model, self.second_phase)
        if self._pilots:
            if switched:
                self._pilots.choose_current("the model was compiled anew")
            if self._pilots_run:
                self._pilots.hold_out(model)
        seen = self._on_first_losses, self._on_step, self._on_test
        listeners = Listeners(*seen, self._state.watch.settle, self._is_present)
        parameters = list(model.net.parameters())
        self._recorder = LossRecorder(listeners, model.data, parameters, self._points)

    @property
    def _pilots_run(self) -> bool:
        return self._pilots is not None and self._state.may_swap

    def on_train_begin(self) -> None:
        """Say once what stays frozen."""
        if self._recorder and self._state.frozen and not self._said_frozen:
            self._said_frozen = True
            name, weights = optimizers.name_of(self.model), self._state.weights.text()
            self._say(f"weights are frozen for {name}: {weights}")

    def on_epoch_begin(self) -> None:
        """Let the next candidate in, if strategies are on trial."""
        if self._recorder and not self._looked_ahead:
            self._look_ahead()
        if self._recorder and self._pilots and self._pilots_run:
            try:
                self._pilots.before_step()
            except ValueError:
                self._release()
                raise

    def _look_ahead(self) -> None:
        """Warn of what cannot come about, once the length of the training is known."""
        self._looked_ahead = True
        total = self._state.total_steps
        why = None if total is None else self.settings.unreachable(total // self.period)
        if why is not None:
            warnings.warn(
                f"In a training of {total} iterations {why}.", RuntimeWarning, stacklevel=2
            )

    def on_batch_begin(self) -> None:
        """Get ready for a step."""
        if self._recorder:
            start = perf_counter()
            state = self._state
            state.before_step()
            late = state.watch.on_accelerator and state.watch.looks_late(self._reads_at_once)
            self._recorder.expect_step(self._meter.wants_residuals, late, state.ends_period)
            self._pending = True
            self._own_seconds += perf_counter() - start

    def on_batch_end(self) -> None:
        """Take in the step's raw losses; at the end of a period, update the weights."""
        if self._pending and self._recorder:
            self._pending = False
            state, seen = self._state, self._recorder
            if (watch := state.watch).on_accelerator:
                watch.wait_unless_late(self._reads_at_once)
            start = perf_counter()
            sound = seen.is_sound and watch.accepts_step()
            if (losses := seen.values if sound else self._losses_of_step(seen)) is not None:
                state.period.add(losses)
                if state.ends_period:
                    self._end_period()
            self._own_seconds += perf_counter() - start

    @property
    def _reads_at_once(self) -> bool:
        points = None if self._points is None else self._points.strategy
        on_host = points is not None and not points.state_on_device
        return on_host or self._state.ends_period

    def _losses_of_step(self, seen: LossRecorder) -> list[float] | None:
        """Return the losses of the step that counts, None where the training has to stop."""
        watch, names = self._state.watch, self._state.weights.names
        if watch.on_accelerator:
            why, losses_before = watch.late_fault(names)
            if why is not None:
                if (others := self._others_after(why)) is None:
                    watch.step_back(self.model.train_state)
                else:
                    losses_before[:] = others  # the period is to stay whole
                return others
        if seen.unread is not None:
            return watch.send(seen.unread)
        if seen.values is None:
            return None
        why = watch.fault(names, seen.bad_term, seen.bad_gradient)
        return seen.values if why is None else self._others_after(why)

    def _others_after(self, why: str) -> list[float] | None:
        """Return the losses that count instead of a bad step's, None where the training stops."""
        others = self._pilots.drop_candidate(why) if self._pilots else None
        if others is None:
            self.stopped = why
            self._roll_back(why)
        else:
            # The network is back where the pilots began, and these are its losses.
            self.model.stop_training = False
        return others

    def on_train_end(self) -> None:
        """Put the data's own loss back and print the closing table."""
        if not self._recorder:
            return
        self.on_batch_end()  # DeepXDE leaves it out after L-BFGS's last block
        if self.stopped is None:
            self.stopped = self._state.watch.fault_at_end(self._state.weights.names)
            if self.stopped is not None:
                self._roll_back(self.stopped)
        if self._pilots:
            self._pilots.end()
        self._state.note_training(ended=True)
        self._release()
        if self._first and self._last:
            title = f"\nAdaptiveWeights ({self.strategy}) at step {self.model.train_state.step}:"
            weights = self._state.weights
            columns = (weights.names, self._first, self._last, weights.first, weights.values())
            said = gradient_verdict.sentence(self.gradient_history)
            self._say(closing_table(title, zip(*columns, strict=True), said), prefix="")

    def _release(self) -> None:
        """Take everything off the model that was put on it for a `train()`."""
        if self._recorder:
            self._own_seconds += self._recorder.seconds
            self._recorder.remove()
            self._recorder = None
        self._state.stop_reading_length()

    def on_predict_begin(self) -> None:
        """Leave predictions alone, should a user pass the callback to `predict`."""
        self._release()

    # ---- what the recorder calls --------------------------------------------------------------

    def _is_present(self) -> bool:
        callbacks = self.model.callbacks
        return callbacks is not None and self in callbacks.callbacks

    def _on_first_losses(self, terms: Sequence[Tensor]) -> None:
        """Set the weights in force, before DeepXDE multiplies its first losses by them."""
        try:
            self._set_weights(terms)
        except ValueError:
            self._release()
            self.model.net.requires_grad_()  # which DeepXDE's test was going to do at its end
            raise

    def _set_weights(self, terms: Sequence[Tensor]) -> None:
        processes.check_devices(terms[0].device)
        processes.check_same(
            period=self.period, gradients_of=self._meter.where, diagnostics=self._meter.diagnose
        )
        warn_of_graph(terms, self.model.net)
        weights = self._state.weights
        if weights.start_on(self.model, terms):
            self._state.period.clear()
            names = weights.names
            if self._first is not None and len(self._first) != len(names):
                self.best, self._first = BestModel(), None
            self._say(start_text(self.strategy, names, self.period, self.settings.method))
            if weights.taken_up:
                self._say(f"weights of the last training are taken up: {weights.text()}")
            if weights.left_behind:
                self._say(LEFT_BEHIND)
        self._state.note_training()

    def _on_step(
        self,
        values: list[float],
        terms: Sequence[Tensor],
        residuals: Sequence[Tensor],
        outputs: Any,
    ) -> None:
        """At the end of a period, measure gradients and see whether the parameters are the best."""
        state = self._state
        self.best.record_if_best(state.step, values, state.tensors)
        state.measure(terms, residuals, outputs)

    def _on_test(self, values: list[float]) -> None:
        """Note the raw losses of a DeepXDE test on the training points."""
        state = self._state
        self._last = values
        if self._first is None:
            self._first = values
        if state.frozen or state.in_blocks:  # the last block must not be lost
            self.best.record_if_best(self.model.train_state.step, values, state.tensors)

    # ---- the steps in between -----------------------------------------------------------------

    def _end_period(self) -> None:
        state, losses = self._state, self._state.period.close()
        if state.in_blocks and self._last:  # what a block starts from is long gone by at its end
            losses = list(self._last)
        state.watch.look_around()
        step, in_force = self.model.train_state.step, state.weights.values()
        if state.frozen:
            state.weights.confirm()
        else:
            state.update(losses, self._pilots.progress() if self._pilots else state.progress())
        row = {"step": step, "losses": losses, "weights": state.weights.values()}
        row |= {"penalty": self.manager.penalty if self.manager else 0.0, **self._meter.scores}
        if self._points is not None:
            names = state.weights.names
            row["point_weights"] = self._points.statistics(names)
            if self.verbose > 1:
                self._say(f"step {step}: point weights {self._points.text(names)}")
        if self._pilots:
            row |= {"candidate": self._pilots.race.present, "weights_before": in_force}
            self._pilots.after_period(losses)
        self.history.append(row)
        if self._meter.diagnosis is not None:
            at = state.step if state.in_blocks else step  # where a block starts
            self.gradient_history.append({"step": at, **self._meter.diagnosis})
        self._meter.clear()
        self._say_events()
        if self.verbose > 1:
            self._say(f"step {step}: {state.weights.text()}")
        if state.in_blocks and state.lbfgs_is_over():
            self.model.stop_training = True
            self._say("L-BFGS has converged (its gradient is below gtol)")

    def _roll_back(self, why: str) -> None:
        self._state.roll_back(why)
        self._say_events()

    def _say_events(self) -> None:
        for event in self._state.take_events():
            if event["what"] in ("rolled_back", "frozen", "note"):  # `unusable` is a warning
                self._say(event_text(event))

    def _say(self, text: str, prefix: str = "AdaptiveWeights: ") -> None:
        if self.verbose > 0:
            print(prefix + text, flush=True)
