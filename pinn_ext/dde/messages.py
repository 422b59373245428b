"""What the callback prints, as plain functions of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pinn_ext.strategies import Method
from pinn_ext.strategies.auto.successive_halving import LEAST_OF_PILOTS

LEFT_BEHIND = (
    "weights start from 1: compile() gave none (only L-BFGS, NNCG and Gauss-Newton after a "
    "first-order training go on with its weights)"
)
"""Said where weights of a training before are not taken up."""


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


def plan_text(pilots: int, candidates: int, taken: int, given: int, part: float) -> str:
    """Return what announces pilots: `6 pilots of 4 candidates take 10 of 50 iterations`.

    Args:
        pilots: how many there are going to be.
        candidates: how many take part in the first round.
        taken: iterations that they take.
        given: iterations of the training.
        part: of the training that they were allowed.
    """
    text = f"{pilots} pilots of {candidates} candidates take {taken} of {given}"
    if taken <= part * given:
        return f"{text} iterations"
    why = f"more than budget_part={part:g} of them, as {LEAST_OF_PILOTS} periods are the least"
    return f"{text} iterations, {why}"


def pilot_text(row: Mapping[str, Any], number: int, pilots: int, broken: str | None) -> str:
    """Return what ends a pilot: `Pilot 2 of 6 (ema): score 3.1e-02 after 30 iterations`.

    Args:
        row: of the pilot, see `AdaptiveWeights.pilots`.
        number: of the pilot, from 1.
        pilots: how many there are going to be at most.
        broken: why it has broken down, None if it has not.
    """
    score = "no score" if row["score"] is None else f"score {row['score']:.3e}"
    text = f"Pilot {number} of {pilots} ({row['candidate']}): {score} after {row['iterations']}"
    return f"{text} iterations" + (f" ({broken})" if broken else "")


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
