"""What the callback prints, as plain functions of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def weights_text(weights: Mapping[str, float]) -> str:
    """Return weights on one line: `pde_1=0.12, ic_1=3.4`."""
    return ", ".join(f"{name}={weight:.3g}" for name, weight in weights.items())


def event_text(event: Mapping[str, Any]) -> str:
    """Return an event of the weights on one line: `step 300: weights stay after 3 epochs`."""
    term = f"{event['term']} " if event["term"] else ""
    verb = "weights rolled back: " if event["what"] == "rolled_back" else ""
    return f"step {event['step']}: {term}{verb}{event['why']}"


def closing_table(title: str, rows: Iterable[tuple[str, float, float, float, float]]) -> str:
    """Return the table that ends a training.

    Args:
        title: its first line.
        rows: of each term the name, raw loss first and last, weight first and last.

    Returns:
        Lines without a final newline.
    """
    rows = list(rows)
    width = max(4, *(len(row[0]) for row in rows))
    lines = [title, f"  {'term':{width}}  raw loss first       last  weight first       last"]
    for name, first, last, old, new in rows:
        lines.append(f"  {name:{width}}  {first:14.3e}  {last:9.3e}  {old:12.3e}  {new:9.3e}")
    return "\n".join(lines)
