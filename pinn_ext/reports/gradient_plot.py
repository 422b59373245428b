"""The picture of how the gradients of the loss terms compare, and where they are in conflict."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from pinn_ext.measurements import gradient_verdict
from pinn_ext.reports.event_files import pairs_of
from pinn_ext.reports.figures import DPI, colour, count_along, legend_beside, line, new_figure

_CONFLICT = colour(1)
_NAMED = 8
"""Pairs of terms with a separate line and a name; more could not be told apart."""


def draw(path: str | os.PathLike[str] | BinaryIO, history: Sequence[Mapping[str, Any]]) -> None:
    """Draw lengths of the terms' gradients (left) and cosines between them (right).

    The pairs with the smallest mean cosines have names, others are grey; the mean of all is the
    alignment. Below 0 two terms are in conflict: a step down one of them goes up the other. The
    sentence of the verdict stands above.

    Args:
        path: PNG file, or an open one.
        history: the `gradient_history` of `AdaptiveWeights(..., diagnostics=True)`, at least one
            row; where the terms have changed, the rows of the last terms are drawn.

    Example:
        >>> import io
        >>> rows = [
        ...     {"step": step, "names": ["pde", "bc"], "norms": [1.0, 0.1 * step],
        ...      "cosines": [[1.0, -0.5], [-0.5, 1.0]], "alignment": -0.5, "conflict": 0.5,
        ...      "size_ratio": 10.0 / step}
        ...     for step in (1, 2)
        ... ]
        >>> picture = io.BytesIO()
        >>> draw(picture, rows)
        >>> picture.getvalue()[1:4]
        b'PNG'
    """
    names = history[-1]["names"]
    rows = [row for row in history if row["names"] == names]
    at = _positions(rows)
    mark = "." if len(rows) < 30 else ""
    count = 2 if len(names) > 1 else 1
    figure = new_figure(figsize=(7 if count == 1 else 15, 4), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    left = axes[0]
    for i, name in enumerate(names):
        norms = [row["norms"][i] or math.nan for row in rows]  # 0 has no place on the axis
        left.semilogy(at, norms, marker=mark, label=name, **line(i))
    left.set(ylabel="norm of the raw loss's gradient", title="Gradients")
    legend_beside(left)
    if count == 2:
        draw_cosines(axes[1], at, rows, mark)
        axes[1].set(ylabel="cosine", title="Angles between gradients", ylim=(-1.05, 1.05))
    for axis in axes:
        axis.set_xlabel("training step")
        count_along(axis.xaxis)
        axis.grid(True, which="major", color="0.92")
    if said := gradient_verdict.sentence(rows):
        figure.suptitle(textwrap.fill(said, 60 * count), fontsize="medium")
    figure.savefig(path, dpi=DPI)


def _positions(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the step of each row; each slab of time goes on after the one before."""
    found, start, slab, last = [], 0, None, 0
    for row in rows:
        if row.get("slab") != slab:
            start, slab = start + last, row.get("slab")
        last = row["step"]
        found.append(start + last)
    return found


def draw_cosines(
    axis: Any, at: Sequence[int], rows: Sequence[Mapping[str, Any]], mark: str
) -> None:
    """Draw the cosines between the gradients of each pair of terms, and their mean.

    Args:
        axis: of matplotlib.
        at: position of each row.
        rows: of a `gradient_history`, all of the same two terms or more.
        mark: of each row, `""` for none.
    """
    names = rows[-1]["names"]
    lines = [
        (f"{names[a]}, {names[b]}", [row["cosines"][a][b] for row in rows])
        for a, b in pairs_of(names)
    ]
    lines.sort(key=lambda pair: sum(pair[1]))
    axis.axhspan(-1.05, 0.0, color=_CONFLICT, alpha=0.07, linewidth=0)
    axis.axhline(0.0, color="0.5", linewidth=0.8)
    for i, (_, cosines) in enumerate(lines[_NAMED:]):
        label = f"{len(lines) - _NAMED} other pairs" if i == 0 else None
        axis.plot(at, cosines, color="0.75", linewidth=0.8, label=label, zorder=1)
    for i, (name, cosines) in enumerate(lines[:_NAMED]):
        conflict = f" (below 0 in {100 * sum(c < 0 for c in cosines) / len(cosines):.0f} %)"
        label = name + (conflict if min(cosines) < 0 else " (never below 0)")
        axis.plot(at, cosines, marker=mark, label=label, **line(i, alike=4))
    if len(lines) > 1:
        means = [row.get("alignment") for row in rows]
        drawn = [math.nan if mean is None else mean for mean in means]
        axis.plot(at, drawn, color="black", linewidth=2.0, label="alignment (mean)", zorder=3)
    at_the_foot = {"transform": axis.transAxes, "ha": "right", "fontsize": "small"}
    axis.text(0.99, 0.02, "conflict", color=_CONFLICT, **at_the_foot)
    legend_beside(axis)
