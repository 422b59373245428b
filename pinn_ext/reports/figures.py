"""Figures that are drawn without pyplot: a notebook's own backend stays as it is."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that people with any kind of colour vision tell apart (Okabe and Ito, 2008)."""
_STYLES = ("-", "--", "-.", ":")
DPI = 120
"""Of all pictures in files."""
OTHERS: dict[str, Any] = {"color": "0.8", "linestyle": "-"}
"""The look of those that are too many to be told apart."""


def colour(number: int) -> str:
    """Return the colour of one of many lines, which come again after seven.

    Args:
        number: of the line, from 0.

    >>> colour(0), colour(7)
    ('#0072B2', '#0072B2')
    """
    return OKABE_ITO[number % len(OKABE_ITO)]


def line(number: int, alike: int = 2) -> dict[str, Any]:
    """Return the look of one of many lines: a colour each, a dash for so many in turn.

    Args:
        number: of the line, from 0.
        alike: how many successive lines share a dash; a kind of term has two, one a field.

    >>> line(2)
    {'color': '#009E73', 'linestyle': '--'}
    """
    return {"color": colour(number), "linestyle": _STYLES[number // alike % len(_STYLES)]}


def line_of_many(number: int, dashes: int) -> dict[str, Any]:
    """Return the look of one of lines that share no look, as far as there are any left.

    Args:
        number: of the line, from 0; those that matter most come first.
        dashes: how many may be used, each with all colours; lines beyond look like `OTHERS`.

    >>> line_of_many(7, dashes=2), line_of_many(14, dashes=2)
    ({'color': '#0072B2', 'linestyle': '--'}, {'color': '0.8', 'linestyle': '-'})
    """
    colours = len(OKABE_ITO)
    return line(number, alike=colours) if number < dashes * colours else dict(OTHERS)


def legend_beside(axes: Any, *entries: Any) -> None:
    """Put the legend to the right of the curves, not over them.

    Args:
        axes: of a figure with `layout="constrained"`.
        *entries: lines and their labels; without them, all that have a label.
    """
    axes.legend(*entries, fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))


def count_along(axis: Any) -> None:
    """Let an axis of epochs, iterations or steps have ticks at whole numbers alone.

    Args:
        axis: `axes.xaxis` or `axes.yaxis`.
    """
    axis.set_major_locator(MaxNLocator(integer=True))


def tick_log(axis: Any) -> None:
    """Give a logarithmic axis of few decades ticks that can be read, once all is drawn.

    Args:
        axis: `axes.xaxis` or `axes.yaxis`.
    """
    low, high = sorted(axis.get_view_interval())
    if not 0 < high < 300 * low:
        return  # powers of ten will do
    narrow = high < 8 * low
    axis.set_major_locator(MaxNLocator(5) if narrow else LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:.2g}")
    axis.set_minor_locator(NullLocator())


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
