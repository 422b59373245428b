"""Pictures of a study, drawn into memory: error against time, weights over time, ranks."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from pinn_ext.reports.figures import (
    DPI,
    OTHERS,
    legend_beside,
    line,
    line_of_many,
    new_figure,
    tick_log,
)
from pinn_ext.reports.study.results import CaseResults
from pinn_ext.reports.study.sentences import count
from pinn_ext.reports.study.statistics import critical_difference, mean_ranks

_DASHES = 3
_PANELS = 6
_OTHERS = "others"

Style = Mapping[str, Mapping[str, Any]]


def styles(strategies: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the look of each strategy's line, the same in all pictures of a study.

    Args:
        strategies: those that matter most first; beyond 21 they are grey.
    """
    return {name: line_of_many(number, _DASHES) for number, name in enumerate(strategies)}


def error_against_time(case: CaseResults, style: Style) -> bytes:
    """Draw the error of each strategy's run of median error over the seconds of training.

    Args:
        case: its results.
        style: the look of each strategy's line; those without one are grey.

    Returns:
        A PNG file.
    """
    figure = new_figure(figsize=(7.5, 4.2), layout="constrained")
    axis = figure.subplots()
    grey, order = False, {name: number for number, name in enumerate(style)}
    # Grey ones first, so that none lies over a coloured one.
    for entry in sorted(case.entries, key=lambda e: order.get(e.strategy, -1)):
        row = entry.middle_run(case.key)
        if row is None:
            continue
        curve = row["curve"]
        points = [
            (second, error)
            for second, error in zip(curve["seconds"], curve[case.key], strict=True)
            if second is not None and error is not None and error > 0
        ]
        if not points:
            continue
        look = style.get(entry.strategy, OTHERS)
        label = entry.strategy if entry.strategy in style else None if grey else _OTHERS
        grey = grey or entry.strategy not in style
        axis.plot(*zip(*points, strict=True), label=label, linewidth=1.6, **look)
    named = "relative L2 error, worse field" if case.key == "worst" else "held-out score"
    axis.set(xlabel="seconds of training", ylabel=named, yscale="log", title=case.title)
    axis.grid(True, color="0.92")
    tick_log(axis.yaxis)
    _legend(axis)
    return _png(figure)


def weights_over_time(case: CaseResults, strategies: Sequence[str]) -> bytes | None:
    """Draw the weights of each term, a panel for each of at most six strategies.

    Args:
        case: its results.
        strategies: which to draw.

    Returns:
        A PNG file, None where nothing is to be drawn.
    """
    shown = [
        (entry.strategy, row)
        for name in strategies
        if (entry := case.entry(name)) and (row := entry.middle_run(case.key))
    ][:_PANELS]
    if not shown:
        return None
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    size = 3.4 * columns + 1.6, 2.7 * lines + 0.4
    figure = new_figure(figsize=size, layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True)
    handles: dict[str, Any] = {}
    for axis, (name, row) in zip(axes.flat, shown, strict=False):
        for number, (term, values) in enumerate(row["curve"]["weights"].items()):
            at = row["curve"]["at"]
            points = [(x, w) for x, w in zip(at, values, strict=True) if w]
            if points:
                (handles[term],) = axis.plot(*zip(*points, strict=True), **line(number))
        axis.set(title=name, yscale="log")
        axis.grid(True, color="0.92")
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("epochs and iterations")
    for row_of_axes in axes:
        row_of_axes[0].set_ylabel("weight")
    figure.legend(
        handles.values(), handles, loc="outside right upper", fontsize="small", frameon=False
    )
    return _png(figure)


def rank_diagram(table: Sequence[Sequence[float]], names: Sequence[str]) -> bytes | None:
    """Draw mean ranks on a line, those that are not told apart joined (Demsar 2006, figure 1).

    Args:
        table: medians, a row for each case.
        names: of the columns.

    Returns:
        A PNG file, None for fewer than two names or without cases.
    """
    if len(names) < 2 or not table:
        return None
    ranked = sorted(zip(mean_ranks(table), names, strict=True))
    difference = critical_difference(len(names), len(table))
    groups = alike([rank for rank, _ in ranked], difference)
    k, half = len(ranked), -(-len(ranked) // 2)
    start = -0.5 - 0.22 * len(groups)
    lowest = start - 0.34 * (half - 1)
    figure = new_figure(figsize=(7.5, 0.9 - 0.75 * lowest), layout="constrained")
    axis = figure.subplots()
    room = 0.35 * (k - 1) + 0.2
    axis.set(xlim=(1 - room, k + room), ylim=(lowest - 0.25, 0.5))
    axis.hlines(0, 1, k, color="black", linewidth=1)
    for tick in range(1, k + 1):
        axis.vlines(tick, 0, 0.08, color="black", linewidth=1)
        axis.text(tick, 0.13, str(tick), ha="center", va="bottom", fontsize="small")
    for number, (first, last) in enumerate(groups):
        ends = ranked[first][0] - 0.03, ranked[last][0] + 0.03
        axis.hlines(-0.22 * (number + 1), *ends, color="0.35", linewidth=4)
    aside = 0.06 * (k - 1)
    for place, (rank, name) in enumerate(ranked):
        on_left = place < half
        y = start - 0.34 * (place if on_left else k - 1 - place)
        end = 1.0 - aside if on_left else k + aside
        axis.plot([rank, rank, end], [0, y, y], color="0.6", linewidth=0.8)
        side, step = ("right", -0.03) if on_left else ("left", 0.03)
        label = f"{name}  {rank:.2f}"
        axis.text(end + step, y, label, ha=side, va="center", fontsize="small")
    over = count(len(table), "case")
    title = f"Mean ranks over {over}; critical difference {difference:.2f}"
    axis.set_title(title, fontsize="medium")
    axis.set_axis_off()
    return _png(figure)


def alike(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """Return the longest stretches of sorted ranks that are not told apart.

    Args:
        ranks: the smallest first.
        difference: from which on two are told apart.

    Returns:
        First and last index of each stretch of at least two, none inside another.

    >>> alike([1.0, 1.5, 2.4, 3.9], 1.0)
    [(0, 1), (1, 2)]
    """
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(i for i, other in enumerate(ranks) if other - rank < difference)
        if last > first and not (found and found[-1][1] >= last):
            found.append((first, last))
    return found


def _legend(axis: Any) -> None:
    handles, labels = axis.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: labels[i] == _OTHERS)
    legend_beside(axis, [handles[i] for i in order], [labels[i] for i in order])


def _png(figure: Any) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, dpi=DPI, format="png", metadata={"Software": None})
    return content.getvalue()
