"""How good a run's network is without its solution: by raw losses on held-out snapshots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pinn_ext.strategies.auto.successive_halving import geometric_score, scaled_score

CONDITION_FACTOR = 10.0
"""Weight of a condition's term in the held-out score, as `auto` has it."""
Row = Mapping[str, Any]


def held_out_score(
    losses: Mapping[str, float], scaling: str, factor: float = CONDITION_FACTOR
) -> float:
    """Return how good a network is by raw losses on held-out snapshots, without a solution.

    Args:
        losses: raw validation losses by the name of their term.
        scaling: `problem.scaling`; with `"fields"` the losses are in units of the fields and the
            score is their sum, conditions counted `factor` times; else, where terms have physical
            units, their geometric mean, which no unit changes.
        factor: weight of a condition's term.

    Returns:
        A number, smaller is better; infinite if a loss is not finite.

    >>> held_out_score({"PI_loss1": 0.5, "IC_loss1": 0.1}, "fields")
    1.5
    """
    values = list(losses.values())
    if scaling != "fields":
        return geometric_score(values, [1.0] * len(values))
    conditions = [name.startswith(("IC", "BC")) for name in losses]
    return scaled_score(values, [0.0] * len(values), None, conditions, factor)


def is_trained(name: str, weights: Mapping[str, float]) -> bool:
    """Return whether a term counts: one of weight 0 is trained by nobody.

    Args:
        name: of the term.
        weights: of all terms at the end, by name.
    """
    return bool(weights.get(name)) or not any(weights.values())


def of_run(
    history: Sequence[Row],
    terms: Sequence[str],
    scaling: str,
    best: Mapping[str, Any] | None = None,
    slabs: Sequence[Row] = (),
) -> float | None:
    """Return the score of the network that a run keeps, or of those of its slabs.

    Args:
        history: of the run.
        terms: names of its loss terms.
        scaling: `problem.scaling`.
        best: phase and epoch of the network that is kept, None for the last one.
        slabs: rows of the slabs where there are several, with their own `slab` and `best`; the
            mean of a loss over them counts.

    Returns:
        A finite number, smaller is better; None if a loss is not finite, or none was measured.

    Example:
        >>> rows = [
        ...     {"phase": "epochs", "epoch": epoch, "validation_PI": loss, "weight_PI": 1.0}
        ...     for epoch, loss in ((1, 0.5), (2, 0.25), (3, 0.75))
        ... ]
        >>> of_run(rows, ["PI"], "fields")
        0.75
        >>> of_run(rows, ["PI"], "fields", best={"phase": "epochs", "epoch": 2})
        0.25
    """
    places: list[tuple[Sequence[Row], Any]] = [(history, best)]
    if slabs:
        places = [([r for r in history if r["slab"] == s["slab"]], s["best"]) for s in slabs]
    kept = [_row(rows, mark if best else None) for rows, mark in places if rows]
    if not kept:
        return None
    weights = {name: kept[-1][f"weight_{name}"] for name in terms}
    losses = {
        name: sum(row[f"validation_{name}"] for row in kept) / len(kept)
        for name in terms
        if is_trained(name, weights)
    }
    score = held_out_score(losses, scaling)
    return score if math.isfinite(score) else None


def _row(rows: Sequence[Row], mark: Mapping[str, Any] | None) -> Row:
    """Return the row of a network, the last one where it has none."""
    if mark is not None:
        for row in rows:
            if (row["phase"], row["epoch"]) == (mark["phase"], mark["epoch"]):
                return row
    return rows[-1]
