"""The picture of a network beside fields that are known at samples alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, BinaryIO

import torch
from matplotlib.tri import Triangulation
from torch import Tensor, nn

from pinn_ext.losses.known_solution import KnownSolution
from pinn_ext.reports.figures import DPI, new_figure
from pinn_ext.reports.plots import panels
from pinn_ext.systems import FIELDS, System

_LONG = 3.0  # times the usual side: an edge across a hole or a notch of the samples


def fields(
    path: Path | BinaryIO, system: System, network: nn.Module, against: KnownSolution
) -> None:
    """Draw u and v at the samples of a known solution, beside it, and the difference.

    In one dimension over space and time, in two over space at the last time of the samples.

    Args:
        path: PNG file, or an open one.
        system: the coupled system.
        network: positions and times `[N, dimension + 1]` to fields `[N, 2]`.
        against: what it is compared with.
    """
    flat = system.dimension == 1
    inputs, known = (against.inputs, against.fields) if flat else against.last
    parameter = next(network.parameters())
    with torch.no_grad():
        outputs = network(inputs.to(parameter.device, parameter.dtype)).cpu().double()
    mesh = _triangulation(system, inputs) if len(inputs) > 3 else None
    figure = new_figure(figsize=(11, 6), layout="constrained")
    axes = figure.subplots(2, 3)
    for i, field in enumerate(FIELDS):
        for axis, panel in zip(axes[i], panels(field, i, outputs, known), strict=True):
            picture = _draw(axis, inputs, mesh, *panel[1:])
            axis.set(title=panel[0], xlabel="x", ylabel="t" if flat else "y")
            axis.set_aspect("auto" if flat else "equal")
            figure.colorbar(picture, ax=axis, shrink=0.9)
    time = "" if flat else f" at t = {inputs[:, -1].max():g}"
    figure.suptitle(f"{system.title}{time}, reference: {against.label}")
    figure.savefig(path, dpi=DPI)


def _draw(
    axis: Any, inputs: Tensor, mesh: Triangulation | None, values: Tensor, options: dict[str, Any]
) -> Any:
    if mesh is None:  # on a line, or in space: no triangles
        return axis.scatter(inputs[:, 0], inputs[:, 1], c=values, s=8, **options)
    return axis.tripcolor(mesh, values.numpy(), shading="gouraud", **options)


def _triangulation(system: System, inputs: Tensor) -> Triangulation | None:
    """Return the triangles between samples that lie in the domain; None where there are none."""
    if system.dimension > 2:
        return None
    x, y = inputs[:, 0].numpy(), inputs[:, 1].numpy()
    try:
        mesh = Triangulation(x, y)
    except (RuntimeError, ValueError):  # all on one line
        return None
    if system.dimension == 2 and not system.on_box:
        corners = inputs[:, :-1][torch.from_numpy(mesh.triangles).long()]
        inside = system.geometry.contains(corners.mean(dim=1))
        longest = (corners - corners.roll(1, dims=1)).norm(dim=2).amax(dim=1)
        usual = float(longest.median()) if len(longest) else math.inf
        mesh.set_mask((~inside | (longest > _LONG * usual)).numpy())
    return mesh
