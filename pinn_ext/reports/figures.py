"""Figures that are drawn without pyplot: a notebook's own backend stays as it is."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_STYLES = ("-", "--", "-.", ":")


def line(number: int, alike: int = 2) -> dict[str, str]:
    """Return the look of one of many lines: a colour each, a dash for so many in turn.

    Args:
        number: of the line, from 0.
        alike: how many successive lines share a dash; a kind of term has two, one a field.

    >>> line(2)
    {'color': 'C2', 'linestyle': '--'}
    """
    return {"color": f"C{number}", "linestyle": _STYLES[number // alike % len(_STYLES)]}


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
