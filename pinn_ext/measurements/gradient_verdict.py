"""What the gradients of the terms say of a training: do they differ in size, in direction?"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

SIZE = 10.0
"""Terms differ in size where the weighted gradients of two of them differ by this factor:
the smaller of them has a tenth of the step."""

DIRECTION = -0.5
"""Two terms pull against each other where their cosine is below this: of a step along the sum of
gradients that weights have made equally long, less than half is left for each of them. Most
trainings come to that: where a weighted sum of two terms no longer falls, their gradients
cancel."""

Rows = Sequence[Mapping[str, Any]]


class Verdict(NamedTuple):
    """What the gradients say, medians over the last half of what was measured.

    Attributes:
        alignment: mean cosine between two terms.
        conflict: cosine of the two terms for which it is the smallest.
        pair: names of these two.
        size_ratio: the longest weighted gradient over the shortest; None where it is not known.
        size: whether the terms differ in size, so that weights can help.
        direction: whether terms pull against each other, so that weights choose between them.
        periods: how many periods they are medians over.
        sentence: all of it, for a user.
    """

    alignment: float
    conflict: float
    pair: tuple[str, str]
    size_ratio: float | None
    size: bool
    direction: bool
    periods: int
    sentence: str


def verdict(history: Rows) -> Verdict | None:
    """Return what the gradients of a training say.

    Args:
        history: the `gradient_history` of `AdaptiveWeights(..., diagnostics=True)`; where the terms
            have changed, the rows of the last terms count.

    Returns:
        None where nothing was measured, or no two terms had gradients at once.
    """
    rows = _last_half(history)
    medians = _medians(rows)
    if not medians:
        return None
    pair = min(medians, key=lambda own: medians[own])
    conflict = medians[pair]
    alignment = statistics.median(row["alignment"] for row in rows)
    ratios = [row["size_ratio"] for row in rows if row.get("size_ratio") is not None]
    ratio = statistics.median(ratios) if ratios else None
    size, direction = ratio is not None and ratio >= SIZE, conflict <= DIRECTION
    sentence = _sentence(ratio, conflict, pair, size, direction)
    return Verdict(alignment, conflict, pair, ratio, size, direction, len(rows), sentence)


def sentence(history: Rows) -> str:
    """Return the sentence of the verdict on a history, `""` where there is none."""
    found = verdict(history)
    return "" if found is None else found.sentence


def as_dict(history: Rows) -> dict[str, Any] | None:
    """Return the verdict on a history as a plain mapping for a report, None where there is none."""
    found = verdict(history)
    return None if found is None else {**found._asdict(), "pair": list(found.pair)}


def _last_half(history: Rows) -> Rows:
    """Return the rows of the last terms that tell angles, without the first half of them."""
    names = history[-1]["names"] if history else []
    rows = [row for row in history if row["names"] == names and row.get("alignment") is not None]
    return rows[len(rows) // 2 :]


def _medians(rows: Rows) -> dict[tuple[str, str], float]:
    """Return the median cosine of each two terms, where both had a gradient."""
    names = rows[-1]["names"] if rows else []
    found = {}
    for a, b in itertools.combinations(range(len(names)), 2):
        seen = [row["cosines"][a][b] for row in rows if row["norms"][a] and row["norms"][b]]
        if seen:
            found[names[a], names[b]] = statistics.median(seen)
    return found


def _sentence(
    ratio: float | None, conflict: float, pair: tuple[str, str], size: bool, direction: bool
) -> str:
    far = "of sizes unknown" if ratio is None else f"{ratio:.3g}-fold apart"
    of_size = f"size (weighted gradients {far})"
    of_direction = f"direction (cosine {conflict:.2f} between {pair[0]} and {pair[1]})"
    if size and direction:
        return (
            f"The gradients differ in {of_size} and in {of_direction}: weights can help with "
            "the first, and decide which of these terms gives way."
        )
    if size:
        return f"The gradients differ in {of_size}, not in {of_direction}: weights can help."
    if direction:
        return (
            f"The gradients differ in {of_direction}, not in {of_size}: weights decide which of "
            "these terms gives way, and only a trial shows whether that helps."
        )
    return (
        f"The gradients differ neither in {of_size} nor in {of_direction}: here weights have "
        "little to put right."
    )
