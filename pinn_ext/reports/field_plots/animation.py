"""A moving picture of u and v over time: a GIF, or MP4 where ffmpeg is."""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.animation import FFMpegWriter
from matplotlib.colors import to_rgb
from PIL import Image

from pinn_ext.files import RunError, replace_file, shortened
from pinn_ext.reports.figures import OKABE_ITO, new_figure
from pinn_ext.reports.plots import centres
from pinn_ext.systems import FIELDS, System

Fields = Callable[[np.ndarray, float], np.ndarray]
_DPI = 100
_PER_AXIS = {1: 401, 2: 121}
_COLOURS = "viridis"
_LINES = dict(zip(FIELDS, OKABE_ITO[:2], strict=True))


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

    def drawn() -> Iterator[None]:
        for number, time in enumerate(times):
            show(number)
            figure.suptitle(f"{system.name} at t = {time:.4g}")
            yield
            advance(number + 1)

    write = _gif if path.suffix.lower() == ".gif" else _movie
    try:
        replace_file(path, write(figure, drawn(), fps))
    except OSError as error:
        raise RunError(f"{shortened(path)} cannot be written ({error.strerror}).") from error
    except subprocess.CalledProcessError as error:
        said = str(error.stderr or "").strip().splitlines() or ["no more is said"]
        raise RunError(f"ffmpeg cannot write {shortened(path)} ({said[-1]}).") from error


def _gif(figure: Any, drawn: Iterator[None], fps: int) -> bytes:
    """Return a GIF of what is drawn, with one palette, so that no colour changes by itself."""

    def pictures() -> Iterator[Image.Image]:
        for _ in drawn:
            figure.canvas.draw()
            yield Image.fromarray(np.array(figure.canvas.buffer_rgba())[..., :3])

    palette = _palette()
    source = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures())
    content = io.BytesIO()
    next(source).save(
        content,
        "GIF",
        save_all=True,
        append_images=source,
        duration=round(1000 / fps),
        loop=0,
    )
    return content.getvalue()


def _palette() -> Image.Image:
    """Return the 256 colours of a GIF: those of pictures, of lines, of what is written."""
    colours = [colormaps[_COLOURS](np.linspace(0, 1, 200))[:, :3]]
    shades = np.linspace(0, 1, 8)[:, None]
    colours += [(1 - shades) * to_rgb(line) + shades for line in _LINES.values()]  # to white
    colours += [np.linspace(0, 1, 40)[:, None].repeat(3, axis=1)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.round(np.concatenate(colours) * 255).astype(np.uint8).tobytes())
    return image


def _movie(figure: Any, drawn: Iterator[None], fps: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "frames.mp4")
        writer = FFMpegWriter(fps)
        with writer.saving(figure, str(file), _DPI):
            for _ in drawn:
                writer.grab_frame()
        return file.read_bytes()


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
    figure = new_figure(figsize=(9, 4), dpi=_DPI, layout="constrained")
    axes = figure.subplots(1, 2)
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
    (line,) = axis.plot(x, values[0], color=_LINES[name])
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
        pictures[0],
        origin="lower",
        extent=(x0, x1, y0, y1),
        vmin=low,
        vmax=high,
        aspect="equal",
        cmap=_COLOURS,
    )
    axis.set(xlabel="x", ylabel="y", title=name)
    axis.figure.colorbar(image, ax=axis, shrink=0.9)
    return lambda number: image.set_data(pictures[number])
