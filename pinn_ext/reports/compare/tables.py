"""The tables of a comparison as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pinn_ext.reports.compare.sections import Row, Section
from pinn_ext.reports.compare.verdict import Group


def text(sections: Sequence[Section]) -> str:
    """Return the tables and verdicts of a comparison.

    Args:
        sections: one a problem.

    Returns:
        Blocks of lines with an empty line between them.
    """
    blocks = []
    for section in sections:
        blocks.append(_runs(section))
        if any(len(group.worst) > 1 for group in section.groups):
            blocks.append(_seeds(section.groups))
        if section.verdict:
            blocks.append(section.verdict)
    return "\n\n".join(blocks)


def _runs(section: Section) -> str:
    lines = [["job", "strategy", "u", "v", "raw loss", "seconds", "status", "differs", "overrides"]]
    for row in section.rows:
        lines.append(
            [
                str(row["job"]),
                row["strategy"],
                _number(row["u"], ".2e"),
                _number(row["v"], ".2e"),
                _number(row["raw_loss"], ".2e"),
                _number(row["seconds"], ".1f"),
                row["status"],
                row["differs"],
                row["overrides"],
            ]
        )
    if not any(row["differs"] for row in section.rows):
        lines = [line[:7] + line[8:] for line in lines]
    notes = [_note(row) for row in section.rows if row["message"]]
    head = "Relative L2 errors, the smallest worst field first:"
    return "\n".join([section.title, head, _aligned(lines), *notes])


def _note(row: Row) -> str:
    return f"job {row['job']} {row['status']}: {row['message']}"


def _number(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)


def _seeds(groups: Sequence[Group]) -> str:
    lines = [["strategy", "runs", "median", "smallest", "largest", "settings"]]
    for group in groups:
        numbers = [format(n, ".2e") for n in (group.median, group.smallest, group.largest)]
        lines.append([group.strategy, str(len(group.worst)), *numbers, group.label])
    return "Worst-field error over the seeds:\n" + _aligned(lines)


def _aligned(lines: list[list[str]]) -> str:
    """Return lines of cells laid out in columns, two spaces apart."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
