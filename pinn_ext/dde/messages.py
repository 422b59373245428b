"""What the callback prints, as plain functions of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pinn_ext.strategies import Method


def weights_text(weights: Mapping[str, float]) -> str:
    """Return weights on one line: `pde_1=0.12, ic_1=3.4`."""
    return ", ".join(f"{name}={weight:.3g}" for name, weight in weights.items())


def start_text(strategy: str, names: Sequence[str], period: int, method: Method) -> str:
    """Return what begins a training: `ema on 2 loss terms (pde_1, ic_1), one update each …`.

    Args:
        strategy: name of the one at work.
        names: of the loss terms.
        period: iterations between two updates.
        method: that was asked for.
    """
    pace = "" if strategy == "fixed" else f", one update each {period} iterations"
    if not method.limited and pace:
        pace += ", without ratio cap and clamps"
    if method.moves == "points":
        pace = ", point weights move at each step"
    return f"{strategy} on {len(names)} loss terms ({', '.join(names)}){pace}"


def event_text(event: Mapping[str, Any]) -> str:
    """Return an event of the weights on one line: `step 300: weights stay after 3 epochs`."""
    term = f"{event['term']} " if event["term"] else ""
    verb = "weights rolled back: " if event["what"] == "rolled_back" else ""
    return f"step {event['step']}: {term}{verb}{event['why']}"


def pilots_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the table of pilots.

    Args:
        rows: see `AdaptiveWeights.pilots`.

    Returns:
        Lines without a final newline.
    """
    rows = list(rows)
    width = max(9, *(len(row["candidate"]) for row in rows)) if rows else 9
    lines = [f"  {'candidate':{width}}  round  iterations      score       "]
    for row in rows:
        score = "" if row["score"] is None else f"{row['score']:.3e}"
        number = row["round"] or ""
        kept = "kept, " if row["kept"] else ""
        name, count = row["candidate"], row["iterations"]
        lines.append(f"  {name:{width}}  {number:>5}  {count:10}  {score:>9}  {kept}{row['why']}")
    return "\n".join(line.rstrip() for line in lines)


def closing_table(
    title: str, rows: Iterable[tuple[str, float, float, float, float]], closing: str = ""
) -> str:
    """Return the table that ends a training.

    Args:
        title: its first line.
        rows: of each term the name, raw loss first and last, weight first and last.
        closing: the line below it, if any.

    Returns:
        Lines without a final newline.
    """
    rows = list(rows)
    width = max(4, *(len(row[0]) for row in rows))
    lines = [title, f"  {'term':{width}}  raw loss first       last  weight first       last"]
    for name, first, last, old, new in rows:
        lines.append(f"  {name:{width}}  {first:14.3e}  {last:9.3e}  {old:12.3e}  {new:9.3e}")
    return "\n".join([*lines, *([closing] if closing else [])])
