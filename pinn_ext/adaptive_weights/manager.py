"""Adaptive loss weights: names, statistics, limits and state around a weighting strategy."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pinn_ext.adaptive_weights import checks as checked
from pinn_ext.adaptive_weights.events import HeldWeights, limit_events
from pinn_ext.adaptive_weights.groups import Unit, check_groups, units_of
from pinn_ext.adaptive_weights.proposals import of_members
from pinn_ext.adaptive_weights.settings import DEFAULTS, WeightSettings
from pinn_ext.adaptive_weights.statistics import statistics_of
from pinn_ext.adaptive_weights.strategy_at_work import StrategyAtWork
from pinn_ext.checks import check_list
from pinn_ext.strategies import Gradients, Statistics, Strategy


class AdaptiveLossWeights(HeldWeights):
    """Weights of named loss terms that adapt while training.

    An update takes the strategy's targets, limits their ratio, multiplies them by the user's own
    weights if those are a set point, scales them, blends them into the present weights where the
    strategy asks for it, limits the change and clamps the result.

    Args:
        loss_names: names of the `k` loss terms.
        initial_weights: weight of each term before the first update, dimensionless, not negative.
            A term whose weight is exactly 0 keeps it and takes no part in any mean.
        strategy: one of `pinn_ext.strategies.names()` that moves the weights of terms.
        ema_alpha: part of the old loss average that is kept at an update, in [0, 1).
        update_frequency: after the first call, weights move at epochs divisible by this number.
        eps: added to each loss before it is inverted, in the units of the losses; None for 1e-8
            times the geometric mean of the first losses above 0. Losses below 100 eps get an event.
        min_weight: smallest weight that an update may give (not of `fixed` and `field_scale`).
        max_weight: largest weight that an update may give.
        options: values for options of the strategy, see `pinn_ext.strategies.option_names`.
        weight_beta: part of the old weight that is kept when targets are blended in, in [0, 1);
            None takes what the strategy's source has, 0.9 for most.
        normalization: scale of the targets. `"initial"`: the mean of the initial weights is kept
            where targets replace the weights, and moving averages are used as they are. `"mean"`:
            it is kept at every update. `"none"`: no scaling, so that `w_i L_i = 1` once equal.
            `"total"`: an update keeps the sum of `w_i L_i`, which leaves Adam's moments valid.
        max_ratio: largest ratio of two targets; they are clamped to
            `[g / sqrt(max_ratio), g sqrt(max_ratio)]` around their geometric mean g. While its loss
            or gradient is exactly 0, a term keeps its weight and leaves cap and means. None: no
            cap, and no such exception.
        max_change: largest factor by which one update may move a weight. None: no limit.
        groups: names of terms by name of the group; the terms of a group share a weight, within
            the ratios of their initial weights. The strategy sees the sum of their losses.
        prior: whether the initial weights are a set point: targets are multiplied by them, so that
            the strategy moves around the user's ratios instead of forgetting them.
        warm_up: epochs at the start that the strategy does not see; the next is its epoch 1.
        freeze_after: epochs after which the weights stay, None for never.
        field_scales: size of the field that each term is about, by name, in the units that the
            square root of its loss is measured in; for strategies that ask for it.
        conditions: names of the terms that are conditions or data rather than equations.

    Raises:
        ValueError: if an argument is out of range.

    >>> weights = AdaptiveLossWeights(["pde", "bc"], {"pde": 1.0, "bc": 1.0})
    >>> new = weights.update(1, {"pde": 0.01, "bc": 0.03})
    >>> {name: round(weight, 3) for name, weight in new.items()}
    {'pde': 1.5, 'bc': 0.5}
    >>> weights.get_weights() == new, weights.get_weight("bc") == new["bc"], weights.updates
    (True, True, 1)
    >>> weights.strategy, weights.method.eps, weights.eps, weights.equalizes, sorted(weights.needs)
    ('equal_init', 1e-08, 1e-08, True, ['losses'])
    >>> weights.load_state_dict(weights.state_dict())  # another object would go on from here
    >>> weights.acts_at(2)
    True
    """

    def __init__(
        self,
        loss_names: Sequence[str],
        initial_weights: Mapping[str, float],
        strategy: str = DEFAULTS.strategy,
        ema_alpha: float = DEFAULTS.ema_alpha,
        update_frequency: int = DEFAULTS.update_frequency,
        eps: float | None = DEFAULTS.eps,
        min_weight: float = DEFAULTS.min_weight,
        max_weight: float = DEFAULTS.max_weight,
        *,
        options: Mapping[str, Any] | None = None,
        weight_beta: float | None = DEFAULTS.weight_beta,
        normalization: str = DEFAULTS.normalization,
        max_ratio: float | None = DEFAULTS.max_ratio,
        max_change: float | None = DEFAULTS.max_change,
        groups: Mapping[str, Sequence[str]] | None = None,
        prior: bool = DEFAULTS.prior,
        warm_up: int = DEFAULTS.warm_up,
        freeze_after: int | None = DEFAULTS.freeze_after,
        field_scales: Mapping[str, float] | None = None,
        conditions: Sequence[str] = (),
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
        self._set_up(loss_names, initial_weights, settings, field_scales, conditions)

    @classmethod
    def from_settings(
        cls,
        loss_names: Sequence[str],
        initial_weights: Mapping[str, float],
        settings: WeightSettings,
        *,
        field_scales: Mapping[str, float] | None = None,
        conditions: Sequence[str] = (),
    ) -> AdaptiveLossWeights:
        """Return weights that move by settings which are made and checked already.

        Args:
            loss_names: as in the constructor.
            initial_weights: likewise.
            settings: all that belongs to no term in particular.
            field_scales: as in the constructor, which refuses likewise.
            conditions: likewise.

        Returns:
            The weights.
        """
        own = cls.__new__(cls)
        own._set_up(loss_names, initial_weights, settings, field_scales, conditions)
        return own

    def _set_up(
        self,
        loss_names: Sequence[str],
        initial_weights: Mapping[str, float],
        settings: WeightSettings,
        field_scales: Mapping[str, float] | None,
        conditions: Sequence[str],
    ) -> None:
        self.loss_names = checked.loss_names(loss_names)
        self.settings = settings
        method = checked.of_terms(settings.method)
        self.ema_alpha, self.update_frequency = settings.ema_alpha, settings.update_frequency
        self.limits = settings.limits
        self.groups = check_groups(settings.groups, self.loss_names)
        self.prior = settings.prior
        self.warm_up, self.freeze_after = settings.warm_up, settings.freeze_after
        self._scales = checked.scales(field_scales, self.loss_names, method)
        self._conditions = checked.conditions(conditions, self.loss_names)
        self._initial = checked.initial_weights(
            initial_weights, self.loss_names, self.limits if method.limited else None
        )
        checked.needed_conditions(method, self.loss_names, self._conditions, self._initial)
        # What changes in the course of a training, as it is before the first update.
        self._hold(self._initial)
        self.penalty = 0.0
        self.units: list[Unit] = units_of(self.loss_names, self._initial, self.groups)
        self._begin: int | None = None
        self._updates = 0
        self._resting: list[str] = [""] * len(self.units)
        initial = [unit.initial for unit in self.units]
        self._strategy = StrategyAtWork(method, initial, settings.eps)

    # ---- what users ask -------------------------------------------------------------------------

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self.method.name

    @property
    def method(self) -> Strategy:
        """The strategy, an immutable object with its options as attributes."""
        return self._strategy.method

    @property
    def eps(self) -> float | None:
        """What is added to a loss before it is inverted; None where it is still to be found."""
        return self._strategy.eps

    @property
    def equalizes(self) -> bool:
        """Whether the first update makes the weighted losses equal."""
        return self.method.equalizes

    @property
    def updates(self) -> int:
        """How many updates have moved the weights."""
        return self._updates

    @property
    def needs(self) -> frozenset[str]:
        """The statistics that the strategy reads, among `pinn_ext.strategies.STATISTICS`."""
        return self.method.needs

    def acts_at(self, epoch: int) -> bool:
        """Return whether an `update` of this epoch would ask the strategy; changes nothing.

        It does not in the warm-up, after the freeze and between two updates.
        """
        return self.settings.acts_at(epoch, self._begin, self._strategy.asked == 0)

    # ---- what moves the weights -----------------------------------------------------------------

    def update(
        self,
        epoch: int,
        loss_values: Mapping[str, float],
        *,
        gradients: Gradients | None = None,
        ntk: Sequence[float] | None = None,
        progress: float | None = None,
        switches: int = 0,
    ) -> dict[str, float]:
        """Let the strategy see an epoch.

        The first call counts as epoch 1 whatever its number (with bad or all-zero losses, the next
        one does); later calls act when `epoch` is divisible by `update_frequency`. A loss that is
        not finite, or negative, changes nothing and gives one warning; so does a proposal of the
        strategy that cannot be used.

        Args:
            epoch: number of the epoch; it must grow from call to call.
            loss_values: raw (unweighted) loss of every term, plain numbers.
            gradients: of the raw losses of `units`, for strategies that read them.
            ntk: trace of the neural tangent kernel per point of each of `units`, likewise.
            progress: part of the training that is over, in [0, 1], if it is known.
            switches: how often the model was compiled with a new optimiser so far.

        Returns:
            The weights in force after it, by name.

        Raises:
            ValueError: if a name is missing or unknown, a loss is no plain number, the epoch does
                not grow, what the strategy reads is missing, or another argument is out of range.
        """
        losses = checked.losses(loss_values, self.loss_names)
        epoch = checked.next_epoch(epoch, self._epoch)
        checked.course(progress, switches)
        ntk = None if ntk is None else check_list("ntk", ntk, "be a list of numbers")
        bad = checked.bad_losses(losses, self.loss_names)
        acts = self.acts_at(epoch) and not bad
        if acts:
            checked.statistics(self.method, self.units, gradients, ntk)
        self._enter(epoch)
        if not bad:
            self.confirm()
        why = bad
        if acts:
            found = statistics_of(
                self.units,
                losses,
                self._weights,
                self.settings,
                gradients=gradients,
                ntk=ntk,
                scales=self._scales,
                conditions=self._conditions,
                update=self._strategy.asked + 1,
                progress=progress,
                switches=switches,
            )
            why = checked.bad_statistics(found, self.units) or self._move(found, losses)
        if why:
            text = f"{why}: weights unchanged"
            warnings.warn(f"At epoch {epoch} {text}.", RuntimeWarning, stacklevel=2)
            self._note("unusable", text)
        return self.get_weights()

    def _enter(self, epoch: int) -> None:
        """Take note of a new epoch, and of the weights being frozen from it on."""
        was_frozen = self.settings.is_frozen(self._epoch, self._begin)
        self._epoch, self._begin = epoch, epoch if self._begin is None else self._begin
        if self.settings.is_frozen(epoch, self._begin) and not was_frozen:
            self._note("frozen", f"weights stay after {self.freeze_after} epochs")

    def _move(self, statistics: Statistics, losses: Sequence[float]) -> str:
        """Run one update, or return why its proposal cannot be used; no weight has moved then."""
        some = statistics.taking_part()
        if not some or max(statistics.losses) == 0.0:  # nothing to learn from
            return ""
        members = [i for k in some for i in self.units[k].members]
        names = [self.loss_names[i] for i in members]
        self._tell(self._strategy.see(names, [losses[i] for i in members]))
        answer = self._strategy.ask(statistics, self.units, self.settings)
        if answer.why:
            return answer.why
        self._tell(self._strategy.take(answer.state))
        if answer.proposal is None:
            return ""
        self.penalty = float(answer.proposal.penalty)
        self._replace(of_members(answer.weights, self.units, self._weights, self.limits, some))
        self._updates += 1
        self._tell(answer.proposal.note)
        names, resting = [unit.name for unit in self.units], list(answer.resting)
        self.events += limit_events(self._epoch or 0, names, self._resting, resting)
        self._resting = resting
        return ""

    # ---- saving ---------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return everything that an exact continuation needs, as plain numbers and lists.

        The log of events is no part of it.
        """
        return {
            "strategy": self.strategy,
            "loss_names": list(self.loss_names),
            "groups": copy.deepcopy(self.groups),
            "initial_weights": list(self._initial),
            "weights": list(self._weights),
            "weights_before": copy.copy(self._before),
            "epoch": self._epoch,
            "begin": self._begin,
            "updates": self._updates,
            "penalty": self.penalty,
            "limits": list(self._resting),
            **self._strategy.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the saved state; it must be of the same strategy, terms and groups.

        Raises:
            ValueError: if it is incomplete or of another strategy, other terms or other groups.
        """
        state, units = checked.saved_state(state, self.state_dict(), self.groups, self.method)
        self._initial, self.units = list(state["initial_weights"]), units
        self._weights, self._before = list(state["weights"]), copy.copy(state["weights_before"])
        self._epoch, self._begin = state["epoch"], state["begin"]
        self._updates, self.penalty = state["updates"], state["penalty"]
        self._resting = list(state["limits"])
        self._strategy.load_state_dict(state)
