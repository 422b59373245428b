"""The callback that makes any DeepXDE training adaptive."""

from __future__ import annotations

import math
import time
import warnings
import weakref
from collections.abc import Sequence
from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.checks import check_number
from pinn_ext.dde import optimizers
from pinn_ext.dde.best import BestModel
from pinn_ext.dde.recorder import LossRecorder
from pinn_ext.dde.snapshot import Snapshot
from pinn_ext.dde.terms import derive_names, weights_list

# The last weights of each model, for a new callback after the model was compiled again.
_LAST_WEIGHTS: weakref.WeakKeyDictionary[Any, list[float]] = weakref.WeakKeyDictionary()


class AdaptiveWeights(dde.callbacks.Callback):
    """Moves `model.loss_weights` while DeepXDE trains.

    `model.train(iterations=10000, callbacks=[pinn_ext.AdaptiveWeights("ema")])` is all a script
    needs. The weights start from `model.loss_weights`, or ones. Under L-BFGS and NNCG, whose
    curvature belongs to one objective, they stay as they are; weights that `compile` dropped
    are put back. A loss or a gradient that is not finite stops the training at that very step
    with the parameters of the step before.

    Args:
        strategy: one of `pinn_ext.strategies.names()`.
        names: of the loss terms in DeepXDE's order; None derives them (`pde_1`, `ic_1`, …).
        period: iterations between two updates; the strategy sees the means of the raw training
            losses over them as one epoch.
        normalization: scale of the weights, `"total"`, `"initial"` or `"none"`, see
            `AdaptiveLossWeights`.
        max_ratio: largest ratio of two targets, None for no cap.
        rescale_moments: scale the optimiser's moments when the weighted total jumps by more than
            a factor of 2, so that the learning rate keeps its meaning.
        verbose: 0 is silent, 1 prints the terms and a closing table, 2 every update too.
        ema_alpha: part of the old loss average kept at an update, in [0, 1).
        weight_beta: part of the old weight kept at an update, in [0, 1).
        update_frequency: after the first, only every n-th period updates.
        eps: added to each loss before it is inverted, in the units of the losses.
        min_weight: smallest weight an update may give.
        max_weight: largest weight an update may give.

    Attributes:
        manager: the `AdaptiveLossWeights` at work, None before the first `train()`.
        history: one row a period: step, raw losses (means over it), weights after it.
        best: the best parameters by raw losses, see `restore_best`.
        stopped: why the callback stopped the training, or None.
        seconds: time spent in the callback so far.

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
        ema_alpha: float = 0.9,
        weight_beta: float = 0.9,
        update_frequency: int = 1,
        eps: float = 1e-8,
        min_weight: float = 1e-4,
        max_weight: float = 1e4,
    ) -> None:
        super().__init__()
        self.period = check_number("period", period, 1, integer=True)
        self.rescale_moments = rescale_moments
        self.verbose = verbose
        self._settings: dict[str, Any] = {
            "strategy": strategy,
            "ema_alpha": ema_alpha,
            "update_frequency": update_frequency,
            "eps": eps,
            "min_weight": min_weight,
            "max_weight": max_weight,
            "weight_beta": weight_beta,
            "normalization": normalization,
            "max_ratio": max_ratio,
        }
        self._names = None if names is None else list(names)
        # Refuse bad arguments here, not after the first pass over the network.
        trial = self._names or ["term"]
        AdaptiveLossWeights(trial, dict.fromkeys(trial, min_weight), **self._settings)
        self.seconds = 0.0
        self.init()

    def init(self) -> None:
        """Start afresh; DeepXDE calls this when the callback meets a new model."""
        self.manager: AdaptiveLossWeights | None = None
        self.history: list[dict[str, Any]] = []
        self.best = BestModel()
        self.stopped: str | None = None
        self._epoch = 0
        self._first: list[float] | None = None
        self._last: list[float] | None = None
        self._first_weights: list[float] = []
        self._assigned: Tensor | None = None
        self._said_frozen = False
        self._recorder: LossRecorder | None = None

    # ---- what DeepXDE calls -------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        """Take up a model: called at the start of every `train()`, before its first test."""
        super().set_model(model)
        self._recorder = None
        twins = [cb for cb in model.callbacks.callbacks if isinstance(cb, AdaptiveWeights)]
        if twins and twins[0] is not self:
            warnings.warn(
                "Only the first AdaptiveWeights of a training is at work; a second one is idle.",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        _check_model(model)
        self.stopped = None
        self._sums: Tensor | None = None
        self._count = 0
        self._pending = False
        self._lbfgs_seen = optimizers.lbfgs_iterations(model)
        self._snapshot = Snapshot(model)
        self._recorder = LossRecorder(self, model.data)

    def on_train_begin(self) -> None:
        """Say once what stays frozen."""
        if self._recorder and self._frozen and not self._said_frozen:
            self._said_frozen = True
            name = self.model.opt_name
            name = name if isinstance(name, str) else type(name).__name__
            self._say(f"weights are frozen for {name}: {self._weights_text()}")

    def on_batch_begin(self) -> None:
        """Copy what the coming step may change."""
        if self._recorder:
            start = time.perf_counter()
            self._recorder.expect_step()
            self._snapshot.take()
            self._pending = True
            self.seconds += time.perf_counter() - start

    def on_batch_end(self) -> None:
        """Take in the step's raw losses; at the end of a period, update the weights."""
        if self._recorder and self._recorder.values is not None:
            start = time.perf_counter()
            values, self._recorder.values = self._recorder.values, None
            self._pending = False
            if self._step_is_sound():
                self._sums = values if self._sums is None else self._sums + values
                self._count += 1
                blocks = optimizers.runs_in_blocks(self.model)
                if blocks or self._count >= self.period:
                    self._end_period(values)
                if blocks:
                    self._guard_lbfgs()
            self.seconds += time.perf_counter() - start

    def on_train_end(self) -> None:
        """Put the data's own loss back, remember the weights, print the closing table."""
        if not self._recorder:
            return
        if self._pending:  # DeepXDE leaves out the callbacks after L-BFGS's last block
            self.on_batch_end()
        self._recorder.remove()
        if self.manager is not None:
            _LAST_WEIGHTS[self.model] = list(self.manager.get_weights().values())
            self._say(self._closing_table(), prefix="")

    # ---- what the recorder calls --------------------------------------------------------------

    def on_terms(self, num_terms: int) -> None:
        """Set the weights in force, before DeepXDE multiplies its first losses by them."""
        names = self._names or derive_names(self.model.data, num_terms)
        if len(names) != num_terms:
            raise ValueError(
                f"`names` must hold one name for each of {num_terms} loss terms, got {names}."
            )
        given = self.model.loss_weights
        if self.manager is not None and self.manager.loss_names == names:
            if given is None:
                self._assign()
                self._say(f"weights that compile() dropped are back: {self._weights_text()}")
            if given is None or given is self._assigned:
                return
        handed = _LAST_WEIGHTS.get(self.model) if given is None else None
        start = weights_list(given, num_terms, names)
        if handed is not None and len(handed) == num_terms:
            start = handed
        self.manager = AdaptiveLossWeights(
            names, dict(zip(names, start, strict=True)), **self._settings
        )
        self._epoch = 0
        self._first_weights = start
        self._assign()
        update = "" if self.strategy == "fixed" else f", one update each {self.period} iterations"
        self._say(f"{self.strategy} on {num_terms} loss terms ({', '.join(names)}){update}")
        if handed is not None:
            self._say(f"weights of the last training are taken up: {self._weights_text()}")

    def on_test(self, values: Tensor) -> None:
        """Note the raw losses of a DeepXDE test on the training points."""
        self._last = values.tolist()
        if self._first is None:
            self._first = self._last

    # ---- what users call ----------------------------------------------------------------------

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self._settings["strategy"]

    def restore_best(self) -> int:
        """Put the best parameters by raw losses into the model.

        External variables are put back too. Best means the smallest sum of each raw loss over
        its first value, at the last step of a period.

        Returns:
            The training step before which the model stood like that.

        Raises:
            ValueError: if no period has ended yet.
        """
        if self.model is None:
            raise ValueError("There is no best model yet: train for at least one period first.")
        return self.best.restore(Snapshot(self.model).parameters())

    def state_dict(self) -> dict[str, Any]:
        """Return what an exact continuation needs, as plain numbers, lists and tensors."""
        return {
            "manager": None if self.manager is None else self.manager.state_dict(),
            "epoch": self._epoch,
            "first": self._first,
            "first_weights": self._first_weights,
            "best": self.best.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], model: Any) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the saved state.
            model: the compiled model that will be trained next.

        Raises:
            ValueError: if the state belongs to another strategy.
        """
        self.model = model  # so that set_model() does not start afresh
        if state["manager"] is not None:
            saved = state["manager"]
            if saved["strategy"] != self.strategy:
                raise ValueError(
                    f"The saved state must have strategy {self.strategy!r}, "
                    f"got {saved['strategy']!r}."
                )
            initial = dict(zip(saved["loss_names"], saved["initial_weights"], strict=True))
            self.manager = AdaptiveLossWeights(saved["loss_names"], initial, **self._settings)
            self.manager.load_state_dict(saved)
            self._assign()
        self._epoch = state["epoch"]
        self._first = state["first"]
        self._first_weights = state["first_weights"]
        self.best.load_state_dict(state["best"])

    # ---- the steps in between -----------------------------------------------------------------

    @property
    def _frozen(self) -> bool:
        return optimizers.is_second_order(self.model)

    def _step_is_sound(self) -> bool:
        """Undo the step and stop the training if a loss or a gradient was not finite."""
        assert self._recorder is not None
        step = self.model.train_state.step
        if self._recorder.bad_term is not None:
            name = self.manager.loss_names[self._recorder.bad_term] if self.manager else "?"
            reason = f"loss term {name} is not finite"
        elif not self._result_is_finite():
            reason = "a gradient is not finite although the losses are"
        else:
            return True
        self._snapshot.restore()
        self.stopped = f"{reason} at step {step}"
        self.model.stop_training = True
        warnings.warn(
            f"{self.stopped}: training stopped, parameters are those before that step.",
            RuntimeWarning,
            stacklevel=2,
        )
        return False

    def _result_is_finite(self) -> bool:
        tensors = self._snapshot.parameters()
        if not self._frozen:
            tensors = [p.grad for p in tensors if p.grad is not None]
        if not tensors:
            return True
        # Largest magnitudes, as sums of squares could overflow.
        largest = torch.stack(torch._foreach_norm(tensors, math.inf)).sum().item()
        return math.isfinite(largest)

    def _end_period(self, values: Tensor) -> None:
        assert self._sums is not None and self.manager is not None
        losses = (self._sums / self._count).tolist()
        self._sums, self._count = None, 0
        step = self.model.train_state.step
        self.best.offer(step - 1, values.tolist(), self._snapshot.kept_parameters())
        if not self._frozen:
            self._epoch += 1
            self._update(losses)
        self.history.append(
            {"step": step, "losses": losses, "weights": list(self.manager.get_weights().values())}
        )
        if self.verbose > 1:
            self._say(f"step {step}: {self._weights_text()}")

    def _update(self, losses: list[float]) -> None:
        assert self.manager is not None
        old = list(self.manager.get_weights().values())
        names = self.manager.loss_names
        new = list(self.manager.update(self._epoch, dict(zip(names, losses, strict=True))).values())
        if new == old:
            return
        self._assign()
        before = sum(w * loss for w, loss in zip(old, losses, strict=True))
        after = sum(w * loss for w, loss in zip(new, losses, strict=True))
        if self.rescale_moments and before > 0 and not 0.5 <= after / before <= 2.0:
            optimizers.rescale_moments(self.model.opt, after / before)

    def _assign(self) -> None:
        """Give the model its weights as a fresh tensor on the network's device."""
        assert self.manager is not None
        parameter = next(self.model.net.parameters())
        self._assigned = torch.tensor(
            list(self.manager.get_weights().values()),
            dtype=parameter.dtype,
            device=parameter.device,
        )
        self.model.loss_weights = self._assigned

    def _guard_lbfgs(self) -> None:
        """End DeepXDE's loop when a block makes no iteration: it would go on for ever."""
        done = optimizers.lbfgs_iterations(self.model)
        if done == self._lbfgs_seen:
            self.model.stop_training = True
            self._say("L-BFGS has converged (its gradient is below gtol)")
        self._lbfgs_seen = done

    def _weights_text(self) -> str:
        weights = self.manager.get_weights() if self.manager else {}
        return ", ".join(f"{name}={weight:.3g}" for name, weight in weights.items())

    def _say(self, text: str, prefix: str = "AdaptiveWeights: ") -> None:
        if self.verbose > 0 and text:
            print(prefix + text, flush=True)

    def _closing_table(self) -> str:
        if self.manager is None or self._first is None or self._last is None:
            return ""
        names = self.manager.loss_names
        width = max(4, *map(len, names))
        lines = [
            f"\nAdaptiveWeights ({self.strategy}) at step {self.model.train_state.step}:",
            f"  {'term':{width}}  raw loss first       last  weight first       last",
        ]
        for name, first, last, old, new in zip(
            names,
            self._first,
            self._last,
            self._first_weights,
            self.manager.get_weights().values(),
            strict=True,
        ):
            lines.append(f"  {name:{width}}  {first:14.3e}  {last:9.3e}  {old:12.3e}  {new:9.3e}")
        return "\n".join(lines)


def _check_model(model: Any) -> None:
    if model.opt is None:
        raise ValueError("The model must be compiled before it is trained: model.compile(...).")
    dtype, wanted = next(model.net.parameters()).dtype, dde.config.real(torch)
    if dtype != wanted:
        raise ValueError(
            f"The network must have DeepXDE's float type {wanted}, got {dtype}: call "
            "dde.config.set_default_float before the network is built."
        )
