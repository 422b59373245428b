"""A small table for notebooks, which show an object by its `_repr_html_`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_CELL = "text-align:right;padding:0.1em 0.8em"


def html_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as HTML; what the cells say is text, never markup.

    Args:
        title: Above the table.
        header: Of the columns, empty for none.
        rows: Cells, as many a row as there are columns; numbers have four digits.

    >>> html_table("a < b", [], [["x", 0.5]]).count("&lt;")
    1
    """
    head = "".join(f'<th style="{_CELL}">{_text(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{_text(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<div><b>{_text(title)}</b><table>{top}<tbody>{body}</tbody></table></div>"


def _text(cell: object) -> str:
    return html.escape(f"{cell:.4g}" if isinstance(cell, float) else str(cell))
