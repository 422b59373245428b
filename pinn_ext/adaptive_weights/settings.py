"""How adaptive weights are to move: every setting with its default, checked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields, replace
from typing import Any

from pinn_ext import strategies
from pinn_ext.adaptive_weights import checks as checked
from pinn_ext.adaptive_weights.groups import check_groups
from pinn_ext.adaptive_weights.limits import WeightLimits
from pinn_ext.checks import check_number, check_switch
from pinn_ext.strategies import Method, PointStrategy, Strategy
from pinn_ext.strategies.base.terms import EMA_ALPHA, EPS


@dataclass(frozen=True)
class WeightSettings:
    """The settings of `AdaptiveLossWeights` that belong to no loss term in particular.

    What each one means stands there. An object is checked when it is made and has built its
    strategy by then, so whoever holds one need do neither.

    Attributes:
        method: the strategy, an immutable object.
        limits: ratio cap, scale, blend, largest change and clamps.

    Raises:
        ValueError: if a value is out of range.

    Example:
        >>> settings = WeightSettings("ema", ema_alpha=0.5, warm_up=2, update_frequency=10)
        >>> settings.updates_in(100)
        11
        >>> settings.acts_at(2, begin=1, first=True), settings.acts_at(10, begin=1, first=False)
        (False, True)
        >>> settings.is_frozen(90, begin=1), settings.needs_conditions, settings.unreachable(100)
        (False, False, None)
        >>> settings.as_dict()["update_frequency"], settings.of_terms() is settings
        (10, True)
        >>> settings.with_strategy("softadapt").method.name
        'softadapt'
        >>> WeightSettings("ema", min_weight=1.0, max_weight=0.1)
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `max_weight` must be a finite number >= 1, got 0.1.
    """

    strategy: str = "equal_init"
    options: Mapping[str, Any] | None = None
    ema_alpha: float = EMA_ALPHA
    update_frequency: int = 1
    eps: float | None = EPS
    min_weight: float = 1e-4
    max_weight: float = 1e4
    weight_beta: float | None = None
    normalization: str = "initial"
    max_ratio: float | None = None
    max_change: float | None = None
    groups: Mapping[str, Sequence[str]] | None = None
    prior: bool = False
    warm_up: int = 0
    freeze_after: int | None = None
    built: InitVar[Strategy | None] = None
    method: Method = field(init=False, repr=False, compare=False)
    limits: WeightLimits = field(init=False, repr=False, compare=False)

    def __post_init__(self, built: Strategy | None) -> None:
        """Refuse values out of range, and build what follows from them."""
        strategies.class_of(self.strategy)
        # Python's own numbers, as those of numpy would end up in the state.
        alpha = check_number("ema_alpha", self.ema_alpha, 0, 1, open_high=True)
        self._set("ema_alpha", float(alpha))
        frequency = check_number("update_frequency", self.update_frequency, 1, integer=True)
        self._set("update_frequency", int(frequency))
        if self.eps is not None:
            self._set("eps", float(check_number("eps", self.eps, 1e-100)))
        create, eps = strategies.create, EPS if self.eps is None else self.eps
        method = built or create(self.strategy, self.options, ema_alpha=self.ema_alpha, eps=eps)
        self._set("method", method)
        self._set("limits", self._limits())
        self._set("groups", check_groups(self.groups))
        check_switch("prior", self.prior)
        warm_up, freeze_after = checked.span(self.warm_up, self.freeze_after)
        self._set("warm_up", warm_up)
        self._set("freeze_after", freeze_after)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the object is not frozen before it is whole

    def _limits(self) -> WeightLimits:
        beta = self.method.blend_beta if self.weight_beta is None else self.weight_beta
        given = (self.min_weight, self.max_weight, beta, self.normalization)
        limits = WeightLimits(*map(checked.plain, (*given, self.max_ratio, self.max_change)))
        return limits if self.method.limited else limits.lifted()

    def with_strategy(
        self, name: str, options: Mapping[str, Any] | None = None, built: Strategy | None = None
    ) -> WeightSettings:
        """Return the same settings for another strategy.

        Args:
            name: of the strategy.
            options: of the strategy.
            built: the strategy itself, if it is there already.

        Returns:
            New settings.
        """
        return replace(self, strategy=name, options=options, built=built)

    @property
    def needs_conditions(self) -> bool:
        """Whether the strategy can do nothing where all terms are equations."""
        return bool(getattr(self.method, "needs_conditions", False))

    def of_terms(self) -> WeightSettings:
        """Return settings that weigh terms: these, or `fixed` where the strategy weighs points."""
        return self.with_strategy("fixed") if isinstance(self.method, PointStrategy) else self

    def is_frozen(self, epoch: int | None, begin: int | None) -> bool:
        """Return whether the weights stay from an epoch on, in a training that began at `begin`."""
        if self.freeze_after is None or epoch is None or begin is None:
            return False
        return epoch - begin >= self.freeze_after

    def acts_at(self, epoch: int, begin: int | None, first: bool) -> bool:
        """Return whether the strategy looks at the losses of an epoch.

        Args:
            epoch: its number.
            begin: number of the first epoch of the training, None if this is it.
            first: whether the strategy has not been asked yet.

        Returns:
            False in the warm-up, after the freeze and between two updates.
        """
        begin = epoch if begin is None else begin
        if epoch - begin < self.warm_up or self.is_frozen(epoch, begin):
            return False
        return first or epoch % self.update_frequency == 0

    def updates_in(self, epochs: int) -> int:
        """Return how many updates the strategy is asked for in a training of some epochs."""
        first = 1 + self.warm_up
        last = epochs if self.freeze_after is None else min(epochs, self.freeze_after)
        if last < first:
            return 0
        return 1 + last // self.update_frequency - first // self.update_frequency

    def unreachable(self, epochs: int) -> str | None:
        """Return what of the strategy cannot come about in a training of some epochs.

        Args:
            epochs: of the training, the warm-up included.

        Returns:
            A sentence without its full stop, None where everything can.
        """
        method = self.method
        return method.unreachable(self.updates_in(epochs)) if isinstance(method, Strategy) else None

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name, as they can be given to `WeightSettings`."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.init}


DEFAULTS = WeightSettings()
"""Those of the class `AdaptiveLossWeights`: exactly the formulas of the methods."""

FOR_TRAINING = replace(DEFAULTS, normalization="total", max_ratio=100.0, eps=None)
"""Those of everything that trains: an update keeps the weighted sum, which leaves the moments of
Adam valid, weights that follow a moving average do not run away from one another, and those that
equalise losses do so in any unit."""
