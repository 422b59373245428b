"""Pictures of a run. Drawn into files, never shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from pinn_ext.reports.figures import DPI, count_along, legend_beside, line, new_figure, tick_log
from pinn_ext.reports.history import PHASES, lengths, stretches
from pinn_ext.systems import FIELDS, System

Rows = Sequence[Mapping[str, Any]]


def losses(path: Path | BinaryIO, rows: Rows, names: Sequence[str]) -> None:
    """Draw raw losses, and the errors of both fields, over the run.

    Where no errors are known, losses on held-out snapshots stand in their place.

    Args:
        path: PNG file, or an open one.
        rows: history of a run.
        names: of the loss terms.
    """
    figure = new_figure(figsize=(13, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    at = positions(rows)
    for i, name in enumerate(names):
        left.semilogy(at, [r[name] for r in rows], label=name, **line(i))
    left.set(ylabel="raw (unweighted) loss", title="Training losses")
    if all(math.isnan(r[f"error_{field}"]) for r in rows for field in FIELDS):
        for i, name in enumerate(names):
            held_out = [r[f"validation_{name}"] for r in rows]
            right.semilogy(at, held_out, label=name, **line(i))
        right.set(ylabel="raw (unweighted) loss", title="Losses on held-out snapshots")
    else:
        for i, field in enumerate(FIELDS):
            right.semilogy(at, [r[f"error_{field}"] for r in rows], label=field, **line(i, 1))
        right.set(ylabel="relative L2 error", title="Errors on points never trained on")
    _finish(figure, (left, right), rows, path)


def weights(path: Path | BinaryIO, rows: Rows, names: Sequence[str]) -> None:
    """Draw the loss weights, and the weighted losses, over the run.

    Args:
        path: PNG file, or an open one.
        rows: history of a run.
        names: of the loss terms.
    """
    figure = new_figure(figsize=(13, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    at = positions(rows)
    for i, name in enumerate(names):
        # A term that a phase leaves out has no weight there, and no place on a logarithmic axis.
        weight = [r[f"weight_{name}"] or math.nan for r in rows]
        left.semilogy(at, weight, label=name, **line(i))
        weighted = [w * r[name] for w, r in zip(weight, rows, strict=True)]
        right.semilogy(at, weighted, label=name, **line(i))
    left.set(ylabel="weight", title="Loss weights")
    right.set(ylabel="weight x raw loss", title="Weighted losses")
    _finish(figure, (left, right), rows, path)


def positions(rows: Rows) -> list[float]:
    """Return where each row of a history stands on an axis of epochs and iterations.

    Args:
        rows: history of a run.

    Returns:
        One position a row; each phase, and each slab of time, goes on after the one before.
    """
    found, start, present, last = [], 0, None, 0
    for row in rows:
        stretch = (row.get("slab"), row["phase"])
        if stretch != present:
            start, present = start + last, stretch
        last = row["epoch"]
        found.append(start + last)
    return found


def _finish(figure: Any, axes: Sequence[Any], rows: Rows, path: Path | BinaryIO) -> None:
    made = stretches(rows)
    label = ", then ".join(PHASES[phase].counted for phase in lengths(rows))
    for axis in axes:
        axis.set_xlabel(label if "slab" not in rows[0] else f"{label}, slab after slab")
        start = 0
        for _, length in made[:-1]:
            start += length
            axis.axvline(start, color="0.6", linewidth=0.8)
        axis.grid(True, which="major", color="0.92")
        count_along(axis.xaxis)
        tick_log(axis.yaxis)
        legend_beside(axis)
    figure.savefig(path, dpi=DPI)


def fields(path: Path | BinaryIO, system: System, network: nn.Module, per_axis: int = 201) -> None:
    """Draw u and v on the domain only; where the solution is known, beside it, and the difference.

    In one dimension over space and time, in two over space at the final time.

    Args:
        path: PNG file, or an open one.
        system: the coupled system.
        network: positions and times `[N, dimension + 1]` to fields `[N, 2]`.
        per_axis: points along each axis of the pictures.
    """
    inputs, extent, labels, title = _field_points(system, per_axis)
    inside = system.geometry.contains(inputs[:, :-1])[:, None]
    parameter = next(network.parameters())
    with torch.no_grad():
        outputs = network(inputs.to(parameter.device, parameter.dtype)).cpu().double()
    exact = system.solution(inputs[:, :-1], inputs[:, -1]) if system.has_solution else None
    outputs = outputs.where(inside, math.nan)
    exact = None if exact is None else exact.where(inside, math.nan)
    columns_of = [panels(f, i, outputs, exact) for i, f in enumerate(FIELDS)]
    figure = new_figure(figsize=(11 if exact is not None else 5, 6), layout="constrained")
    axes = figure.subplots(2, len(columns_of[0]), squeeze=False)
    aspect = "auto" if system.dimension == 1 else "equal"  # time is no length
    for row, columns in zip(axes, columns_of, strict=True):
        for axis, (name, values, options) in zip(row, columns, strict=True):
            grid = values.reshape(per_axis, per_axis).T
            picture = axis.imshow(
                grid.numpy(), origin="lower", extent=extent, aspect=aspect, **options
            )
            axis.set(title=name, xlabel=labels[0], ylabel=labels[1])
            figure.colorbar(picture, ax=axis, shrink=0.9)
    figure.suptitle(title)
    figure.savefig(path, dpi=DPI)


def panels(
    field: str, i: int, outputs: Tensor, reference: Tensor | None
) -> list[tuple[str, Tensor, dict[str, Any]]]:
    """Return what is drawn of a field: title, values `[N]` and range of colours of each panel.

    Args:
        field: its name.
        i: its number.
        outputs: of the network `[N, 2]`, NaN off the domain.
        reference: `[N, 2]`, alike; None where it is not known.
    """
    own = outputs[:, i]
    if reference is None:
        return [(f"{field}, network", own, {})]
    known, difference = reference[:, i], own - reference[:, i]
    on_domain = known[~known.isnan()]
    span = {"vmin": on_domain.min().item(), "vmax": on_domain.max().item()}
    return [
        (f"{field}, network", own, span),
        (f"{field}, reference", known, span),
        (f"{field}, network - reference", difference, _symmetric(difference)),
    ]


def _symmetric(difference: Tensor) -> dict[str, Any]:
    largest = difference.abs().nan_to_num().max().item() or 1.0
    return {"vmin": -largest, "vmax": largest, "cmap": "RdBu_r"}


def _field_points(system: System, n: int) -> tuple[Tensor, tuple[float, ...], tuple[str, str], str]:
    """Return points `[n * n, dimension + 1]`, their extent, axis labels and a title.

    Points are the centres of the cells that are painted.
    """
    x = centres(system.lower[0], system.upper[0], n)
    end = system.final_time
    if system.dimension == 1:
        t = centres(0.0, end, n)
        extent = (system.lower[0], system.upper[0], 0.0, end)
        return torch.cartesian_prod(x, t), extent, ("x", "t"), system.title
    y = centres(system.lower[1], system.upper[1], n)
    middle = [
        torch.tensor([(low + high) / 2], dtype=torch.float64, device="cpu")
        for low, high in zip(system.lower[2:], system.upper[2:], strict=True)
    ]
    final = torch.tensor([end], dtype=torch.float64, device="cpu")
    points = torch.cartesian_prod(x, y, *middle, final)
    extent = (system.lower[0], system.upper[0], system.lower[1], system.upper[1])
    return points, extent, ("x", "y"), f"{system.title} at t = {end:g}"


def centres(low: float, high: float, n: int) -> Tensor:
    """Return the centres `[n]` of n equal cells from `low` to `high`, float64."""
    part = (torch.arange(n, dtype=torch.float64, device="cpu") + 0.5) / n
    return low + part * (high - low)
