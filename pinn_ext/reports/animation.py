"""A moving picture of u and v over time: a GIF, or MP4 where ffmpeg is."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.animation import FFMpegWriter, PillowWriter

from pinn_ext.files import RunError, replace_file, shortened
from pinn_ext.reports.plots import centres
from pinn_ext.systems import FIELDS, System

Fields = Callable[[np.ndarray, float], np.ndarray]
_DPI = 100
_PER_AXIS = {1: 401, 2: 121}


def animate(
    path: Path,
    system: System,
    fields: Fields,
    *,
    frames: int = 60,
    fps: int = 12,
    advance: Callable[[int], None] = lambda done: None,
) -> None:
    """Draw the fields at times from 0 to the final one into a file, whole or not at all.

    Lines in one dimension, pictures in two, a cut through the middle in three; axes and colours
    are the same in all frames.

    Args:
        path: `.gif` or `.mp4`.
        system: gives the domain and the time interval.
        fields: u and v `[N, 2]` at positions `[N, dimension]` and a time.
        frames: number of times, at least 2.
        fps: frames in a second.
        advance: is told how many frames are drawn.

    Raises:
        RunError: if the file cannot be written.
    """
    x, sides = _points(system)
    outside = ~system.geometry.contains(torch.from_numpy(x)).numpy()
    times = np.linspace(0.0, system.final_time, frames)
    values = np.stack([fields(x, float(time)) for time in times]).astype(np.float64)
    values[:, outside] = np.nan
    figure, show = _figure(system, sides, values)
    writer = PillowWriter(fps) if path.suffix.lower() == ".gif" else FFMpegWriter(fps)
    try:
        with tempfile.TemporaryDirectory() as folder:
            movie = Path(folder, f"frames{path.suffix.lower()}")
            with writer.saving(figure, str(movie), _DPI):
                for number, time in enumerate(times):
                    show(number)
                    figure.suptitle(f"{system.name} at t = {time:.4g}")
                    writer.grab_frame()
                    advance(number + 1)
            replace_file(path, movie.read_bytes())
    except OSError as error:
        raise RunError(f"{shortened(path)} cannot be written ({error.strerror}).") from error
    except subprocess.CalledProcessError as error:
        said = str(error.stderr or "").strip().splitlines() or ["no more is said"]
        raise RunError(f"ffmpeg cannot write {shortened(path)} ({said[-1]}).") from error
    finally:
        plt.close(figure)


def _points(system: System) -> tuple[np.ndarray, list[int]]:
    """Return the centres of the cells that are painted `[N, dimension]`, and their numbers."""
    drawn = min(system.dimension, 2)
    ends = list(zip(system.lower, system.upper, strict=True))
    sides = [centres(low, high, _PER_AXIS[drawn]).numpy() for low, high in ends[:drawn]]
    middle = [np.array([(low + high) / 2]) for low, high in ends[drawn:]]
    grid = np.stack(np.meshgrid(*sides, *middle, indexing="ij"), axis=-1)
    return grid.reshape(-1, system.dimension), [len(side) for side in sides]


def _figure(
    system: System, sides: list[int], values: np.ndarray
) -> tuple[Any, Callable[[int], None]]:
    """Return a figure of the first frame, and what shows another one in it."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    draw = _line if len(sides) == 1 else _picture
    parts = [
        draw(axis, system, sides, values[..., i], name)
        for i, (axis, name) in enumerate(zip(axes, FIELDS, strict=True))
    ]
    figure.suptitle(f"{system.name} at t = {system.final_time:.4g}")
    figure.canvas.draw()
    figure.set_layout_engine("none")  # it would move the axes a little from frame to frame

    def show(number: int) -> None:
        for part in parts:
            part(number)

    return figure, show


def _span(values: np.ndarray) -> tuple[float, float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _line(
    axis: Any, system: System, sides: list[int], values: np.ndarray, name: str
) -> Callable[[int], None]:
    x = centres(system.lower[0], system.upper[0], sides[0]).numpy()
    (line,) = axis.plot(x, values[0], color="C0" if name == "u" else "C1")
    low, high = _span(values)
    margin = 0.05 * (high - low)
    axis.set(xlabel="x", ylabel=name, ylim=(low - margin, high + margin))
    axis.grid(True, color="0.92")
    return lambda number: line.set_ydata(values[number])


def _picture(
    axis: Any, system: System, sides: list[int], values: np.ndarray, name: str
) -> Callable[[int], None]:
    pictures = values.reshape(len(values), *sides).transpose(0, 2, 1)
    (x0, y0), (x1, y1) = system.lower[:2], system.upper[:2]
    low, high = _span(values)
    image = axis.imshow(
        pictures[0], origin="lower", extent=(x0, x1, y0, y1), vmin=low, vmax=high, aspect="equal"
    )
    axis.set(xlabel="x", ylabel="y", title=name)
    axis.figure.colorbar(image, ax=axis, shrink=0.9)
    return lambda number: image.set_data(pictures[number])
