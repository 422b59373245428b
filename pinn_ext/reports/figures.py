"""Figures that are drawn without pyplot: a notebook's own backend stays as it is."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class OwnFigure(Figure):
    """A figure that pyplot does not know: no window, no need to close it."""

    def _repr_png_(self) -> bytes:
        """Return what a notebook shows where the figure is the last line of a cell."""
        content = io.BytesIO()
        self.savefig(content, format="png")
        return content.getvalue()


def new_figure(**options: Any) -> OwnFigure:
    """Return an empty figure.

    Args:
        **options: of `matplotlib.figure.Figure`.

    >>> new_figure(figsize=(2, 1)).canvas.get_width_height()
    (200, 100)
    """
    figure = OwnFigure(**options)
    FigureCanvasAgg(figure)
    return figure
