"""Adaptive loss weights: names, scale, limits and state around a weighting strategy."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from pinn_ext import strategies
from pinn_ext.checks import check_choice, check_names, check_number
from pinn_ext.strategies import Statistics

NORMALIZATIONS = ("initial", "none", "total")


class AdaptiveLossWeights:
    """Weights of named loss terms that adapt to the values of the losses.

    An update takes the strategy's targets, limits their ratio, scales them, blends them into the
    present weights where the strategy asks for it, and clamps the result.

    Args:
        loss_names: names of the `k` loss terms.
        initial_weights: weight of each term before the first update, dimensionless, not negative.
            A term whose weight is exactly 0 keeps it and takes no part in any mean.
        strategy: one of `pinn_ext.strategies.names()`.
        ema_alpha: part of the old loss average that is kept at an update, in [0, 1).
        update_frequency: after the first call, weights move at epochs divisible by this number.
        eps: added to each loss before it is inverted, in the units of the losses.
        min_weight: smallest weight that an update may give.
        max_weight: largest weight that an update may give.
        weight_beta: part of the old weight that is kept when targets are blended in, in [0, 1).
        normalization: scale of the targets. `"initial"`: the equalising first update keeps the
            mean of the initial weights, moving averages are used as they are. `"none"`: no
            scaling, so that `w_i L_i = 1` after equalisation. `"total"`: every update keeps the
            weighted sum `sum_i w_i L_i`, which leaves the moments of Adam valid.
        max_ratio: largest ratio of two targets; they are clamped to
            `[g / sqrt(max_ratio), g sqrt(max_ratio)]` around their geometric mean g. None: no cap.

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
        weight_beta: float = 0.9,
        normalization: str = "initial",
        max_ratio: float | None = None,
    ) -> None:
        self.loss_names = _checked_loss_names(loss_names)
        check_choice("strategy", strategy, strategies.names())
        # Python's own numbers, as those of numpy would end up in the state.
        self.ema_alpha = float(check_number("ema_alpha", ema_alpha, 0, 1, open_high=True))
        self.weight_beta = float(check_number("weight_beta", weight_beta, 0, 1, open_high=True))
        frequency = check_number("update_frequency", update_frequency, 1, integer=True)
        self.update_frequency = int(frequency)
        self.eps = float(check_number("eps", eps, 1e-100))
        self.min_weight = float(check_number("min_weight", min_weight, 0, open_low=True))
        self.max_weight = float(check_number("max_weight", max_weight, min_weight))
        self.normalization = check_choice("normalization", normalization, NORMALIZATIONS)
        self.max_ratio = (
            None if max_ratio is None else float(check_number("max_ratio", max_ratio, 1))
        )
        self._strategy = strategies.create(strategy, ema_alpha=self.ema_alpha, eps=self.eps)
        self._initial = self._checked_initial(initial_weights)
        self._weights = list(self._initial)
        self._active = [i for i, weight in enumerate(self._initial) if weight > 0]
        self._epoch: int | None = None
        self._updates = 0
        self._state = self._strategy.init([self._initial[i] for i in self._active])

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self._strategy.name

    @property
    def equalizes(self) -> bool:
        """Whether the first update makes the weighted losses equal."""
        return self._strategy.equalizes

    @property
    def updates(self) -> int:
        """How many updates have moved the weights."""
        return self._updates

    def update(self, epoch: int, loss_values: Mapping[str, float]) -> dict[str, float]:
        """Let the strategy see the losses of an epoch.

        The first call counts as epoch 1 whatever its number (with bad or all-zero losses, the next
        one does); later calls act when `epoch` is
        divisible by `update_frequency`. A loss that is not finite, or negative, changes nothing
        and gives one warning.

        Args:
            epoch: number of the epoch; it must grow from call to call.
            loss_values: raw (unweighted) loss of every term, plain numbers.

        Returns:
            The weights in force after the call, by name.

        Raises:
            ValueError: if a name is missing or unknown, a loss is no plain number, or the epoch
                does not grow.
        """
        losses = self._checked_losses(loss_values)
        epoch = int(check_number("epoch", epoch, integer=True))
        if self._epoch is not None and epoch <= self._epoch:
            raise ValueError(
                f"`epoch` must grow from call to call, got {epoch} after {self._epoch}."
            )
        first = self._updates == 0
        self._epoch = epoch
        bad = [i for i, loss in enumerate(losses) if not (math.isfinite(loss) and loss >= 0)]
        if bad:
            found = ", ".join(f"{self.loss_names[i]} = {losses[i]}" for i in bad)
            warnings.warn(
                f"Loss at epoch {epoch} is not a finite number >= 0 ({found}): weights unchanged.",
                RuntimeWarning,
                stacklevel=2,
            )
        elif first or epoch % self.update_frequency == 0:
            self._move([losses[i] for i in self._active])
        return self.get_weights()

    def _move(self, losses: list[float]) -> None:
        """Run one update on the losses of the terms that have a weight."""
        if max(losses) == 0.0:  # nothing to learn from
            return
        proposal, self._state = self._strategy.update(Statistics(losses), self._state)
        if proposal is None:
            return
        present = [self._weights[i] for i in self._active]
        targets = list(proposal.targets)
        if self.max_ratio is not None:
            targets = _cap_ratio(targets, self.max_ratio)
        if self.normalization == "total" or (
            self.normalization == "initial" and not proposal.blend
        ):
            factor = self._factor(targets, present, losses)
            targets = [factor * target for target in targets]
        if proposal.blend:
            beta = self.weight_beta
            targets = [
                beta * old + (1.0 - beta) * new for old, new in zip(present, targets, strict=True)
            ]
        for i, target in zip(self._active, targets, strict=True):
            self._weights[i] = min(max(target, self.min_weight), self.max_weight)
        self._updates += 1

    def _factor(self, targets: list[float], present: list[float], losses: list[float]) -> float:
        """Return what the targets are multiplied by to have the scale of the normalization."""
        if self.normalization == "initial":
            return sum(self._initial) / sum(targets)
        # Losses enter relative to the largest, so that no sum overflows.
        largest = max(losses)
        relative = [loss / largest for loss in losses]
        old = sum(w * loss for w, loss in zip(present, relative, strict=True))
        new = sum(w * loss for w, loss in zip(targets, relative, strict=True))
        return old / new

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
            "epoch": self._epoch,
            "updates": self._updates,
            "state": copy.deepcopy(self._state),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the saved state; it must be of the same strategy and the same terms.

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
        if state["epoch"] is not None:
            check_number("The saved epoch", state["epoch"], integer=True)
        check_number("The saved number of updates", state["updates"], 0, integer=True)
        if set(state["state"] or {}) != set(self._state):
            raise ValueError(
                f"The saved state of {self.strategy} must hold {sorted(self._state)}, "
                f"got {state['state']!r}."
            )
        self._initial = list(state["initial_weights"])
        self._weights = list(state["weights"])
        self._active = [i for i, weight in enumerate(self._initial) if weight > 0]
        self._epoch = state["epoch"]
        self._updates = state["updates"]
        self._state = copy.deepcopy(state["state"])

    def _checked_initial(self, initial_weights: Mapping[str, float]) -> list[float]:
        if not isinstance(initial_weights, Mapping):
            kind = type(initial_weights).__name__
            raise ValueError(f"`initial_weights` must map each name to a number, got a {kind}.")
        check_names("`initial_weights`", self.loss_names, initial_weights)
        limits = (0.0, math.inf)
        if self.strategy != "fixed":
            limits = (self.min_weight, self.max_weight)
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


def _as_float(loss: Any) -> float:
    try:
        return float(loss)
    except OverflowError:  # a whole number beyond all floats
        return math.inf


def _cap_ratio(targets: Sequence[float], max_ratio: float) -> list[float]:
    centre = math.exp(sum(math.log(target) for target in targets) / len(targets))
    low, high = centre / math.sqrt(max_ratio), centre * math.sqrt(max_ratio)
    return [min(max(target, low), high) for target in targets]
