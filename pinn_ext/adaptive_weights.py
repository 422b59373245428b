"""Adaptive loss weights: names, statistics, limits and state around a weighting strategy."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, NamedTuple

from pinn_ext import strategies
from pinn_ext.checks import check_choice, check_names, check_number
from pinn_ext.strategies import Gradients, Statistics, Strategy
from pinn_ext.weight_groups import Unit, check_groups, units_of
from pinn_ext.weight_limits import NORMALIZATIONS, WeightLimits

__all__ = ["NORMALIZATIONS", "AdaptiveLossWeights", "Event"]


class Event(NamedTuple):
    """Something about the weights that a user should be able to look up.

    Attributes:
        epoch: in which it happened.
        term: name of the loss term or group, `""` for all.
        what: a word: `limit`, `unusable`, `rolled_back`, `frozen`, `begun`, `note`.
        why: a sentence without its full stop.
    """

    epoch: int
    term: str
    what: str
    why: str


class AdaptiveLossWeights:
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
        eps: added to each loss before it is inverted, in the units of the losses.
        min_weight: smallest weight that an update may give.
        max_weight: largest weight that an update may give.
        options: values for options of the strategy, see `pinn_ext.strategies.option_names`.
        weight_beta: part of the old weight that is kept when targets are blended in, in [0, 1);
            None takes what the strategy's source has, 0.9 for most.
        normalization: scale of the targets. `"initial"`: the mean of the initial weights is kept
            where targets replace the weights, and moving averages are used as they are. `"mean"`:
            it is kept at every update. `"none"`: no scaling, so that `w_i L_i = 1` after
            equalisation. `"total"`: every update keeps the weighted sum `sum_i w_i L_i`, which
            leaves the moments of Adam valid.
        max_ratio: largest ratio of two targets; they are clamped to
            `[g / sqrt(max_ratio), g sqrt(max_ratio)]` around their geometric mean g. None: no cap.
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
        ValueError: if an argument is out of range; the message says what is allowed.

    >>> weights = AdaptiveLossWeights(["pde", "bc"], {"pde": 1.0, "bc": 1.0})
    >>> new = weights.update(1, {"pde": 0.01, "bc": 0.03})
    >>> {name: round(weight, 3) for name, weight in new.items()}
    {'pde': 1.5, 'bc': 0.5}
    """

    def __init__(
        self,
        loss_names: Sequence[str],
        initial_weights: Mapping[str, float],
        strategy: str = "equal_init",
        ema_alpha: float = 0.9,
        update_frequency: int = 1,
        eps: float = 1e-8,
        min_weight: float = 1e-4,
        max_weight: float = 1e4,
        *,
        options: Mapping[str, Any] | None = None,
        weight_beta: float | None = None,
        normalization: str = "initial",
        max_ratio: float | None = None,
        max_change: float | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        prior: bool = False,
        warm_up: int = 0,
        freeze_after: int | None = None,
        field_scales: Mapping[str, float] | None = None,
        conditions: Sequence[str] = (),
    ) -> None:
        self.loss_names = _checked_loss_names(loss_names)
        check_choice("strategy", strategy, strategies.names())
        # Python's own numbers, as those of numpy would end up in the state.
        self.ema_alpha = float(check_number("ema_alpha", ema_alpha, 0, 1, open_high=True))
        frequency = check_number("update_frequency", update_frequency, 1, integer=True)
        self.update_frequency = int(frequency)
        self.eps = float(check_number("eps", eps, 1e-100))
        self._strategy = strategies.create(
            strategy, options, ema_alpha=self.ema_alpha, eps=self.eps
        )
        if self._strategy.name == "auto":
            raise ValueError(
                "`strategy` must be one that weighs loss terms, got 'auto', which lets several of "
                "them train in turns: use the callback pinn_ext.AdaptiveWeights."
            )
        if self._strategy.moves == "points":
            raise ValueError(
                f"`strategy` must be one that weighs loss terms, got {strategy!r}, which weighs "
                "points: use the callback pinn_ext.AdaptiveWeights."
            )
        self._own_beta = weight_beta is not None
        beta = weight_beta if self._own_beta else self._strategy.blend_beta
        self.limits = WeightLimits(
            min_weight=_plain(min_weight),
            max_weight=_plain(max_weight),
            weight_beta=_plain(beta),
            normalization=normalization,
            max_ratio=_plain(max_ratio),
            max_change=_plain(max_change),
        )
        self.groups = check_groups(groups, self.loss_names)
        self.prior = bool(prior)
        self.warm_up = int(check_number("warm_up", warm_up, 0, integer=True))
        self.freeze_after = freeze_after
        if freeze_after is not None:
            check_number("freeze_after", freeze_after, self.warm_up + 1, integer=True)
        self._scales = self._checked_scales(field_scales)
        self._conditions = self._checked_conditions(conditions)
        self._initial = self._checked_initial(initial_weights)
        self.events: list[Event] = []
        self.penalty = 0.0
        self._weights = list(self._initial)
        self.units: list[Unit] = units_of(self.loss_names, self._initial, self.groups)
        self._epoch: int | None = None
        self._begin: int | None = None
        self._updates = 0
        self._before: list[float] | None = None
        self._resting: list[str] = [""] * len(self.units)
        self._state = self._strategy.init([unit.initial for unit in self.units])

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self._strategy.name

    @property
    def method(self) -> Strategy:
        """The strategy, an immutable object with its options as attributes."""
        return self._strategy

    @property
    def equalizes(self) -> bool:
        """Whether the first update makes the weighted losses equal."""
        return self._strategy.equalizes

    @property
    def updates(self) -> int:
        """How many updates have moved the weights."""
        return self._updates

    @property
    def needs(self) -> frozenset[str]:
        """The statistics that the strategy reads, among `pinn_ext.strategies.STATISTICS`."""
        return self._strategy.needs

    def acts_at(self, epoch: int) -> bool:
        """Return whether the strategy would look at the losses of an epoch; changes nothing.

        Args:
            epoch: number of the epoch that `update` is going to be called with.

        Returns:
            False in the warm-up, after the freeze and between two updates.
        """
        begin = epoch if self._begin is None else self._begin
        if epoch - begin < self.warm_up or self._is_frozen(epoch):
            return False
        return self._updates == 0 or epoch % self.update_frequency == 0

    def _is_frozen(self, epoch: int | None) -> bool:
        if self.freeze_after is None or epoch is None or self._begin is None:
            return False
        return epoch - self._begin >= self.freeze_after

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
        not finite, or negative, changes nothing and gives one warning; so does an answer of the
        strategy that cannot be used.

        Args:
            epoch: number of the epoch; it must grow from call to call.
            loss_values: raw (unweighted) loss of every term, plain numbers.
            gradients: of the raw losses of `units`, for strategies that read them.
            ntk: trace of the neural tangent kernel per point of each of `units`, likewise.
            progress: part of the training that is over, in [0, 1], if it is known.
            switches: how often the optimiser has been compiled anew so far.

        Returns:
            The weights in force after the call, by name.

        Raises:
            ValueError: if a name is missing or unknown, a loss is no plain number, the epoch
                does not grow, or a statistic that the strategy reads is missing.
        """
        losses = self._checked_losses(loss_values)
        epoch = int(check_number("epoch", epoch, integer=True))
        if self._epoch is not None and epoch <= self._epoch:
            raise ValueError(
                f"`epoch` must grow from call to call, got {epoch} after {self._epoch}."
            )
        was_frozen = self._is_frozen(self._epoch)
        self._epoch = epoch
        self._begin = epoch if self._begin is None else self._begin
        if self._is_frozen(epoch) and not was_frozen:
            self._note("frozen", f"weights stay after {self.freeze_after} epochs")
        bad = [i for i, loss in enumerate(losses) if not (math.isfinite(loss) and loss >= 0)]
        if bad:
            found = ", ".join(f"{self.loss_names[i]} = {losses[i]}" for i in bad)
            self._refuse(f"a loss is not a finite number >= 0 ({found})")
        elif self.acts_at(epoch):
            self._check_statistics(gradients, ntk)
            if not _all_finite(gradients, ntk):
                self._refuse("a gradient is not finite")
                return self.get_weights()
            own = [unit.gather(losses) for unit in self.units]
            self._move(
                Statistics(
                    own,
                    [self._unit_weight(unit) for unit in self.units],
                    gradients,
                    None if ntk is None else list(map(float, ntk)),
                    self._of_units(self._scales),
                    self._of_units(self._conditions),
                    self._updates + 1,
                    progress,
                    switches,
                )
            )
        return self.get_weights()

    def _move(self, statistics: Statistics) -> None:
        """Run one update on the losses of the units."""
        losses = statistics.losses
        if max(losses) == 0.0:  # nothing to learn from
            return
        try:
            proposal, state = self._strategy.update(statistics, self._state)
        except ArithmeticError as error:
            return self._refuse(f"{self.strategy} cannot answer ({error})")
        if proposal is None:
            self._take_state(state)
            return None
        targets = proposal.targets
        if not all(0.0 <= target < math.inf for target in targets) or not any(targets):
            return self._refuse(f"{self.strategy} answers no finite weights ({list(targets)})")
        initial = [unit.initial for unit in self.units]
        limits = self.limits
        if proposal.blend_beta is not None and not self._own_beta:
            limits = replace(limits, weight_beta=proposal.blend_beta)
        result = limits.apply(
            targets,
            proposal.blend,
            present=statistics.weights or initial,
            initial=initial,
            losses=losses,
            prior=initial if self.prior else None,
        )
        if result is None:
            return self._refuse(f"{self.strategy} answers weights without a scale")
        self._take_state(state)
        self.penalty = proposal.penalty
        self._before = list(self._weights)
        weights, resting = result
        for unit, weight in zip(self.units, weights, strict=True):
            self._set(unit, weight)
        self._updates += 1
        if proposal.note:
            self._note("note", proposal.note)
        self._note_limits(resting)
        return None

    def _take_state(self, state: strategies.State) -> None:
        """Go on from the state that an update has answered, and note what it means."""
        news = self._strategy.news(self._state, state)
        if news:
            self._note("note", news)
        self._state = state

    def roll_back(self, why: str) -> bool:
        """Go back to the weights before the last update.

        Args:
            why: for the log of events.

        Returns:
            Whether there was an update to go back from.
        """
        if self._before is None or self._before == self._weights:
            return False
        self._weights, self._before = self._before, None
        self._note("rolled_back", why)
        return True

    def _set(self, unit: Unit, weight: float) -> None:
        for i, share in zip(unit.members, unit.shares, strict=True):
            self._weights[i] = min(
                max(weight * share, self.limits.min_weight), self.limits.max_weight
            )

    def _unit_weight(self, unit: Unit) -> float:
        return sum(self._weights[i] for i in unit.members) / len(unit.members)

    def _of_units(self, values: Sequence[Any] | None) -> list[Any] | None:
        """Return the value of the first term of each unit."""
        return None if values is None else [values[unit.members[0]] for unit in self.units]

    # ---- what is said and noted -----------------------------------------------------------------

    def _refuse(self, why: str) -> None:
        """Leave weights and state as they were, say so once and keep it in the log."""
        warnings.warn(
            f"At epoch {self._epoch} {why}: weights unchanged.", RuntimeWarning, stacklevel=3
        )
        self._note("unusable", f"{why}: weights unchanged")

    def _note(self, what: str, why: str, term: str = "") -> None:
        self.events.append(Event(self._epoch or 0, term, what, why))

    def _note_limits(self, resting: Sequence[str]) -> None:
        """Note units that have come to rest on a limit, or have left it."""
        for unit, old, new in zip(self.units, self._resting, resting, strict=True):
            if new and new != old:
                self._note("limit", f"held by {new}", unit.name)
            elif old and not new:
                self._note("limit", f"free again from {old}", unit.name)
        self._resting = list(resting)

    # ---- what users ask -------------------------------------------------------------------------

    def get_weight(self, loss_name: str) -> float:
        """Return the present weight of one term.

        Args:
            loss_name: name of the term.

        Returns:
            Its weight, dimensionless.

        Raises:
            ValueError: if there is no such term.
        """
        check_choice("loss_name", loss_name, self.loss_names)
        return self._weights[self.loss_names.index(loss_name)]

    def get_weights(self) -> dict[str, float]:
        """Return a copy of the present weights, by name."""
        return dict(zip(self.loss_names, self._weights, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return everything that an exact continuation needs, as plain numbers and lists."""
        return {
            "strategy": self.strategy,
            "loss_names": list(self.loss_names),
            "initial_weights": list(self._initial),
            "weights": list(self._weights),
            "weights_before": copy.copy(self._before),
            "epoch": self._epoch,
            "begin": self._begin,
            "updates": self._updates,
            "penalty": self.penalty,
            "limits": list(self._resting),
            "state": copy.deepcopy(self._state),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the saved state; it must be of the same strategy, terms and groups.

        Raises:
            ValueError: if it is incomplete or of another strategy or other terms.
        """
        if not isinstance(state, Mapping):
            raise ValueError(f"`state` must be what `state_dict` returned, got {state!r}.")
        check_names("The saved state", self.state_dict(), state)
        for key, own in (("strategy", self.strategy), ("loss_names", self.loss_names)):
            if state[key] != own:
                raise ValueError(f"The saved state must have {key} {own!r}, got {state[key]!r}.")
        for key in ("initial_weights", "weights"):
            if not isinstance(state[key], list) or len(state[key]) != len(self.loss_names):
                raise ValueError(
                    f"The saved state must have {len(self.loss_names)} {key}, got {state[key]!r}."
                )
        for key in ("epoch", "begin"):
            if state[key] is not None:
                check_number(f"The saved {key}", state[key], integer=True)
        check_number("The saved number of updates", state["updates"], 0, integer=True)
        if set(state["state"] or {}) != set(self._state):
            raise ValueError(
                f"The saved state of {self.strategy} must hold {sorted(self._state)}, "
                f"got {state['state']!r}."
            )
        units = units_of(self.loss_names, state["initial_weights"], self.groups)
        if not isinstance(state["limits"], list) or len(state["limits"]) != len(units):
            raise ValueError(
                f"The saved state must be of {len(units)} terms or groups, got {state['limits']!r}."
            )
        self._initial, self.units = list(state["initial_weights"]), units
        self._weights = list(state["weights"])
        self._before = copy.copy(state["weights_before"])
        self._epoch, self._begin = state["epoch"], state["begin"]
        self._updates, self.penalty = state["updates"], state["penalty"]
        self._resting = list(state["limits"])
        self._state = copy.deepcopy(state["state"])

    # ---- checks ---------------------------------------------------------------------------------

    def _check_statistics(self, gradients: Gradients | None, ntk: Sequence[float] | None) -> None:
        """Refuse an update without what the strategy reads."""
        given = {
            "gradients": gradients is not None,
            "gradient_vectors": gradients is not None and gradients.vectors is not None,
            "ntk": ntk is not None,
        }
        missing = [key for key, there in given.items() if key in self.needs and not there]
        if missing:
            raise ValueError(
                f"`update` must be given {' and '.join(missing)} for strategy {self.strategy!r}, "
                "got none."
            )
        for what, count in (
            ("gradients", None if gradients is None else len(gradients.squares)),
            ("ntk", None if ntk is None else len(ntk)),
        ):
            if count not in (None, len(self.units)):
                raise ValueError(
                    f"`{what}` must be of the {len(self.units)} terms or groups "
                    f"{[unit.name for unit in self.units]}, got {count}."
                )

    def _checked_scales(self, scales: Mapping[str, float] | None) -> list[float] | None:
        if scales is None:
            if "field_scales" in self._strategy.needs:
                raise ValueError(
                    f"`field_scales` must be given for strategy {self.strategy!r}, got none."
                )
            return None
        check_names("`field_scales`", self.loss_names, scales)
        for name, scale in scales.items():
            check_number(f"field_scales[{name!r}]", scale, 0, open_low=True)
        return [float(scales[name]) for name in self.loss_names]

    def _checked_conditions(self, conditions: Sequence[str]) -> list[bool]:
        for name in conditions:
            check_choice("conditions", name, self.loss_names)
        return [name in conditions for name in self.loss_names]

    def _checked_initial(self, initial_weights: Mapping[str, float]) -> list[float]:
        if not isinstance(initial_weights, Mapping):
            kind = type(initial_weights).__name__
            raise ValueError(f"`initial_weights` must map each name to a number, got a {kind}.")
        check_names("`initial_weights`", self.loss_names, initial_weights)
        limits = (0.0, math.inf)
        if self.strategy != "fixed":
            limits = (self.limits.min_weight, self.limits.max_weight)
        weights = []
        for name in self.loss_names:
            weight = initial_weights[name]
            check_number(f"initial_weights[{name!r}]", weight, 0)
            if weight != 0 and not limits[0] <= weight <= limits[1]:
                raise ValueError(
                    f"`initial_weights[{name!r}]` must be 0 or in [min_weight, max_weight] = "
                    f"[{limits[0]:g}, {limits[1]:g}], got {weight!r}."
                )
            weights.append(float(weight))
        if not any(weights):
            raise ValueError("`initial_weights` must hold at least one weight above 0, got none.")
        return weights

    def _checked_losses(self, loss_values: Mapping[str, float]) -> list[float]:
        if not isinstance(loss_values, Mapping):
            kind = type(loss_values).__name__
            raise ValueError(f"`loss_values` must map each name to a number, got a {kind}.")
        check_names("`loss_values`", self.loss_names, loss_values)
        for name, loss in loss_values.items():
            if not isinstance(loss, Real) or isinstance(loss, bool):
                raise ValueError(
                    f"`loss_values[{name!r}]` must be a plain number (a tensor has `.item()`), "
                    f"got a {type(loss).__name__}."
                )
        return [_as_float(loss_values[name]) for name in self.loss_names]


def _checked_loss_names(loss_names: Sequence[str]) -> list[str]:
    if isinstance(loss_names, str) or not isinstance(loss_names, Iterable):
        raise ValueError(f"`loss_names` must be a list of names, got {loss_names!r}.")
    names = list(loss_names)
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"`loss_names` must be a list of names, got {loss_names!r}.")
    if not names:
        raise ValueError("`loss_names` must hold at least one name, got an empty list.")
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ValueError(f"`loss_names` must be distinct, got {twins} more than once.")
    return names


def _all_finite(gradients: Gradients | None, ntk: Sequence[float] | None) -> bool:
    numbers = [] if ntk is None else [*ntk]
    if gradients is not None:
        numbers += gradients.norms
    return all(math.isfinite(number) and number >= 0 for number in numbers)


def _plain(value: Any) -> Any:
    """Return a number of numpy's, say, as Python's own; checks come later."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value


def _as_float(loss: Any) -> float:
    try:
        return float(loss)
    except OverflowError:  # a whole number beyond all floats
        return math.inf
