"""Draw `docs/pictures/systems/*.png`: u and v of each system, in each of its cases.

    python docs/draw_systems.py [SYSTEM …]

What is drawn is what errors are measured against, the exact solution or the reference: in one
dimension curves at five times, in two the fields at the start, half-way and at the end. Where two
kinds of boundary pose different problems, each has its picture.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pinn_ext import systems
from pinn_ext.files import replace_file
from pinn_ext.reports.figures import colour, legend_beside, new_figure
from pinn_ext.systems import FIELDS, System

FOLDER = Path(__file__).parent / "pictures" / "systems"
CURVE_POINTS, CELLS = 301, 96
_DPI = 80


def problems(names: list[str]) -> dict[str, System]:
    """Return the problems to draw by the stem of their file: system, case, and boundary if needed.

    Args:
        names: of systems.

    Returns:
        One entry a picture.
    """
    found = {}
    for name in names:
        for case in systems.cases(name) or [None]:
            boxes: dict[Any, System] = {}
            for boundary in systems.boundaries(name, case):
                system = systems.create(name, case=case, boundary=boundary)
                boxes.setdefault((system.lower, system.upper), system)
            for system in boxes.values():
                words = (name, case, system.boundary if len(boxes) > 1 else None)
                found["_".join(filter(None, words))] = system
    return found


def values(system: System, axes: list[Tensor], time: float) -> Tensor:
    """Return u and v `[2, nodes, …]` at all points of a grid at one time."""
    points = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    times = torch.full((len(points),), time, dtype=torch.float64)
    fields = system.solution(points, times).detach()
    return fields.T.reshape(2, *(len(axis) for axis in axes))


def curves(system: System) -> Figure:
    """Return a figure of u and, dashed, v over x, a curve a time."""
    figure = new_figure(figsize=(7.0, 2.3), layout="constrained")
    panels = figure.subplots(1, 2)
    (low,), (high,) = system.lower, system.upper
    x = torch.linspace(low, high, CURVE_POINTS, dtype=torch.float64)
    for quarter in range(5):
        time = system.final_time * quarter / 4
        fields = values(system, [x], time)
        for panel, field, dash in zip(panels, fields, ("-", "--"), strict=True):
            look = {"color": colour(quarter), "linestyle": dash, "linewidth": 1.3}
            panel.plot(x, field, label=f"t = {time:.3g}", **look)
    for panel, name in zip(panels, FIELDS, strict=True):
        panel.set(xlabel="x", title=name, xlim=(low, high))
        panel.grid(True, color="0.92")
    legend_beside(panels[1])
    return figure


def maps(system: System) -> Figure:
    """Return a figure of u and v over the plane, a row a field, a column a time."""
    figure = new_figure(figsize=(7.0, 4.3), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True, sharey=True)
    axes = [
        low + (high - low) * (torch.arange(CELLS, dtype=torch.float64) + 0.5) / CELLS
        for low, high in zip(system.lower, system.upper, strict=True)
    ]
    extent = (system.lower[0], system.upper[0], system.lower[1], system.upper[1])
    times = [system.final_time * half / 2 for half in range(3)]
    states = torch.stack([values(system, axes, time) for time in times], dim=1)
    for row, name, fields in zip(panels, FIELDS, states, strict=True):
        span = {"vmin": float(fields.min()), "vmax": float(fields.max())}
        for panel, field in zip(row, fields, strict=True):
            picture = panel.imshow(field.T.numpy(), origin="lower", extent=extent, **span)
            panel.locator_params(nbins=3)
        row[0].set_ylabel("y")
        figure.colorbar(picture, ax=row, label=name, pad=0.02)
    for panel, time in zip(panels[0], times, strict=True):
        panel.set_title(f"t = {time:.3g}", fontsize="medium")
    for panel in panels[1]:
        panel.set_xlabel("x")
    return figure


def draw(system: System, path: Path) -> None:
    """Draw a problem into a PNG file; the same versions of libraries draw the same bytes.

    Args:
        system: in one or two dimensions.
        path: of the file.
    """
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = curves(system) if system.dimension == 1 else maps(system)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=_DPI, metadata={"Software": None})
    flat = system.dimension == 1  # its lines have few colours, and fine edges
    replace_file(path, content.getvalue() if flat else with_palette(content))


def with_palette(picture: io.BytesIO) -> bytes:
    """Return a PNG file of maps with 256 colours, half as large: the map's own, and greys."""
    own = matplotlib.colormaps["viridis"].resampled(208)(range(208), bytes=True)[:, :3]
    greys = np.linspace(0, 255, 48).round()[:, None].repeat(3, axis=1)
    palette = np.concatenate((own, greys)).astype(np.int32)
    pixels = np.asarray(Image.open(picture).convert("RGB"), dtype=np.int32)
    seen, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    nearest = ((seen[:, None] - palette) ** 2).sum(axis=-1).argmin(axis=1).astype(np.uint8)
    few = Image.fromarray(nearest[places.reshape(-1)].reshape(pixels.shape[:2]))
    few.putpalette(palette.astype(np.uint8).tobytes())
    content = io.BytesIO()
    few.save(content, format="PNG", optimize=True)
    return content.getvalue()


def main() -> None:
    """Draw the systems that are named, or all."""
    chosen = sys.argv[1:] or systems.names()
    if unknown := [name for name in chosen if name not in systems.names()]:
        sys.exit(f"Systems are {', '.join(systems.names())}, got {', '.join(unknown)}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stem, system in problems(chosen).items():
        draw(system, FOLDER / f"{stem}.png")
        print(FOLDER / f"{stem}.png")


if __name__ == "__main__":
    main()
