"""What a training with adaptive weights changes from step to step, beside the model itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pinn_ext.adaptive_weights.period import Period
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model import state as model_state
from pinn_ext.dde.model.loss_terms import trained_tensors
from pinn_ext.dde.model.notes import LastTraining, note
from pinn_ext.dde.model.training_length import TrainingLength
from pinn_ext.dde.weighting.fault_watch import FaultWatch
from pinn_ext.dde.weighting.kernel_meter import KernelMeter
from pinn_ext.dde.weighting.model_weights import ModelWeights
from pinn_ext.measurements.last_layers import of_module, of_outputs
from pinn_ext.strategies import Gradients


class TrainingState:
    """Weights, measurements, watch over faults and period of one training.

    The callback drives it from step to step; the pilots of `auto` save it, put another
    candidate's in its place, and restore it.

    Args:
        weights: of the loss terms; the pilots replace them.
        meter: of what strategies read beside the losses.
        period: steps between two updates.
        rescale_moments: whether the optimiser's moments follow a jump of the weighted sum.

    Attributes:
        model: the DeepXDE model, None before `start_on`.
        watch: finds and undoes steps that are not finite.
        period: the raw losses of the period under way.
        frozen: whether the weights stay, as curvature belongs to one objective.
        in_blocks: whether DeepXDE calls callbacks once a block of L-BFGS.
        may_swap: whether the parameters may be replaced by others between two steps.
        ends_period: whether the present step is the last of a period; a block is one period.
        switches: how often the model was compiled with a new optimiser.
        events: what has happened to the weights, one plain row an event.
    """

    def __init__(
        self, weights: ModelWeights, meter: KernelMeter, period: int, rescale_moments: bool
    ) -> None:
        self.weights, self.meter, self.period = weights, meter, Period(period)
        self.events: list[dict[str, Any]] = []
        self.switches = 0
        self.model: Any = None
        self.watch = FaultWatch()
        self.frozen = self.in_blocks = self.may_swap = self.ends_period = False
        self.tensors: list[Tensor] = []
        self._rescales = rescale_moments
        self._length: TrainingLength | None = None
        self._optimizer: Any = None
        self._step = 0
        meter.clear()

    # ---- a training begins and ends -----------------------------------------------------------

    def start_on(self, model: Any, second_phase: str) -> bool:
        """Take up a model at the start of a training, before its first test.

        Args:
            model: a compiled DeepXDE model.
            second_phase: `"freeze"`, or `"blocks"` for weights that move between those of L-BFGS,
                or between the periods of a search of ours.

        Returns:
            Whether the model was compiled with a new optimiser since the last training.

        Raises:
            ValueError: if the strategy reads what Gauss-Newton has not.
        """
        self.model = model
        self.in_blocks = optimizers.runs_in_blocks(model)
        by_blocks = self.in_blocks or optimizers.own_search(model)
        moves = by_blocks and second_phase == "blocks"
        self.frozen = optimizers.is_second_order(model) and not moves
        # A search goes on from the parameters and curvature that it has found itself.
        self.may_swap = not self.frozen and not optimizers.searches(model)
        self._check_steps()
        switched = self._optimizer is not None and model.opt is not self._optimizer
        self.switches += switched
        self._optimizer = model.opt
        self.stop_reading_length()
        self._length = TrainingLength(model)
        self._lbfgs_seen = optimizers.lbfgs_iterations(model)
        self.tensors = trained_tensors(model)
        sound = self.watch.start_on(model, self.tensors, together=not self.frozen)
        if self.frozen or not sound:
            self.period.clear()
        return switched

    def note_training(self, ended: bool = False) -> None:
        """Leave a note on the model of what kind its last training is, and where it has ended."""
        model = self.model
        step = model.train_state.step if ended else None
        first_order = not optimizers.has_one_objective(model)
        note(model, last_training=LastTraining(first_order, step))

    def _check_steps(self) -> None:
        """Refuse Gauss-Newton with weights that move by gradients, which its steps do not have."""
        needs = self.weights.settings.method.needs
        reads_more = not self.frozen and needs - {"losses", "field_scales"}
        if reads_more and optimizers.name_of(self.model) == "Gauss-Newton":
            raise ValueError(
                f"`weights` must be 'keep' or 'balance' in Gauss-Newton for strategy "
                f"{self.weights.settings.strategy!r}, which reads gradients, got 'adapt'."
            )

    def stop_reading_length(self) -> None:
        """Give the model its own loop back."""
        if self._length is not None:
            self._length.remove()

    @property
    def total_steps(self) -> int | None:
        """The step at which the training will end, None where it is not known (yet)."""
        return None if self._length is None else self._length.total

    def progress(self) -> float | None:
        """Return which part of the training is over, None where its length is not known."""
        return None if self._length is None else self._length.progress()

    # ---- in a step ----------------------------------------------------------------------------

    def before_step(self) -> None:
        """Have a copy of the present state; find out what the step has to measure."""
        self._step = self.model.train_state.step
        if self.in_blocks:
            optimizers.honour_maxiter(self.model)
        self.watch.before_step(self._step)
        self.ends_period = self.in_blocks or self.period.missing() <= 1
        if self.ends_period:
            acts = not self.frozen and self.weights.acts_next()
            self.meter.prepare(self.weights.manager, acts)

    @property
    def step(self) -> int:
        """How many steps had been made before the present one."""
        return self._step

    def measure(self, terms: Sequence[Tensor], residuals: Sequence[Tensor], outputs: Any) -> None:
        """Measure what strategies read, while the graph of the step is alive."""
        parameters = list(self.model.net.parameters())
        last = None
        if self.meter.where == "last_layer":
            last = of_outputs(outputs, parameters) or of_module(self.model.net, parameters)
        others = self.tensors[len(parameters) :]
        self.meter.take(
            self.weights.manager, terms, residuals, parameters, beside=others, last=last
        )

    # ---- at the end of a period ---------------------------------------------------------------

    def update(self, losses: Sequence[float], progress: float | None) -> None:
        """Show the strategy a period; the weights that follow act from the next step on.

        Args:
            losses: mean raw loss of each term over the period `[k]`.
            progress: which part of the training is over, in [0, 1]; None if that is not known.
        """
        meter, weights, before = self.meter, self.weights, self.weights.values()
        meter.take_exact(weights.manager, self.model)
        jump = weights.update(
            self.model,
            losses,
            gradients=meter.gradients,
            ntk=meter.ntk,
            progress=progress,
            switches=self.switches,
        )
        if self.in_blocks:
            if weights.values() != before:
                optimizers.forget_curvature(self.model)
        elif self._follow(jump):
            self.watch.forget()

    def first_update(
        self, losses: Sequence[float], gradients: Gradients | None, progress: float | None
    ) -> None:
        """Make the first update of a candidate from what was measured before it came in."""
        self.meter.gradients = gradients
        self.update(losses, progress)
        self.meter.clear()

    def roll_back(self, why: str) -> None:
        """Undo an update of the weights after which the training has broken at once."""
        jump = self.weights.roll_back(self.model, why)
        if not self.in_blocks:
            self._follow(jump)

    def _follow(self, jump: float) -> bool:
        """Scale the optimiser's moments after a jump of the weighted sum; return whether it was."""
        # Adam divides new gradients by the root of old second moments: after a jump by more than 2
        # its learning rate would be off by that factor for hundreds of steps.
        if not self._rescales or 0.5 <= jump <= 2.0 or jump <= 0.0:
            return False
        optimizers.rescale_moments(self.model.opt, jump)
        return True

    def take_events(self) -> list[dict[str, Any]]:
        """Keep what has happened to the weights since the last call, and return it."""
        new = self.weights.take_events(self.model.train_state.step)
        self.events += new
        return new

    def lbfgs_is_over(self) -> bool:
        """Return whether a block has made no iteration: DeepXDE's loop would go on for ever."""
        done = optimizers.lbfgs_iterations(self.model)
        over = done == self._lbfgs_seen
        self._lbfgs_seen = done
        return over

    # ---- another candidate's state in its place -----------------------------------------------

    def save(self, with_weights: bool = True) -> dict[str, Any]:
        """Return all that a candidate's training has changed.

        Args:
            with_weights: whether the weights belong to it; not those of the common start.

        Returns:
            Copies, which later steps leave alone.
        """
        saved = {"model": model_state.take(self.model), "meter": self.meter.state_dict()}
        return saved | ({"weights": self.weights.state_dict()} if with_weights else {})

    def restore(
        self, saved: dict[str, Any], weights: ModelWeights, initial: Sequence[float]
    ) -> None:
        """Put a saved state in the place of the present one.

        Args:
            saved: what `save` returned.
            weights: that go on from the saved ones.
            initial: those that they start from where none are saved `[k]`.
        """
        model_state.put_back(self.model, saved["model"])
        self.meter.load_state_dict(saved["meter"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of field scales: said at the start
            if "weights" in saved:
                weights.load_state_dict(saved["weights"], self.model)
            else:
                weights.start_from(self.model, initial)
        self.weights = weights
        self.watch.forget()

    # ---- saving -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what an exact continuation needs, as plain numbers, lists and tensors."""
        self.watch.settle()
        return {
            **self.weights.state_dict(),
            "period": self.period.state_dict(),
            "switches": self.switches,
            "events": list(self.events),
            "meter": self.meter.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], model: Any) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the saved state; it may hold more.
            model: the compiled model that will be trained next.

        Raises:
            ValueError: if the state of the weights is incomplete, or of other ones.
        """
        own = {key: state[key] for key in self.weights.state_dict()}
        self.weights.load_state_dict(own, model)
        self.period.load_state_dict(state["period"])
        self.switches, self._optimizer = state["switches"], model.opt
        self.events = list(state["events"])
        self.meter.load_state_dict(state["meter"])
