"""The page of the records, made from the stored rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _records.cases import CASES, CORES, Case, Goal

FOLDER = Path(__file__).resolve().parent.parent / "records"
HEAD = """# Records

Problems on which others have published errors, each by a DeepXDE script of about a hundred lines in
`benchmarks/records/`. `python docs/write_records.py` makes this page from the rows that
`python benchmarks/records.py --case NAME --out benchmarks/records/results/NAME.json` writes.

Seconds are those of one processor core, for building and training: the machine was shared, and a
clock would have counted the work of others. A budget of ten minutes on two cores is {both} of them.
Errors are relative L2 norms against a solution that is exact or was computed by another method;
each script says which. The trivial error is that of a network that returns zero.
"""


def stored(name: str, folder: Path = FOLDER) -> Mapping[str, Any] | None:
    """Return `{"machine": …, "rows": […]}` of a case, None if it has not been run."""
    path = folder / "results" / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def text(folder: Path = FOLDER) -> str:
    """Return the page, of the cases that have results."""
    found = {name: content for name in CASES if (content := stored(name, folder)) is not None}
    parts = [HEAD.format(both=60 * 10 * CORES), table(found)]
    parts += [section(name, content, folder) for name, content in found.items()]
    return "\n".join(parts)


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one line for each goal: our error, what it took, and what others have published."""
    lines = [
        "| case | error of | ours | core seconds | floor | aim | published |",
        "|" + "---|" * 7,
    ]
    for name, content in found.items():
        case, ours = CASES[name], content["rows"][0]
        for number, goal in enumerate(case.goals):
            error = ours[f"error_{goal.measure}"]
            cells = [
                case.title if number == 0 else "",
                f"`{goal.measure}`",
                f"**{figure(error)}**",
                f"{ours['core_seconds']:.0f} of {case.core_seconds:.0f}" if number == 0 else "",
                verdict(error, goal.floor, ours, case),
                verdict(error, goal.aim, ours, case),
                published(goal),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def verdict(error: float, goal: float, ours: Mapping[str, Any], case: Case) -> str:
    """Say whether a goal is met within the budget."""
    if error > goal:
        times = error / goal
        much = f"{times:.2g}" if times < 100 else f"{times:,.0f}"
        return f"{figure(goal)}: missed by {much} times"
    late = "" if ours["core_seconds"] <= case.core_seconds else ", but late"
    return f"{figure(goal)}: met{late}"


def published(goal: Goal) -> str:
    """Return the published figure, and whose it is."""
    return "" if goal.published is None else f"{figure(goal.published)} ({goal.by})"


def section(name: str, content: Mapping[str, Any], folder: Path) -> str:
    """Return what was done on a case, and all its rows."""
    rows = content["rows"]
    measures = [key for key in rows[0] if key.startswith("error_")]
    names = [f"`{key.removeprefix('error_')}`" for key in measures]
    head = ["", *names, "parameters", "points", "iterations", "core seconds"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for each in rows:
        facts = [each[key] for key in ("parameters", "points", "iterations")]
        seconds = each["core_seconds"]
        cells = [
            each["method"],
            *(figure(each[key]) for key in measures),
            *("" if fact is None else f"{fact:,}" for fact in facts),
            "" if seconds is None else f"{seconds:.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    note = (folder / "notes" / f"{name}.md").read_text("utf-8").strip()
    facts = content["machine"]
    machine = (
        f"{facts['cpu']}, {facts['threads']} thread; pinn_ext {facts['pinn_ext']}, Python "
        f"{facts['python']}, torch {facts['torch']}, DeepXDE {facts['deepxde']}; "
        f"seed {rows[0]['seed']}."
    )
    title = f"## {CASES[name].title}"
    return "\n\n".join([title, note, "\n".join(lines), machine]) + "\n"


def figure(value: float) -> str:
    """Return an error as the page shows it."""
    return f"{value:.1e}".replace("e-0", "e-").replace("e+00", "")
