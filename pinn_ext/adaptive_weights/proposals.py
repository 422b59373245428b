"""From what a strategy proposes for its units to the weights of the terms. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pinn_ext.adaptive_weights.groups import Unit
from pinn_ext.adaptive_weights.limits import WeightLimits
from pinn_ext.adaptive_weights.settings import WeightSettings
from pinn_ext.strategies import Proposal, Statistics


def of_units(units: Sequence[Unit], values: Sequence[Any] | None) -> list[Any] | None:
    """Return of values of the terms `[k]` that of the first term of each unit, None for none."""
    return None if values is None else [values[unit.members[0]] for unit in units]


def weights_of(
    proposal: Proposal, statistics: Statistics, units: Sequence[Unit], settings: WeightSettings
) -> tuple[list[float], list[str]] | None:
    """Return the weights of the units within the limits, and what each rests on.

    Args:
        proposal: finite targets of the units, not negative and not all 0.
        statistics: that the proposal was made from.
        units: what the strategy sees as terms.
        settings: of the weights.

    Returns:
        As `WeightLimits.apply`; None if the targets have no scale.
    """
    initial, limits = [unit.initial for unit in units], settings.limits
    if proposal.blend_beta is not None and settings.weight_beta is None:
        limits = replace(limits, weight_beta=proposal.blend_beta)
    return limits.apply(
        [float(target) for target in proposal.targets],
        proposal.blend,
        present=statistics.weights or initial,
        initial=initial,
        losses=statistics.losses,
        prior=initial if settings.prior else None,
        widths=[unit.shares for unit in units],
    )


def of_members(
    weights: Sequence[float],
    units: Sequence[Unit],
    present: Sequence[float],
    limits: WeightLimits,
) -> list[float]:
    """Return the weight of each term, given those of the units.

    Args:
        weights: of the units.
        units: what the strategy sees as terms.
        present: weight of each term so far `[k]`; terms of no unit keep theirs.
        limits: rounding must not leave their clamps.

    Returns:
        The weights `[k]`.
    """
    new = list(present)
    for unit, weight in zip(units, weights, strict=True):
        for i, share in zip(unit.members, unit.shares, strict=True):
            new[i] = min(max(weight * share, limits.min_weight), limits.max_weight)
    return new
