"""The callback that makes any DeepXDE training adaptive."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import deepxde as dde
from torch import Tensor

from pinn_ext import strategies
from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.adaptive_weights.period import Period
from pinn_ext.checks import check_choice, check_names, check_number
from pinn_ext.dde.auto.pilots import Pilots
from pinn_ext.dde.messages import closing_table, event_text
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.best import BestModel
from pinn_ext.dde.model.loss_terms import check_model, trained_tensors
from pinn_ext.dde.model.training_length import Budget
from pinn_ext.dde.weighting.kernel_meter import Meter
from pinn_ext.dde.weighting.loss_recorder import LossRecorder
from pinn_ext.dde.weighting.model_weights import ModelWeights, rescale_moments
from pinn_ext.dde.weighting.nonfinite_guard import Guard
from pinn_ext.dde.weighting.point_weights import PointWeights, check_saved
from pinn_ext.measurements import processes
from pinn_ext.reports import event_files


class AdaptiveWeights(dde.callbacks.Callback):
    """Moves `model.loss_weights` while DeepXDE trains.

    `model.train(iterations=10000, callbacks=[pinn_ext.AdaptiveWeights("ema")])` is all a script
    needs. The weights start from `model.loss_weights`, or ones. Under L-BFGS, NNCG and
    Gauss-Newton, whose curvature belongs to one objective, they stay as they are; weights that
    `compile` dropped are put back. A loss or a gradient that is not finite stops the training at
    that very step with the parameters of the step before.

    Args:
        strategy: one of `pinn_ext.strategies.names()`; `"auto"` lets candidates train in turns and
            goes on with the best, see `pinn_ext.strategies.auto`.
        names: of the loss terms in DeepXDE's order; None derives them (`pde_1`, `ic_1`, …).
        period: iterations between two updates; the strategy sees the means of the raw training
            losses over them as one epoch.
        normalization: scale of the weights, `"total"`, `"initial"` or `"none"`, see
            `AdaptiveLossWeights`.
        max_ratio: largest ratio of two targets, None for no cap.
        rescale_moments: scale the optimiser's moments when the weighted total jumps by more than
            a factor of 2, so that the learning rate keeps its meaning.
        verbose: 0 is silent, 1 prints the terms and a closing table, 2 every update too.
        options: values for options of the strategy, see `pinn_ext.strategies.option_names`.
        ema_alpha: part of the old loss average kept at an update, in [0, 1).
        weight_beta: part of the old weight kept at an update, in [0, 1), None for the strategy's
            own.
        update_frequency: after the first, only every n-th period updates.
        eps: added to each loss before it is inverted, in the units of the losses.
        min_weight: smallest weight an update may give.
        max_weight: largest weight an update may give.
        max_change: largest factor by which an update may move a weight, None for no limit.
        groups: names of terms by name of a group whose terms share a weight.
        prior: whether the initial weights are a set point that the strategy moves around.
        warm_up: periods at the start that the strategy does not see.
        freeze_after: periods after which the weights stay, None for never.
        field_scales: size of the field that each term is about, in the order of the terms, in the
            units of the root of its loss; None takes it from initial and Dirichlet data. Only
            for strategies that ask for it.
        second_phase: `"freeze"` leaves the weights as they are under L-BFGS; `"blocks"` lets them
            move between its blocks, each of which then starts without curvature.
        gradients_of: parameters that gradients are measured on: `"all"`, `"last_layer"`, or a
            part in (0, 1) for as large a random part of the parameter tensors. Cheaper, but
            biased: coupled fields share little of the last layer. Tangent kernels are of all.
        diagnostics: whether lengths and angles of the terms' gradients are kept in
            `gradient_history`, once a period, at the cost of a backward pass a term.

    Attributes:
        manager: the `AdaptiveLossWeights` at work, None before the first losses.
        history: one row a period: step, raw losses (means over it), weights after it, and the
            `penalty` that the strategy's objective holds beside the weighted sum, mostly 0; under
            a strategy that weighs points also `point_weights`, least, mean and largest by term.
        best: the best parameters by raw losses, see `restore_best`.
        events: what happened to the weights: step, epoch (period), term, what, why.
        gradient_history: one row a period: step, `names` of the terms or groups, `norms` `[k]`
            and `cosines` `[k][k]`.
        stopped: why the callback stopped the training, or None.
        seconds: time that all it does in the steps has taken so far, the recorder included.

    Raises:
        ValueError: if an argument is out of range; at `train()`, if names or weights do not fit
            the model's loss terms.
    """

    def __init__(
        self,
        strategy: str = "equal_init",
        *,
        names: Sequence[str] | None = None,
        period: int = 100,
        normalization: str = "total",
        max_ratio: float | None = 100.0,
        rescale_moments: bool = True,
        verbose: int = 1,
        options: Mapping[str, Any] | None = None,
        ema_alpha: float = 0.9,
        weight_beta: float | None = None,
        update_frequency: int = 1,
        eps: float = 1e-8,
        min_weight: float = 1e-4,
        max_weight: float = 1e4,
        max_change: float | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        prior: bool = False,
        warm_up: int = 0,
        freeze_after: int | None = None,
        field_scales: Sequence[float] | None = None,
        second_phase: str = "freeze",
        gradients_of: str | float = "all",
        diagnostics: bool = False,
    ) -> None:
        super().__init__()
        self.period = check_number("period", period, 1, integer=True)
        self.rescale_moments = rescale_moments
        self.verbose = check_number("verbose", int(verbose), 0, integer=True)
        self._settings: dict[str, Any] = {
            "strategy": strategy,
            "options": options,
            "ema_alpha": ema_alpha,
            "update_frequency": update_frequency,
            "eps": eps,
            "min_weight": min_weight,
            "max_weight": max_weight,
            "weight_beta": weight_beta,
            "normalization": normalization,
            "max_ratio": max_ratio,
            "max_change": max_change,
            "groups": groups,
            "prior": prior,
            "warm_up": warm_up,
            "freeze_after": freeze_after,
            "field_scales": field_scales,
        }
        self.second_phase = check_choice("second_phase", second_phase, ("freeze", "blocks"))
        method = strategies.create(strategy, options)
        self._point_strategy = method if isinstance(method, strategies.PointStrategy) else None
        if self._point_strategy is not None and second_phase == "blocks":
            raise ValueError(
                f"`second_phase` must be 'freeze' for strategy {strategy!r}, which weighs points, "
                "got 'blocks'."
            )
        self._meter = Meter(gradients_of, diagnostics)
        self._names = names
        self._own_seconds = 0.0
        self.init()

    def init(self) -> None:
        """Start afresh; DeepXDE calls this when the callback meets a new model."""
        points = self._point_strategy
        self._points = None if points is None else PointWeights(points)
        self._pilots = self._new_pilots()
        if self._pilots is None:
            terms = {} if points is None else {"strategy": "fixed", "options": None}
            self._weights = ModelWeights({**self._settings, **terms}, self._names, self._say)
        else:
            self._weights = self._pilots.weights()
        self.history: list[dict[str, Any]] = []
        self.best = BestModel()
        self.stopped: str | None = None
        self._period = Period(self.period)
        self._first: list[float] | None = None
        self._last: list[float] | None = None
        self._said_frozen = False
        self._recorder: LossRecorder | None = None
        self._budget: Budget | None = None
        self._switches = 0
        self._pending = False
        self._guard: Guard | None = None
        self.events: list[dict[str, Any]] = []
        self.gradient_history: list[dict[str, Any]] = []
        self._optimizer: Any = None
        self._meter.clear()

    def _new_pilots(self) -> Pilots | None:
        """Return the pilots of the strategy `auto`, None for any other."""
        settings = self._settings
        if settings["strategy"] != "auto":
            return None
        shared = {key: settings[key] for key in ("ema_alpha", "eps")}
        method: Any = strategies.create("auto", settings["options"], **shared)
        return Pilots(method, settings, self._names, self.period, self._say)

    # ---- what DeepXDE calls -------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        """Take up a model: called at the start of every `train()`, before its first test."""
        super().set_model(model)
        self._recorder = None
        callbacks = model.callbacks.callbacks if model.callbacks else []
        twins = [callback for callback in callbacks if isinstance(callback, AdaptiveWeights)]
        if twins and twins[0] is not self:
            warnings.warn(
                "Only the first AdaptiveWeights of a training is at work; a second one is idle.",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        check_model(model)
        self.stopped = None
        self._blocks = optimizers.runs_in_blocks(model)
        moves = self._blocks and self.second_phase == "blocks"
        self._frozen = optimizers.is_second_order(model) and not moves
        self._check_steps()
        if self._points is not None:
            self._points.meet(model)
        if self._optimizer is not None and model.opt is not self._optimizer:
            self._switches += 1
            if self._pilots:
                self._pilots.conclude(self, "the model was compiled anew")
        self._optimizer = model.opt
        if self._budget is not None:
            self._budget.remove()
        self._budget = Budget(model)
        if self._frozen:
            self._period.clear()
        self._pending = False
        self._period.length = self.period
        self._lbfgs_seen = optimizers.lbfgs_iterations(model)
        self._tensors = trained_tensors(model)
        if self._guard is None or not self._guard.fits(model, self._tensors):
            self._guard = Guard(model, self._tensors)
        self._guard.forget()
        if self._pilots and not self._frozen and not self._blocks:
            self._pilots.attach(model)
        parameters = list(model.net.parameters())
        self._recorder = LossRecorder(self, model.data, parameters, self._points)

    def on_train_begin(self) -> None:
        """Say once what stays frozen."""
        if self._recorder and self._frozen and not self._said_frozen:
            self._said_frozen = True
            self._say(
                f"weights are frozen for {optimizers.name_of(self.model)}: {self._weights.text()}"
            )

    def on_epoch_begin(self) -> None:
        """Let the next candidate in, if strategies are on trial."""
        if self._recorder and self._pilots and not self._frozen and not self._blocks:
            try:
                self._pilots.before_step(self)
            except ValueError:
                self._release()
                raise

    def on_batch_begin(self) -> None:
        """Get ready for a step."""
        if self._recorder and self._guard:
            start = time.perf_counter()
            self._step = self.model.train_state.step
            if self._blocks:
                optimizers.honour_maxiter(self.model)
            self._guard.before_step()
            if self._blocks or self._period.missing() <= 1:
                acts = not self._frozen and self._weights.acts_next()
                self._meter.prepare(self.manager, acts)
            self._recorder.expect_step(self._meter.wants_residuals)
            self._pending = True
            self._own_seconds += time.perf_counter() - start

    def on_batch_end(self) -> None:
        """Take in the step's raw losses; at the end of a period, update the weights."""
        if self._pending and self._recorder and self._guard:
            start = time.perf_counter()
            self._pending = False
            values, bad = self._recorder.values, self._recorder.bad_term
            if values is not None:
                name = None if bad is None else self._weights.names[bad]
                self.stopped = self._agreed(self._guard.check(self._step + 1, name), self._guard)
                lost = (
                    self._pilots.lose(self, self.stopped) if self._pilots and self.stopped else None
                )
                if lost is not None:
                    # The network is back where the pilots began, and these are its losses.
                    self.stopped, self.model.stop_training, values = None, False, lost
                if self.stopped is not None:
                    self._roll_back(self.stopped)
            if values is not None and self.stopped is None:
                self._period.add(values)
                if self._blocks or self._period.missing() <= 0:
                    self._end_period(self._guard)
            self._own_seconds += time.perf_counter() - start

    def on_train_end(self) -> None:
        """Put the data's own loss back and print the closing table."""
        if not self._recorder or not self._guard:
            return
        self.on_batch_end()  # DeepXDE leaves it out after L-BFGS's last block
        if self.stopped is None:
            self.stopped = self._agreed(self._guard.check_at_end(), self._guard)
            if self.stopped is not None:
                self._roll_back(self.stopped)
        if self._pilots:
            self._pilots.detach(self)
        self._release()
        if self._first and self._last:
            title = f"\nAdaptiveWeights ({self.strategy}) at step {self.model.train_state.step}:"
            weights = self._weights
            columns = (weights.names, self._first, self._last, weights.first, weights.values())
            self._say(closing_table(title, zip(*columns, strict=True)), prefix="")

    def _release(self) -> None:
        """Take everything off the model that was put on it for a `train()`."""
        if self._recorder:
            self._own_seconds += self._recorder.seconds
            self._recorder.remove()
            self._recorder = None
        if self._budget is not None:
            self._budget.remove()

    def on_predict_begin(self) -> None:
        """Leave predictions alone, should a user pass the callback to `predict`."""
        if self._recorder:
            self._recorder.remove()
            self._recorder = None

    # ---- what the recorder calls --------------------------------------------------------------

    def on_terms(self, terms: Sequence[Tensor]) -> None:
        """Set the weights in force, before DeepXDE multiplies its first losses by them."""
        processes.check_same(
            period=self.period, gradients_of=self._meter.where, diagnostics=self._meter.diagnose
        )
        if self._weights.meet(self.model, terms):
            self._period.clear()
            names = self._weights.names
            if self._first is not None and len(self._first) != len(names):
                self.best, self._first = BestModel(), None
            pace = "" if self.strategy == "fixed" else f", one update each {self.period} iterations"
            if self._points is not None:
                pace = ", point weights move at each step"
            self._say(f"{self.strategy} on {len(names)} loss terms ({', '.join(names)}){pace}")
            if self._weights.taken_up:
                self._say(f"weights of the last training are taken up: {self._weights.text()}")

    def on_step(
        self, values: list[float], terms: Sequence[Tensor], residuals: Sequence[Tensor]
    ) -> None:
        """At the end of a period, offer the parameters to the best and measure their gradients."""
        if self._blocks or self._period.missing() <= 1:
            self.best.offer(self._step, values, self._tensors)
            self._meter.take(self.manager, terms, residuals, list(self.model.net.parameters()))

    def on_test(self, values: list[float]) -> None:
        """Note the raw losses of a DeepXDE test on the training points."""
        self._last = values
        if self._first is None:
            self._first = values
        if self._frozen or self._blocks:  # the last block must not be lost
            self.best.offer(self.model.train_state.step, values, self._tensors)

    # ---- what users call ----------------------------------------------------------------------

    @property
    def manager(self) -> AdaptiveLossWeights | None:
        """The `AdaptiveLossWeights` at work, None before the first losses."""
        return self._weights.manager

    @property
    def strategy(self) -> str:
        """Name of the strategy, of the one that was chosen in place of `auto`."""
        return self._pilots.name if self._pilots else self._settings["strategy"]

    @property
    def pilots(self) -> list[dict[str, Any]]:
        """Of the strategy `auto`, one row a pilot.

        Its candidate, round (0 for one that took no part), iterations so far, score (None if it
        has none), whether it was kept, why, and the seconds of its block.
        """
        return self._pilots.tournament.rows if self._pilots else []

    @property
    def choice(self) -> str | None:
        """Of the strategy `auto`, what was chosen and why, None before that."""
        course = self._pilots.tournament if self._pilots else None
        if course is None or course.chosen is None:
            return None
        return f"{course.labels[course.chosen]}, as {course.reason}"

    def take_lines(self) -> list[str]:
        """Return what the pilots have said since the last call, whatever `verbose` is."""
        return self._pilots.take_lines() if self._pilots else []

    @property
    def weighs_points(self) -> bool:
        """Whether the strategy weighs points rather than terms."""
        return self._point_strategy is not None

    @property
    def seconds(self) -> float:
        """Time that all it does in the steps has taken so far, the recorder included."""
        return self._own_seconds + (self._recorder.seconds if self._recorder else 0.0)

    def restore_best(self) -> int:
        """Put the best parameters by raw losses into the model.

        External variables are put back too. Best means the smallest sum of each raw loss over
        its first value, among the last steps of the periods (and, under L-BFGS, NNCG and
        Gauss-Newton, at DeepXDE's tests).

        Returns:
            How many steps the training had made then.

        Raises:
            ValueError: if no period has ended yet.
        """
        step = self.best.restore([] if self.model is None else trained_tensors(self.model))
        if self._guard:
            self._guard.forget()
        return step

    def write_events(self, path: str | os.PathLike[str]) -> None:
        """Write `events` as CSV: step, epoch (period), term, what, why.

        Args:
            path: of the file; one that exists is replaced.
        """
        event_files.write_events(path, self.events)

    def write_gradients(self, path: str | os.PathLike[str]) -> None:
        """Write `gradient_history` as CSV: step, `norm_<term>` and `cos_<a>_<b>` of each pair.

        Args:
            path: of the file; one that exists is replaced.
        """
        event_files.write_gradients(path, self.gradient_history)

    def state_dict(self) -> dict[str, Any]:
        """Return what an exact continuation needs, as plain numbers, lists and tensors."""
        model = self.model
        pilots = {"pilots": self._pilots.state_dict(model)} if self._pilots else {}
        return {
            **pilots,
            **self._weights.state_dict(),
            "period": self._period.state_dict(),
            "first": self._first,
            "best": self.best.state_dict(),
            "switches": self._switches,
            "events": list(self.events),
            "gradient_history": list(self.gradient_history),
            "meter": self._meter.state_dict(),
            "points": None if self._points is None else self._points.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], model: Any) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the saved state.
            model: the compiled model that will be trained next.

        Raises:
            ValueError: if the state is incomplete, or belongs to another strategy or other names.
        """
        check_names("The saved state", self.state_dict(), state)
        check_saved(self._points, state["points"])
        self.model = model  # so that set_model() does not start afresh
        self.init()
        if self._pilots:
            self._pilots.load_state_dict(state["pilots"], model)
            self._weights = self._pilots.weights()
        own = {key: state[key] for key in self._weights.state_dict()}
        self._weights.load_state_dict(own, model)
        self._period.load_state_dict(state["period"])
        self._first = state["first"]
        self.best.load_state_dict(state["best"])
        self._switches, self._optimizer = state["switches"], model.opt
        self.events = list(state["events"])
        self.gradient_history = list(state["gradient_history"])
        self._meter.load_state_dict(state["meter"])
        if self._points is not None:
            self._points.load_state_dict(state["points"])

    # ---- the steps in between -----------------------------------------------------------------

    def _end_period(self, guard: Guard) -> None:
        losses = self._period.mean()
        self._period.clear()
        guard.look_around()
        step, in_force = self.model.train_state.step, self._weights.values()
        if self._frozen:
            self._weights.settle()
        else:
            # A block starts from losses long gone by at its end, which DeepXDE's test has measured.
            self._update(self._last if self._blocks and self._last else losses, guard)
        penalty = self.manager.penalty if self.manager else 0.0
        row = {"step": step, "losses": losses, "weights": self._weights.values()}
        row["penalty"] = penalty
        if self._points is not None:
            names = self._weights.names
            row["point_weights"] = self._points.statistics(names)
            if self.verbose > 1:
                self._say(f"step {step}: point weights {self._points.text(names)}")
        if self._pilots:
            row |= {"candidate": self._pilots.tournament.present, "weights_before": in_force}
            self._pilots.after_period(self, losses)
        self.history.append(row)
        if self._meter.diagnosis is not None:
            self.gradient_history.append({"step": step, **self._meter.diagnosis})
        self._meter.clear()
        self._keep_events()
        if self.verbose > 1:
            self._say(f"step {step}: {self._weights.text()}")
        if self._blocks:
            self._guard_lbfgs()

    def _agreed(self, own: str | None, guard: Guard) -> str | None:
        """Return why the training stops, here or on another process: they stop together."""
        if self._frozen:  # each process may have a line search of its own
            return own
        fault = processes.first_fault(own)
        if own is None and fault is not None:
            guard.undo(fault)
        return fault if own is None else own

    def _update(self, losses: list[float], guard: Guard) -> None:
        meter, before = self._meter, self._weights.values()
        meter.take_exact(self.manager, self.model)
        jump = self._weights.update(
            self.model,
            losses,
            gradients=meter.gradients,
            ntk=meter.ntk,
            progress=self._progress(),
            switches=self._switches,
        )
        if self._blocks:
            if self._weights.values() != before:
                optimizers.forget_curvature(self.model)
        elif self.rescale_moments and rescale_moments(self.model, jump):
            guard.forget()

    def _roll_back(self, why: str) -> None:
        """Undo an update of the weights after which the training has broken at once."""
        jump = self._weights.roll_back(self.model, why)
        if self.rescale_moments and not self._blocks:
            rescale_moments(self.model, jump)
        self._keep_events()

    def _progress(self) -> float | None:
        if self._budget is None:
            return None
        if self._pilots:
            return self._pilots.progress(self.model.train_state.step, self._budget.total)
        return self._budget.progress()

    def _keep_events(self) -> None:
        new = self._weights.take_events(self.model.train_state.step)
        self.events += new
        for event in new:
            if event["what"] in ("rolled_back", "frozen", "note"):  # `unusable` is a warning
                self._say(event_text(event))

    def _check_steps(self) -> None:
        """Refuse Gauss-Newton with weights that move by gradients, which its steps do not have."""
        reads_more = not self._frozen and self._weights.needs - {"losses", "field_scales"}
        if reads_more and optimizers.name_of(self.model) == "Gauss-Newton":
            raise ValueError(
                f"`weights` must be 'keep' or 'balance' in Gauss-Newton for strategy "
                f"{self.strategy!r}, which reads gradients, got 'adapt'."
            )

    def _guard_lbfgs(self) -> None:
        """End DeepXDE's loop when a block makes no iteration: it would go on for ever."""
        done = optimizers.lbfgs_iterations(self.model)
        if done == self._lbfgs_seen:
            self.model.stop_training = True
            self._say("L-BFGS has converged (its gradient is below gtol)")
        self._lbfgs_seen = done

    def _say(self, text: str, prefix: str = "AdaptiveWeights: ") -> None:
        if self.verbose > 0:
            print(prefix + text, flush=True)
