"""The callback that makes any DeepXDE training adaptive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from pinn_ext.adaptive_weights import WeightSettings
from pinn_ext.adaptive_weights import checks as checked
from pinn_ext.adaptive_weights.groups import check_groups
from pinn_ext.adaptive_weights.settings import FOR_TRAINING
from pinn_ext.checks import check_choice, check_names, check_number, check_switch
from pinn_ext.choices import SECOND_PHASES
from pinn_ext.dde.callback.saved_state import check_state
from pinn_ext.dde.callback.shown import ShownWeighting
from pinn_ext.dde.model.loss_terms import trained_tensors
from pinn_ext.dde.weighting.kernel_meter import KernelMeter
from pinn_ext.measurements import gradient_verdict
from pinn_ext.point_weights.table import check_saved
from pinn_ext.reports import event_files
from pinn_ext.strategies import PointStrategy


class AdaptiveWeights(ShownWeighting):
    """Moves `model.loss_weights` while DeepXDE trains.

    `model.train(iterations=10000, callbacks=[pinn_ext.AdaptiveWeights("ema")])` is all a script
    needs. The weights start from `model.loss_weights`, or ones. Under L-BFGS, NNCG,
    Gauss-Newton and quasi-Newton, whose curvature belongs to one objective, they stay as they are;
    right after a first-order training, weights that `compile` dropped are put back. A loss or a
    gradient that is not finite stops the training at that very step with the parameters of the
    step before.

    Args:
        strategy: one of `pinn_ext.strategies.names()`; `"auto"` lets candidates train in turns and
            goes on with the best, see `pinn_ext.strategies.auto`.
        names: of the loss terms in DeepXDE's order; None derives them (`pde_1`, `ic_1`, …).
        period: iterations between two updates; the strategy sees the means of the raw training
            losses over them as one epoch.
        normalization: scale of the weights, `"total"`, `"initial"`, `"mean"` or `"none"`, see
            `AdaptiveLossWeights`.
        max_ratio: largest ratio of two targets, None for no cap; with a cap, a term whose loss or
            gradient is exactly 0 keeps its weight and takes no part in the balance.
        rescale_moments: scale the optimiser's moments when the weighted total jumps by more than
            a factor of 2, so that the learning rate keeps its meaning.
        verbose: 0 is silent, 1 prints the terms and a closing table, 2 every update too.
        options: values for options of the strategy, see `pinn_ext.strategies.option_names`.
        ema_alpha: part of the old loss average kept at an update, in [0, 1).
        weight_beta: part of the old weight kept at an update, in [0, 1), None for the strategy's
            own.
        update_frequency: after the first, only every n-th period updates.
        eps: added to each loss before it is inverted, in the units of the losses; None for 1e-8
            times the geometric mean of the first losses above 0.
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
        second_phase: `"freeze"` leaves the weights as they are under L-BFGS and quasi-Newton;
            `"blocks"` lets them move between the blocks of L-BFGS, each of which then starts
            without curvature, and once a period in `train_quasi_newton`, which keeps it.
        gradients_of: parameters of the network that gradients are measured on: `"all"`,
            `"last_layer"`, that of each branch, or a part in (0, 1) for as large a random part of
            the parameter tensors. Cheaper, but biased: coupled fields share little of the last
            layer. External variables always count, but in tangent kernels, which are of the whole
            network.
        diagnostics: whether lengths and angles of the terms' gradients are kept in
            `gradient_history`, once a period, at the cost of a backward pass a term; the closing
            table then says what they mean.

    Attributes:
        manager: the `AdaptiveLossWeights` at work, None before the first losses.
        history: one row a period: step, raw losses (means over it), weights after it, and the
            `penalty` that the strategy's objective holds beside the weighted sum, mostly 0; under
            a strategy that weighs points also `point_weights`, least, mean and largest by term.
        best: the best parameters by raw losses, see `restore_best`.
        events: what happened to the weights: step, epoch (period), term, what, why.
        gradient_history: one row a period: step, `names` of the terms or groups, `norms` `[k]`,
            `cosines` `[k][k]`, and `alignment`, `conflict` and `size_ratio`, see
            `pinn_ext.measurements.alignment.scores`; `history` has these three too.
        stopped: why the callback stopped the training, or None.

    Raises:
        ValueError: if an argument is out of range; at `train()`, if names or weights do not fit
            the model's loss terms.

    Example:
        >>> import tempfile
        >>> import deepxde as dde
        >>> import pinn_ext
        >>> line = dde.geometry.Interval(0, 1)
        >>> ends = dde.icbc.DirichletBC(line, lambda x: 0 * x, lambda x, on: on)
        >>> data = dde.data.PDE(line, lambda x, y: dde.grad.hessian(y, x) + 50, [ends], 16, 2)
        >>> model = dde.Model(data, dde.nn.FNN([1, 8, 1], "tanh", "Glorot normal"))
        >>> model.compile("adam", lr=1e-3, verbose=0)
        >>> adaptive = pinn_ext.AdaptiveWeights("ema", period=10, verbose=0, diagnostics=True)
        >>> _ = model.train(iterations=20, callbacks=[adaptive], verbose=0)
        >>> [row["step"] for row in adaptive.history], list(adaptive.manager.get_weights())
        ([10, 20], ['pde_1', 'dirichlet_1'])
        >>> pde, walls = adaptive.history[-1]["weights"]
        >>> assert walls > pde  # the forcing makes the loss of the equation the larger one
        >>> adaptive.strategy, adaptive.weighs_points, adaptive.choice, adaptive.pilots
        ('ema', False, None, [])
        >>> adaptive.restore_best() == adaptive.best.step, adaptive.verdict.periods
        (True, 1)
        >>> adaptive.events[0]["why"], adaptive.seconds > 0, len(adaptive.plot().axes)
        ('held by max_ratio', True, 3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     adaptive.write_gradients(f"{folder}/gradients.csv")
        ...     adaptive.write_events(f"{folder}/events.csv")
        >>> adaptive.load_state_dict(adaptive.state_dict(), model)  # another would go on from here
    """

    def __init__(
        self,
        strategy: str = FOR_TRAINING.strategy,
        *,
        names: Sequence[str] | None = None,
        period: int = 100,
        normalization: str = FOR_TRAINING.normalization,
        max_ratio: float | None = FOR_TRAINING.max_ratio,
        rescale_moments: bool = True,
        verbose: int = 1,
        options: Mapping[str, Any] | None = None,
        ema_alpha: float = FOR_TRAINING.ema_alpha,
        weight_beta: float | None = FOR_TRAINING.weight_beta,
        update_frequency: int = FOR_TRAINING.update_frequency,
        eps: float | None = FOR_TRAINING.eps,
        min_weight: float = FOR_TRAINING.min_weight,
        max_weight: float = FOR_TRAINING.max_weight,
        max_change: float | None = FOR_TRAINING.max_change,
        groups: Mapping[str, Sequence[str]] | None = None,
        prior: bool = FOR_TRAINING.prior,
        warm_up: int = FOR_TRAINING.warm_up,
        freeze_after: int | None = FOR_TRAINING.freeze_after,
        field_scales: Sequence[float] | None = None,
        second_phase: str = "freeze",
        gradients_of: str | float = "all",
        diagnostics: bool = False,
    ) -> None:
        settings = WeightSettings(
            strategy,
            options,
            ema_alpha=ema_alpha,
            update_frequency=update_frequency,
            eps=eps,
            min_weight=min_weight,
            max_weight=max_weight,
            weight_beta=weight_beta,
            normalization=normalization,
            max_ratio=max_ratio,
            max_change=max_change,
            groups=groups,
            prior=prior,
            warm_up=warm_up,
            freeze_after=freeze_after,
        )
        self._set_up(
            settings,
            names=names,
            period=period,
            rescale_moments=rescale_moments,
            verbose=verbose,
            field_scales=field_scales,
            second_phase=second_phase,
            gradients_of=gradients_of,
            diagnostics=diagnostics,
        )

    @classmethod
    def from_settings(cls, settings: WeightSettings, **others: Any) -> AdaptiveWeights:
        """Return a callback whose weights move by settings that are made and checked already.

        Args:
            settings: of the weights, their strategy included.
            **others: arguments of the constructor that are none of them: `names`, `period`,
                `rescale_moments`, `verbose`, `field_scales`, `second_phase`, `gradients_of`,
                `diagnostics`.

        Returns:
            The callback.

        Raises:
            ValueError: if an argument is out of range.
        """
        own = cls.__new__(cls)
        own._set_up(settings, **others)
        return own

    def _set_up(
        self,
        settings: WeightSettings,
        *,
        names: Sequence[str] | None = None,
        period: int = 100,
        rescale_moments: bool = True,
        verbose: int = 1,
        field_scales: Sequence[float] | None = None,
        second_phase: str = "freeze",
        gradients_of: str | float = "all",
        diagnostics: bool = False,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.period = check_number("period", period, 1, integer=True)
        self.rescale_moments = check_switch("rescale_moments", rescale_moments)
        number = int(verbose) if isinstance(verbose, bool) else verbose
        self.verbose = check_number("verbose", number, 0, integer=True)
        self.second_phase = check_choice("second_phase", second_phase, SECOND_PHASES)
        if self.weighs_points and second_phase == "blocks":
            raise ValueError(
                f"`second_phase` must be 'freeze' for strategy {settings.strategy!r}, which weighs "
                "points, got 'blocks'."
            )
        check_switch("diagnostics", diagnostics)
        self._meter = KernelMeter(gradients_of, diagnostics)
        self._names = None if names is None else checked.loss_names(names, "names")
        check_groups(settings.groups, self._names)  # not after the first pass over the network
        # A generator can be read once only; what is wrong is said when the terms are known.
        self._scales = list(field_scales) if isinstance(field_scales, Iterator) else field_scales
        self._of_terms = settings.of_terms()
        self._own_seconds = 0.0
        self.init()

    # ---- what users call ----------------------------------------------------------------------

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened to the weights, one row an event."""
        return self._state.events

    @property
    def verdict(self) -> gradient_verdict.Verdict | None:
        """What `gradient_history` says: can weights help? None where nothing was measured."""
        return gradient_verdict.verdict(self.gradient_history)

    @property
    def pilots(self) -> list[dict[str, Any]]:
        """Of the strategy `auto`, one row a pilot.

        Its candidate, round (0 for one that took no part), iterations so far, score (None if it
        has none), whether it was kept, why, and the seconds of its block.
        """
        return self._pilots.race.rows if self._pilots else []

    @property
    def choice(self) -> str | None:
        """Of the strategy `auto`, what was chosen and why, None before that."""
        race = self._pilots.race if self._pilots else None
        if race is None or race.chosen is None:
            return None
        return f"{race.labels[race.chosen]}, as {race.reason}"

    def take_lines(self) -> list[str]:
        """Return what the pilots have said since the last call, whatever `verbose` is."""
        return self._pilots.take_lines() if self._pilots else []

    @property
    def weighs_points(self) -> bool:
        """Whether the strategy weighs points rather than terms."""
        return isinstance(self.settings.method, PointStrategy)

    @property
    def seconds(self) -> float:
        """Time that all it does in the steps has taken so far, the recorder included."""
        return self._own_seconds + (self._recorder.seconds if self._recorder else 0.0)

    def restore_best(self) -> int:
        """Put the best parameters by raw losses into the model.

        External variables are put back too. Best means the smallest sum of each raw loss over
        its first value, among the last steps of the periods (and, where weights are frozen,
        at DeepXDE's tests).

        Returns:
            How many steps the training had made then.

        Raises:
            ValueError: if no period has ended yet.
        """
        step = self.best.restore([] if self.model is None else trained_tensors(self.model))
        self._state.watch.forget()
        return step

    def write_events(self, path: str | os.PathLike[str]) -> None:
        """Write `events` as CSV: step, epoch (period), term, what, why.

        Args:
            path: of the file; one that exists is replaced.
        """
        event_files.write_events(path, self.events)

    def write_gradients(self, path: str | os.PathLike[str]) -> None:
        """Write `gradient_history` as CSV.

        The columns are step, `norm_<term>`, `cos_<a>_<b>` of each pair, alignment, conflict and
        size_ratio.

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
            **self._state.state_dict(),
            "first": self._first,
            "best": self.best.state_dict(),
            "gradient_history": list(self.gradient_history),
            "points": None if self._points is None else self._points.state_dict(),
        }

    @torch.inference_mode(False)  # tensors of inference could take no part in a backward pass
    def load_state_dict(self, state: dict[str, Any], model: Any) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the saved state.
            model: the compiled model that will be trained next.

        Raises:
            ValueError: if the state is incomplete, or belongs to another strategy or other names.
        """
        check_names("The saved state", self.state_dict(), state)
        check_state(state)
        check_saved(self._points, state["points"])
        self.model = model  # so that set_model() does not start afresh
        self.init()
        if self._pilots:
            self._pilots.load_state_dict(state["pilots"], model)
            self._state.weights = self._pilots.weights()
        self._state.load_state_dict(state, model)
        self._first = state["first"]
        self.best.load_state_dict(state["best"])
        self.gradient_history = list(state["gradient_history"])
        if self._points is not None:
            self._points.load_state_dict(state["points"])
