"""From a strategy's targets to weights: the limits that hold for every strategy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pinn_ext.checks import check_choice, check_number

NORMALIZATIONS = ("initial", "mean", "none", "total")


@dataclass(frozen=True)
class WeightLimits:
    """Ratio cap, scale, blend, largest change and clamps, in this order.

    Attributes:
        min_weight: smallest weight that an update may give.
        max_weight: largest weight that an update may give.
        weight_beta: part of the old weight that is kept when targets are blended in, in [0, 1).
        normalization: common scale of the targets, one of `NORMALIZATIONS`.
        max_ratio: largest ratio of two targets, None for no cap.
        max_change: largest factor by which one update may move a weight, None for no limit.

    Raises:
        ValueError: if a value is out of range.
    """

    min_weight: float
    max_weight: float
    weight_beta: float
    normalization: str
    max_ratio: float | None
    max_change: float | None

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_number("min_weight", self.min_weight, 0, open_low=True)
        check_number("max_weight", self.max_weight, self.min_weight)
        check_number("weight_beta", self.weight_beta, 0, 1, open_high=True)
        check_choice("normalization", self.normalization, NORMALIZATIONS)
        if self.max_ratio is not None:
            check_number("max_ratio", self.max_ratio, 1)
        if self.max_change is not None:
            check_number("max_change", self.max_change, 1, open_low=True)

    def lifted(self) -> WeightLimits:
        """Return the same without cap and clamps, for weights that are given rather than found."""
        return replace(self, min_weight=1e-300, max_weight=1e300, max_ratio=None)

    def apply(
        self,
        targets: Sequence[float],
        blend: bool,
        *,
        present: Sequence[float],
        initial: Sequence[float],
        losses: Sequence[float],
        prior: Sequence[float] | None = None,
        widths: Sequence[Sequence[float]] | None = None,
    ) -> tuple[list[float], list[str]] | None:
        """Return the weights that follow from the targets of a strategy.

        Args:
            targets: `[k]`, finite, not negative.
            blend: whether they are mixed into the present weights.
            present: the weights in force `[k]`.
            initial: the weights at the start `[k]`.
            losses: raw loss of each term `[k]`.
            prior: what the capped targets are multiplied by `[k]`, None for nothing.
            widths: weights of the members of each term over its own `[k][members]`, where it is a
                group: none of them leaves the clamps, so that their ratios stay. None for 1.

        Returns:
            The weights `[k]`, and of each one the name of the limit it rests on, or `""`; None
            if the targets have no scale, as they are zero wherever the losses are not.
        """
        limit = [""] * len(targets)
        wanted = list(targets)
        if self.max_ratio is not None:
            wanted = self._capped(wanted, limit)
        if prior is not None:
            wanted = [p * target for p, target in zip(prior, wanted, strict=True)]
        factor = self._factor(wanted, blend, present, initial, losses)
        if not 0.0 < factor < math.inf:
            return None
        wanted = [factor * target for target in wanted]
        if blend:
            beta = self.weight_beta
            pairs = zip(present, wanted, strict=True)
            wanted = [beta * old + (1.0 - beta) * new for old, new in pairs]
        if self.max_change is not None:
            wanted = self._slowed(wanted, present, limit)
        for i, target in enumerate(wanted):
            low, high = self._clamps((1.0,) if widths is None else widths[i])
            if not low <= target <= high:
                limit[i] = "min_weight" if target < low else "max_weight"
                wanted[i] = low if target < low else high
        return wanted, limit

    def _clamps(self, widths: Sequence[float]) -> tuple[float, float]:
        return self.min_weight / min(widths), self.max_weight / max(widths)

    def _capped(self, targets: list[float], limit: list[str]) -> list[float]:
        ratio = float(self.max_ratio or math.inf)
        # A target of 0 has no logarithm: the others have their own centre, it gets the least.
        logs = [math.log(target) for target in targets if target > 0.0]
        centre = math.exp(sum(logs) / len(logs))
        low, high = centre / math.sqrt(ratio), centre * math.sqrt(ratio)
        for i, target in enumerate(targets):
            if not low <= target <= high and ratio > 1.0:
                limit[i] = "max_ratio"
        return [min(max(target, low), high) for target in targets]

    def _slowed(
        self, wanted: Sequence[float], present: Sequence[float], limit: list[str]
    ) -> list[float]:
        change = float(self.max_change or math.inf)
        slowed = []
        for i, (old, new) in enumerate(zip(present, wanted, strict=True)):
            kept = min(max(new, old / change), old * change)
            if kept != new:
                limit[i] = "max_change"
            slowed.append(kept)
        return slowed

    def _factor(
        self,
        targets: Sequence[float],
        blend: bool,
        present: Sequence[float],
        initial: Sequence[float],
        losses: Sequence[float],
    ) -> float:
        """Return what the targets are multiplied by to have the scale of the normalization."""
        if self.normalization == "total":
            # Losses enter relative to the largest, so that no sum overflows.
            largest = max(losses)
            relative = [loss / largest for loss in losses]
            old = sum(w * loss for w, loss in zip(present, relative, strict=True))
            new = sum(w * loss for w, loss in zip(targets, relative, strict=True))
            return old / new if new > 0.0 else 0.0
        if self.normalization == "mean" or (self.normalization == "initial" and not blend):
            return sum(initial) / sum(targets) if sum(targets) > 0.0 else 0.0
        return 1.0
