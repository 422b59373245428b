"""From what an epoch has shown of the terms to what a strategy may look at of its units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pinn_ext.adaptive_weights.groups import Unit
from pinn_ext.adaptive_weights.settings import WeightSettings
from pinn_ext.strategies import Gradients, Statistics


def statistics_of(
    units: Sequence[Unit],
    losses: Sequence[float],
    weights: Sequence[float],
    settings: WeightSettings,
    *,
    gradients: Gradients | None,
    ntk: Sequence[float] | None,
    scales: Sequence[float] | None,
    conditions: Sequence[bool] | None,
    **others: Any,
) -> Statistics:
    """Return the statistics of the units.

    Args:
        units: what the strategy sees as terms.
        losses: of the terms `[k]`.
        weights: in force, of the terms `[k]`.
        settings: of the weights.
        gradients: of the units, None where they were not measured.
        ntk: traces of their tangent kernels, likewise.
        scales: size of the field of each term `[k]`, None where nobody asks for it.
        conditions: whether each term is a condition `[k]`.
        **others: what else `Statistics` holds.

    Returns:
        What the strategy may look at.
    """
    of_each = [unit.gather(losses) for unit in units]
    traces = None if ntk is None else list(map(float, ntk))
    return Statistics(
        of_each,
        [unit.weight_in(weights) for unit in units],
        gradients,
        traces,
        _of_units(units, scales),
        _of_units(units, conditions),
        active=active_units(of_each, gradients, traces, settings),
        **others,
    )


def active_units(
    losses: Sequence[float],
    gradients: Gradients | None,
    ntk: Sequence[float] | None,
    settings: WeightSettings,
) -> list[bool] | None:
    """Return which units take part in an update; None where no cap on ratios is set.

    A unit that is solved, or that nothing trained moves, would ask for all the weight there is,
    and a cap on ratios would then press all others to the same one. So where a cap is set, it
    keeps its weight, as one of weight 0 does.

    Args:
        losses: of the units `[k]`.
        gradients: of them, None where they were not measured; those that only a diagnosis has
            asked for do not count, as nobody's looking may change a training.
        ntk: traces of their tangent kernels `[k]`, likewise.
        settings: of the weights.

    Returns:
        Whether the loss of each unit, and what the strategy reads beside it, is above 0 `[k]`.
    """
    if settings.limits.max_ratio is None:
        return None
    needs = settings.method.needs
    rows = [losses]
    if gradients is not None and needs & {"gradients", "gradient_vectors"}:
        rows.append(gradients.norms)
    if ntk is not None and "ntk" in needs:
        rows.append(ntk)
    return [min(row) > 0.0 for row in zip(*rows, strict=True)]


def _of_units(units: Sequence[Unit], values: Sequence[Any] | None) -> list[Any] | None:
    """Return of values of the terms `[k]` that of the first term of each unit, None for none."""
    return None if values is None else [values[unit.members[0]] for unit in units]
