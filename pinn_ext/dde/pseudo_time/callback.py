"""The callback that damps a training in pseudo-time: `pinn_ext.PseudoTime`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import deepxde as dde
from torch import Tensor

from pinn_ext.checks import check_choice, check_number
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.loss_terms import derive_names
from pinn_ext.dde.model.row_points import draw_points
from pinn_ext.dde.pseudo_time.arguments import (
    FORMS,
    check_beside,
    check_trained,
    fields_of,
    signs_of,
    smoothing_of,
    tau_of,
)
from pinn_ext.dde.pseudo_time.correction import CorrectedLosses, Correction, Settings
from pinn_ext.dde.pseudo_time.saved_state import check_state
from pinn_ext.dde.weighting.loss_recorder import LossRecorder
from pinn_ext.dde.weighting.point_weights import Heard

FIRST_LOOK, PERIOD = 100, 1000
"""Steps before the first look at what steps change, and between two looks."""


class PseudoTime(dde.callbacks.Callback):
    """Trains residuals with a term that damps the change of the fields from step to step.

    `model.train(iterations=10000, callbacks=[pinn_ext.PseudoTime()])` is all a script needs. To
    each residual R of an equation for a field u is added, with u_prev the network of one step ago,

        (u - u_prev) / tau                                   "jaxpi2" (arXiv:2604.23528, eq. 2.39)
        (u - u_prev) / tau - smoothing (lap u - lap u_prev)  "scale_pinn" (chiuph/SCALE-PINN)

    so that a training relaxes `du/ds = -R` by implicit steps in a pseudo-time s. It acts on sharp
    errors between the points, which is why new points are drawn at each step. Neither form needs a
    time in the equation: s is none of its coordinates. DeepXDE's tests, and the losses, gradients
    and best parameters of an `AdaptiveWeights` beside it, are those of R alone. Under L-BFGS and
    NNCG, whose line searches need one objective, the term is left out.

    Args:
        form: `"jaxpi2"` or `"scale_pinn"`.
        fields: for each equation the number of the network's output that it is about, None for one
            that is about none and stays as it is, such as continuity; None takes equation i for
            output i.
        sign: 1 where the equation is written as `u_t - rhs`, `-lap u - f`, so that `du/ds = -R`
            relaxes; -1 where it is written the other way round; or a list, one an equation.
        tau: step in pseudo-time, positive, in units of the field over those of the residual; or a
            list, one an equation. `"auto"` (of `"jaxpi2"`) starts from 1 and follows
            `|u - u_prev| / |R - R_prev|` with a running average of 0.9, after 100 steps and then
            every 1000.
        smoothing: factor of the Laplacian in space for `"scale_pinn"`, not negative, in units of
            residual times length squared over those of the field; or a list, one an equation.
        resample_every: steps between two draws of new points in the domain, 0 for never.
        verbose: 0 is silent, 1 says what is damped, 2 says the steps whenever they are looked at.

    Attributes:
        history: one row a look: step, `tau`, raw `losses` of the equations at its points, and
            `products` of the changes of residual and field, by the names of the equations.

    Raises:
        ValueError: if an argument is out of range; in `train`, if the model is none that the term
            can be added to, or its equations and outputs do not fit `fields`.

    Example:
        >>> import deepxde as dde
        >>> import pinn_ext
        >>> line = dde.geometry.Interval(0, 1)
        >>> ends = dde.icbc.DirichletBC(line, lambda x: 0 * x, lambda x, on: on)
        >>> data = dde.data.PDE(line, lambda x, y: -dde.grad.hessian(y, x) - 1, [ends], 16, 2)
        >>> model = dde.Model(data, dde.nn.FNN([1, 8, 1], "tanh", "Glorot normal"))
        >>> model.compile("adam", lr=1e-3, verbose=0)
        >>> damped = pinn_ext.PseudoTime(tau=0.5, verbose=0)
        >>> _ = model.train(iterations=5, callbacks=[damped], verbose=0)
        >>> damped.tau
        [0.5]
        >>> again = pinn_ext.PseudoTime(tau=0.5, verbose=0)
        >>> again.load_state_dict(damped.state_dict(), model)  # its next step would be the sixth
    """

    def __init__(
        self,
        form: str = "jaxpi2",
        *,
        fields: Sequence[int | None] | None = None,
        sign: int | Sequence[int] = 1,
        tau: str | float | Sequence[float] = "auto",
        smoothing: float | Sequence[float] | None = None,
        resample_every: int = 1,
        verbose: int = 1,
    ) -> None:
        super().__init__()
        self.form = check_choice("form", form, FORMS)
        self.settings = Settings(
            fields_of(fields), signs_of(sign), tau_of(tau, form), smoothing_of(smoothing, form)
        )
        self.resample_every = check_number("resample_every", resample_every, 0, integer=True)
        number = int(verbose) if isinstance(verbose, bool) else verbose
        self.verbose = check_number("verbose", number, 0, integer=True)
        self.init()

    def init(self) -> None:
        """Start afresh; DeepXDE calls this when the callback gets a new model."""
        self.history: list[dict[str, Any]] = []
        self._steps = 0
        self._next_look = FIRST_LOOK
        self._correction: Correction | None = None
        self._stand_in: CorrectedLosses | None = None
        self._recorder: LossRecorder | None = None
        self._at_work = self._in_step = self._goes_on = False

    @property
    def tau(self) -> list[float | None]:
        """Present step in pseudo-time of each equation, None for those without a field."""
        inverse = [] if self._correction is None else self._correction.inverse
        fields = self.settings.fields or [0] * len(inverse)
        pairs = zip(inverse, fields, strict=False)  # a state may be of others
        return [None if field is None else 1.0 / own for own, field in pairs]

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what an exact continuation needs, as plain numbers, lists and tensors.

        Call it between two steps, in `on_epoch_end` of a callback behind this one or after `train`.
        Parameters, optimiser, points and random numbers are not in it.
        """
        correction = self._correction
        return {
            "steps": self._steps,
            "next_look": self._next_look,
            "history": [dict(row) for row in self.history],
            "correction": {} if correction is None else correction.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], model: Any) -> None:
        """Continue from what `state_dict` returned, bit for bit where all else is as it was.

        Args:
            state: the saved state.
            model: the compiled model that will be trained next, with the parameters of then.

        Raises:
            ArgumentError: naming the part that no such callback can have returned.
        """
        check_state(state, model)
        self.model = model  # so that set_model() does not start afresh
        self.init()
        self._steps, self._next_look = state["steps"], state["next_look"]
        self.history = [dict(row) for row in state["history"]]
        self._correction = Correction(self.settings, model)
        self._correction.load_state_dict(state["correction"])
        self._goes_on = True

    # ---- what DeepXDE calls -------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        """Take up a model: called at the start of every `train()`, before its first test."""
        self._release()  # what an exception has left behind
        super().set_model(model)
        check_trained(model, self.form)
        check_beside(self, model)
        if self._correction is None:
            self._correction = Correction(self.settings, model)

    def on_train_begin(self) -> None:
        """Get between DeepXDE and the losses, around all that else stands there."""
        if self._correction is None:
            return
        if optimizers.searches(self.model):
            name = optimizers.name_of(self.model)
            self._say(f"left out under {name}, whose line searches need one objective")
            return
        if not self._goes_on:
            self._correction.forget()
        self._goes_on = False
        data = self.model.data
        there = vars(data).get("losses_train")
        if isinstance(there, LossRecorder):
            self._recorder = there
            there.correction = self._correct
        else:
            parameters = list(self.model.net.parameters())
            self._stand_in = CorrectedLosses(self._correct, data, parameters, self._is_present)
        self._at_work = True

    def on_batch_begin(self) -> None:
        """Draw new points and keep the parameters that the step starts from."""
        if not self._at_work or self._correction is None:
            return
        if self.resample_every and self._steps and self._steps % self.resample_every == 0:
            draw_points(self.model.data)
        self._correction.due = self._steps >= self._next_look
        self._correction.begin_step()
        self._in_step = True

    def on_batch_end(self) -> None:
        """Let the step be the one ago; take in what it has changed, where that was looked at."""
        if not self._in_step or self._correction is None:
            return
        self._in_step = False
        self._correction.end_step()
        self._steps += 1
        if self._correction.changes is not None:
            self._look(self._correction)

    def on_train_end(self) -> None:
        """Put the data's own losses back."""
        self._release()

    def _release(self) -> None:
        if self._stand_in is not None:
            self._stand_in.remove()
        if self._recorder is not None:
            self._recorder.correction = None
        self._stand_in = self._recorder = None
        self._at_work = self._in_step = False

    def _is_present(self) -> bool:
        callbacks = self.model.callbacks
        return callbacks is not None and self in callbacks.callbacks

    def _correct(
        self, losses: Sequence[Any], heard: Sequence[Heard], outputs: Tensor, inputs: Tensor
    ) -> tuple[list[Any], list[Heard]]:
        """Return the losses to train; where they cannot be had, leave the model as it was."""
        if self._correction is None or not self._in_step:
            return list(losses), list(heard)
        fresh = self._correction.rule is None
        try:
            found = self._correction(losses, heard, outputs, inputs)
        except ValueError:
            self._release()
            raise
        if fresh:
            self._say(self._start_text(self._correction, len(losses)))
        return found

    # ---- looking ------------------------------------------------------------------------------

    def _look(self, correction: Correction) -> None:
        """Move the steps by what the last one has changed, and say what looks wrong."""
        changes, rule = correction.changes, correction.rule
        correction.changes = None
        if changes is None or rule is None:
            return
        self._next_look = self._steps - 1 + PERIOD
        names = self._names(len(changes))
        for i in rule.look(changes):
            warnings.warn(
                f"The residual of {names[i]} has fallen where its field has risen in three looks "
                "in a row: if it is written as rhs - u_t, `sign` must be -1 for it.",
                RuntimeWarning,
                stacklevel=2,
            )
        seen = {name: own for name, own in zip(names, changes, strict=True) if own is not None}
        tau = {n: own for n, own in zip(names, self.tau, strict=True) if own is not None}
        row = {
            "step": self.model.train_state.step,
            "tau": tau,
            "losses": {name: own.loss for name, own in seen.items()},
            "products": {name: own.product for name, own in seen.items()},
        }
        self.history.append(row)
        if self.verbose > 1:
            text = ", ".join(f"{name}={own:.3g}" for name, own in tau.items())
            self._say(f"step {row['step']}: tau {text}")

    def _names(self, count: int) -> list[str]:
        """Return the names of the equations."""
        data = self.model.data
        return derive_names(data, count + len(data.bcs))[:count]

    def _start_text(self, correction: Correction, num_terms: int) -> str:
        names = derive_names(self.model.data, num_terms)
        pairs = ", ".join(f"{names[p.equation]} by output {p.field}" for p in correction.pairs)
        points = {0: "the points stay", 1: "new points at each step"}
        every = points.get(self.resample_every, f"new points every {self.resample_every} steps")
        return f"{self.form} damps {pairs}; {every}"

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            print(f"PseudoTime: {text}", flush=True)
