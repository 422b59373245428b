"""Whether the raw loss terms of a run differ so much that its units are worth a look."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

LARGEST_RATIO = 1e6
"""Raw terms that differ by more are named at the end of a run."""

_PAGE = "docs/SCALING_GUIDE.md"
_EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


def of_history(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], dtype: str
) -> dict[str, dict[str, Any] | None]:
    """Return the largest and the smallest raw term at both ends of a run, where they differ.

    A term counts while it has a weight and is above 0. At the end it has to be above eps^2 of what
    it was at the start, too: below, its residual is rounding, and its size says nothing of units.

    Args:
        rows: history of the run.
        names: of the loss terms.
        dtype: `"float32"` or `"float64"`, of the epochs; Gauss-Newton's iterations are in float64.

    Returns:
        Under `"start"` and `"end"` names, values and ratio of both terms, or None where no two
        terms differ by more than `LARGEST_RATIO`; a single row is the start.

    >>> row = {"phase": "epochs", "a": 4e-9, "weight_a": 1.0, "b": 0.4, "weight_b": 1.0}
    >>> found = of_history([row], ["a", "b"], "float32")
    >>> found["start"]["largest"], f"{found['start']['ratio']:.0e}", found["end"]
    ('b', '1e+08', None)
    """
    if not rows:
        return {"start": None, "end": None}
    first, last = rows[0], rows[-1]
    if last is first:
        return {"start": _apart(_counting(first, names)), "end": None}
    eps = _EPS["float64" if last["phase"] == "gauss_newton" else dtype]
    end = _counting(last, names)
    solved = {name for name, loss in end.items() if loss <= eps**2 * first[name]}
    return {
        "start": _apart(_counting(first, names)),
        "end": _apart({name: loss for name, loss in end.items() if name not in solved}),
    }


def _counting(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Return the raw terms of a row that are trained on and are not solved exactly."""
    losses = {name: row[name] for name in names if row[f"weight_{name}"] > 0}
    return {name: loss for name, loss in losses.items() if 0 < loss < math.inf}


def _apart(losses: Mapping[str, float]) -> dict[str, Any] | None:
    """Return the largest and the smallest of some losses if they differ by too much."""
    if not losses:
        return None
    smallest, largest = min(losses, key=losses.__getitem__), max(losses, key=losses.__getitem__)
    if losses[largest] / LARGEST_RATIO <= losses[smallest]:
        return None
    # A quotient of two finite numbers may be infinite, which JSON has no word for.
    ratio = min(losses[largest] / losses[smallest], sys.float_info.max)
    return {
        "smallest": smallest,
        "smallest_loss": losses[smallest],
        "largest": largest,
        "largest_loss": losses[largest],
        "ratio": ratio,
    }


def lines(apart: Mapping[str, Mapping[str, Any] | None], scaling: str) -> list[str]:
    """Return what the closing lines of a run say of terms that differ in size.

    Args:
        apart: what `of_history` returned.
        scaling: `problem.scaling` of the run.

    Returns:
        One line, none where nothing is to be said.
    """
    parts = [
        f"at the {when} {pair['largest']} ({pair['largest_loss']:.1e}) is {pair['ratio']:.1e} "
        f"times {pair['smallest']} ({pair['smallest_loss']:.1e})"
        for when, pair in apart.items()
        if pair is not None
    ]
    if not parts:
        return []
    cure = "problem.scales" if scaling == "fields" else "problem.scaling=fields"
    return [
        f"Raw loss terms differ by more than {LARGEST_RATIO:.0e}: {', '.join(parts)}; "
        f"where units are the reason, set {cure} ({_PAGE})."
    ]
