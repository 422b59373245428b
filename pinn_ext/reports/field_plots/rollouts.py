"""Pictures of a roll-out: errors over time, means, and the fields of one problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from pinn_ext.losses.rollout import Rollout
from pinn_ext.reports.figures import DPI, colour, legend_beside, new_figure, tick_log
from pinn_ext.systems import FIELDS


def draw(path: Path | BinaryIO, rollout: Rollout) -> None:
    """Draw errors over time beside the frozen state, means, and the last fields of a problem.

    Args:
        path: PNG file, or an open one.
        rollout: of one problem at least; the fields are those of the first.
    """
    figure = new_figure(figsize=(12, 10), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(2, 3))
    upper, lower = parts
    left, right = upper.subplots(1, 2)
    times = rollout.times.tolist()
    errors, frozen = rollout.errors().numpy(), rollout.frozen().numpy()
    own, known = (means.numpy() for means in rollout.means())
    for i, field in enumerate(FIELDS):
        shade = colour(i)
        left.semilogy(times[1:], errors[1:, i], color=shade, marker=".", label=field)
        left.semilogy(
            times[1:], frozen[1:, i], color=shade, linestyle=":", label=f"{field}, frozen"
        )
        right.plot(times, own[:, i], color=shade, label=field)
        right.plot(times, known[:, i], color=shade, linestyle="--", label=f"{field}, reference")
    count = len(rollout.sizes)
    left.set(title=f"Roll-out on {count} unseen problems", ylabel="relative L2 error")
    right.set(title="Means of the fields")
    for axis in (left, right):
        axis.set_xlabel("t")
        axis.grid(True, which="major", color="0.92")
        legend_beside(axis)
    tick_log(left.yaxis)
    _draw_fields(lower, rollout)
    figure.savefig(path, dpi=DPI)


def _draw_fields(figure: Any, rollout: Rollout) -> None:
    size = rollout.sizes[0]
    x = rollout.positions[:size]
    last, known = rollout.states[-1, :size], rollout.reference[-1, :size]
    axes = figure.subplots(2, 3)
    for row, (i, field) in zip(axes, enumerate(FIELDS), strict=True):
        difference = last[:, i] - known[:, i]
        most = float(difference.abs().nan_to_num().max()) or 1.0
        span = {"vmin": float(known[:, i].min()), "vmax": float(known[:, i].max())}
        panels: tuple[tuple[str, Tensor, dict[str, Any]], ...] = (
            (f"{field}, network", last[:, i], span),
            (f"{field}, reference", known[:, i], span),
            (f"{field}, network - reference", difference,
             {"vmin": -most, "vmax": most, "cmap": "RdBu_r"}),
        )  # fmt: skip
        for axis, (name, values, options) in zip(row, panels, strict=True):
            picture = _draw_panel(axis, x, values, options)
            axis.set(title=name)
            figure.colorbar(picture, ax=axis, shrink=0.9)
    figure.suptitle(f"The first problem at t = {float(rollout.times[-1]):g}")


def _draw_panel(axis: Any, x: Tensor, values: Tensor, options: dict[str, Any]) -> Any:
    """Draw values at nodes: on a grid in the plane as cells, elsewhere as points."""
    colours = values.numpy()
    if x.shape[1] == 1:
        return axis.scatter(x[:, 0].numpy(), colours, c=colours, s=8, **options)
    sides = [torch.unique(column).numpy() for column in x.unbind(dim=1)]
    axis.set_aspect("equal")
    if x.shape[1] == 2 and len(sides[0]) * len(sides[1]) == len(x):
        grid = colours.reshape(len(sides[0]), len(sides[1])).T
        return axis.pcolormesh(sides[0], sides[1], grid, shading="nearest", **options)
    return axis.scatter(x[:, 0].numpy(), x[:, 1].numpy(), c=colours, s=12, **options)
