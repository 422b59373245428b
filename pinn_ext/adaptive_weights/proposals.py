"""From what a strategy proposes for its units to the weights of the terms. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pinn_ext.adaptive_weights.groups import Unit
from pinn_ext.adaptive_weights.limits import WeightLimits
from pinn_ext.adaptive_weights.settings import WeightSettings
from pinn_ext.strategies import Proposal, Statistics


def weights_of(
    proposal: Proposal, statistics: Statistics, units: Sequence[Unit], settings: WeightSettings
) -> tuple[list[float], list[str]] | None:
    """Return the weights of the units within the limits, and what each rests on.

    Units that are not active are neither limited nor scaled: they keep their weight.

    Args:
        proposal: finite targets of the units, not negative and not all 0.
        statistics: that the proposal was made from.
        units: what the strategy sees as terms.
        settings: of the weights.

    Returns:
        As `WeightLimits.apply`; None if the targets have no scale.
    """
    taking_part, limits = statistics.taking_part(), settings.limits
    if not any(proposal.targets[i] for i in taking_part):
        return None
    if proposal.blend_beta is not None and settings.weight_beta is None:
        limits = replace(limits, weight_beta=proposal.blend_beta)
    initial = [units[i].initial for i in taking_part]
    every = statistics.weights or [unit.initial for unit in units]
    result = limits.apply(
        [float(proposal.targets[i]) for i in taking_part],
        proposal.blend,
        present=[every[i] for i in taking_part],
        initial=initial,
        losses=[statistics.losses[i] for i in taking_part],
        prior=initial if settings.prior else None,
        widths=[units[i].shares for i in taking_part],
    )
    if result is None:
        return None
    weights, resting = list(every), [""] * len(units)
    for i, weight, limit in zip(taking_part, *result, strict=True):
        weights[i], resting[i] = weight, limit
    return weights, resting


def of_members(
    weights: Sequence[float],
    units: Sequence[Unit],
    present: Sequence[float],
    limits: WeightLimits,
    taking_part: Sequence[int],
) -> list[float]:
    """Return the weight of each term, given those of the units.

    Args:
        weights: of the units.
        units: what the strategy sees as terms.
        present: weight of each term so far `[k]`; terms of no active unit keep theirs.
        limits: rounding must not leave their clamps.
        taking_part: indices of the active units.

    Returns:
        The weights `[k]`.
    """
    new = list(present)
    for k in taking_part:
        for i, share in zip(units[k].members, units[k].shares, strict=True):
            new[i] = min(max(weights[k] * share, limits.min_weight), limits.max_weight)
    return new
