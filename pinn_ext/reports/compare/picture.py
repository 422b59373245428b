"""The picture of a comparison: each problem has a row, and each group of runs a line in it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pinn_ext.reports.compare.sections import Section, is_number
from pinn_ext.reports.figures import (
    DPI,
    OTHERS,
    colour,
    count_along,
    legend_beside,
    line_of_many,
    new_figure,
    tick_log,
)
from pinn_ext.reports.plots import positions
from pinn_ext.reports.report import worst_field
from pinn_ext.systems import FIELDS

_DASHES = 2
"""How many tell groups apart, each with all colours; the rest is grey."""
_WIDTH = 30
"""Characters of a label; the table has the whole one."""


def draw(
    path: Path | BinaryIO,
    sections: Sequence[Section],
    histories: Mapping[Any, Sequence[Mapping[str, Any]]],
) -> None:
    """Draw the worst-field error of every run over its epochs, and the final errors.

    Args:
        path: PNG file, or an open one.
        sections: of the comparison, those without groups are left out.
        histories: history of each job.
    """
    shown = [section for section in sections if section.groups]
    heights = [max(3.6, 0.24 * len(section.groups) + 1.2) for section in shown]
    figure = new_figure(figsize=(14, sum(heights)), layout="constrained")
    axes = figure.subplots(len(shown), 2, gridspec_kw={"height_ratios": heights}, squeeze=False)
    for section, (left, right) in zip(shown, axes, strict=True):
        _over_the_runs(left, section, histories)
        _at_the_end(right, section)
        left.set_title(f"{_plain(section.title)}\nOver the runs", fontsize="medium")
        right.set_title("At the end, smallest median on top", fontsize="medium")
    figure.savefig(path, dpi=DPI)


def _over_the_runs(
    axis: Any, section: Section, histories: Mapping[Any, Sequence[Mapping[str, Any]]]
) -> None:
    labels = _labels(section)
    places = {name: i for i, name in enumerate(labels)}
    lines = {}
    for row in reversed([row for row in section.rows if row["status"] == "ok"]):
        history = histories.get(row["job"], ())
        place = places[row["group"]]
        look = line_of_many(place, _DASHES)
        name = "others" if look == OTHERS else labels[row["group"]]
        if history:
            worst = [worst_field({f: epoch[f"error_{f}"] for f in FIELDS}) for epoch in history]
            (lines[name],) = axis.semilogy(positions(history), worst, **look)
    axis.set(xlabel="epoch", ylabel="worst-field relative L2 error")
    count_along(axis.xaxis)
    tick_log(axis.yaxis)
    axis.grid(True, color="0.92")
    order = [name for name in [*labels.values(), "others"] if name in lines]
    if order:
        legend_beside(axis, [lines[name] for name in order], order)


def _at_the_end(axis: Any, section: Section) -> None:
    labels = _labels(section)
    places = {name: i for i, name in enumerate(labels)}
    rows = [row for row in section.rows if row["status"] == "ok" and is_number(row["worst"])]
    at = [places[row["group"]] for row in rows]
    for i, (field, mark) in enumerate(zip(FIELDS, ("o", "D"), strict=True)):
        look = {"color": colour(i), "alpha": 0.7, "markersize": 5}
        axis.plot([row[field] for row in rows], at, mark, label=field, **look)
    medians = [group.median if group.is_finite else math.nan for group in section.groups]
    axis.plot(medians, range(len(labels)), "|", color="k", markersize=11, label="median worst")
    axis.set_yticks(range(len(labels)), list(labels.values()), fontsize="small")
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set(xscale="log", xlabel="relative L2 error")
    tick_log(axis.xaxis)
    axis.grid(True, color="0.92")
    legend_beside(axis)


def _labels(section: Section) -> dict[str, str]:
    """Return what each group is called in the picture, where room is short."""
    labels: dict[str, str] = {}
    taken: Counter[str] = Counter()
    for group in section.groups:
        name = group.name
        label = _plain(name if len(name) <= _WIDTH else name[: _WIDTH - 5] + " …")
        taken[label] += 1
        labels[name] = label if taken[label] == 1 else f"{label} ({taken[label]})"
    return labels


def _plain(text: str) -> str:
    """Return a text in which no part is taken for a formula."""
    return text.replace("$", r"\$")
