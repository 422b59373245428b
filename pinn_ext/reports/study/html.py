"""The parts of a study's page: one HTML file that needs nothing else, no network, no font."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence

from pinn_ext.reports.study.tables import Table

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto;
  max-width: 62rem; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin-top: 2.2rem;
  border-top: 1px solid #ccc; padding-top: 1rem; } h3 { font-size: 1.05rem; }
p { max-width: 46rem; } .note { color: #555; font-size: .85rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
thead th { border-bottom: 2px solid #444; }
th button { font: inherit; font-weight: 600; border: 0; background: none; color: inherit;
  cursor: pointer; padding: .25rem 0; }
th button:focus-visible { outline: 2px solid #0072B2; }
th[aria-sort=ascending] button::after { content: " \\25B2"; font-size: .7em; }
th[aria-sort=descending] button::after { content: " \\25BC"; font-size: .7em; }
tbody tr:nth-child(even) td { background: #f5f5f5; }
figure { margin: 1rem 0; overflow-x: auto; } img { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: .85rem; max-width: 46rem; }
nav ul { padding-left: 1.2rem; columns: 16rem; } a { color: #0059a0; }
@media (max-width: 40rem) { body { font-size: 15px; padding: .7rem; }
  th, td { padding: .25rem .45rem; }
  img { max-width: none; width: 42rem; } }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        return "n" in cell.dataset ? Number(cell.dataset.n) : cell.textContent;
      };
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (typeof x === typeof y) return typeof x === "number" ? x - y || 0 : x.localeCompare(y);
        return typeof x === "number" ? -1 : 1;
      };
      const rows = [...body.rows].sort(order);
      if (down) rows.reverse();
      body.append(...rows);
    });
  });
}
"""


def page(title: str, parts: Sequence[str]) -> str:
    """Return a whole page.

    Args:
        title: plain text.
        parts: HTML.
    """
    named = html.escape(title)
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, '
        f'initial-scale=1">\n<title>{named}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{STYLE}</style>"
    )
    body = "\n".join([f"<h1>{named}</h1>", *parts, f"<script>{SCRIPT}</script>"])
    whole = f"<head>\n{head}\n</head>\n<body>\n{body}\n</body>"
    return f'<!DOCTYPE html>\n<html lang="en">\n{whole}\n</html>\n'


def heading(text: str, level: int, anchor: str | None = None) -> str:
    """Return a heading.

    Args:
        text: plain.
        level: 1 to 6.
        anchor: by which a link finds it, None for none.
    """
    own = f' id="{html.escape(anchor, quote=True)}"' if anchor else ""
    return f"<h{level}{own}>{html.escape(text)}</h{level}>"


def paragraph(text: str, note: bool = False) -> str:
    """Return a paragraph of plain text, nothing for none.

    Args:
        text: plain.
        note: whether it is a small one.
    """
    kind = ' class="note"' if note else ""
    return f"<p{kind}>{html.escape(text)}</p>" if text else ""


def table(content: Table) -> str:
    """Return a table whose columns sort at a click, with its note below.

    Args:
        content: the table.
    """
    head = "".join(
        f'<th scope="col"><button type="button">{html.escape(name)}</button></th>'
        for name in content.head
    )
    lines = []
    for row in content.rows:
        cells = "".join(f"<td{_number(cell.number)}>{html.escape(cell.text)}</td>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    rows = "\n".join(lines)
    return (
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n'
        f"</table></div>\n{paragraph(content.note, note=True)}"
    )


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return f' data-n="{"Infinity" if math.isinf(value) else repr(float(value))}"'


def picture(png: bytes, caption: str) -> str:
    """Return a picture that is part of the page.

    Args:
        png: of a PNG file.
        caption: plain text, which stands for the picture where it cannot be seen as well.
    """
    data = base64.b64encode(png).decode("ascii")
    said = html.escape(caption, quote=True)
    return (
        f'<figure><img alt="{said}" src="data:image/png;base64,{data}">'
        f"<figcaption>{said}</figcaption></figure>"
    )


def contents(entries: Sequence[tuple[str, str]]) -> str:
    """Return links to sections.

    Args:
        entries: anchor and text of each.
    """
    links = "".join(
        f'<li><a href="#{html.escape(anchor, quote=True)}">{html.escape(text)}</a></li>'
        for anchor, text in entries
    )
    return f"<nav><ul>{links}</ul></nav>"
