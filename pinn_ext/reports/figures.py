"""Figures that are drawn into files, without pyplot: a notebook's own backend stays as it is."""

from __future__ import annotations

from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def new_figure(**options: Any) -> Figure:
    """Return a figure that belongs to nobody: it is never shown, and need not be closed.

    Args:
        **options: of `matplotlib.figure.Figure`.

    >>> new_figure(figsize=(2, 1)).canvas.get_width_height()
    (200, 100)
    """
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure
