"""Tables of what happened to the weights, and of the lengths and angles of the terms' gradients."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinn_ext.files import replace_file
from pinn_ext.measurements.alignment import SCORES
from pinn_ext.reports.growing_file import csv_rows

EVENTS_FILE = "events.csv"
GRADIENTS_FILE = "gradients.csv"
EVENT_COLUMNS = ("step", "epoch", "term", "what", "why")

Rows = Sequence[Mapping[str, Any]]


def pairs_of(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return the indices `(a, b)`, a < b, of each two terms."""
    return list(itertools.combinations(range(len(names)), 2))


def gradient_columns(names: Sequence[str]) -> list[str]:
    """Return the columns of the table of gradients.

    Args:
        names: of the terms or groups.

    Returns:
        `step`, `norm_<term>` of each, `cos_<a>_<b>` of each two, and `SCORES`.

    >>> gradient_columns(["pde", "bc"])
    ['step', 'norm_pde', 'norm_bc', 'cos_pde_bc', 'alignment', 'conflict', 'size_ratio']
    """
    norms = [f"norm_{name}" for name in names]
    angles = [f"cos_{names[a]}_{names[b]}" for a, b in pairs_of(names)]
    return ["step", *norms, *angles, *SCORES]


def gradient_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `gradient_history` by column, see `gradient_columns`."""
    angles = [row["cosines"][a][b] for a, b in pairs_of(row["names"])]
    values = [row["step"], *row["norms"], *angles, *(row.get(key) for key in SCORES)]
    slab = {"slab": row["slab"]} if "slab" in row else {}
    return slab | dict(zip(gradient_columns(row["names"]), values, strict=True))


def event_table(events: Rows) -> str:
    """Return events as CSV text, with a header; those of slabs of time say which in front."""
    slab = ["slab"] if events and "slab" in events[0] else []
    return _table([*slab, *EVENT_COLUMNS], events)


def gradient_table(history: Rows) -> str:
    """Return a `gradient_history` as CSV text; where the terms change, new columns come behind."""
    rows = [gradient_row(row) for row in history]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return _table(columns or ["step"], rows)


def event_rows(text: str) -> list[dict[str, Any]]:
    """Return the events of an `event_table`."""
    columns, *rows = csv_rows(text)
    events = [dict(zip(columns, row, strict=True)) for row in rows]
    counts = [key for key in ("slab", "step", "epoch") if key in columns]
    return [event | {key: int(event[key]) for key in counts} for event in events]


def gradient_rows(text: str) -> list[dict[str, Any]]:
    """Return the `gradient_history` of a `gradient_table`, a vector's cosine with itself as 1."""
    columns, *rows = csv_rows(text)
    history = []
    for cells in rows:
        row = {key: cell for key, cell in zip(columns, cells, strict=True) if cell}
        names = [key.removeprefix("norm_") for key in row if key.startswith("norm_")]
        table = [[float(a == b) for a in range(len(names))] for b in range(len(names))]
        for a, b in pairs_of(names):
            table[a][b] = table[b][a] = float(row[f"cos_{names[a]}_{names[b]}"])
        norms = [float(row[f"norm_{name}"]) for name in names]
        # Tables of version 0.1 have no scores.
        told = {key: float(row[key]) if key in row else None for key in SCORES}
        slab = {"slab": int(row["slab"])} if "slab" in row else {}
        own = {"step": int(row["step"]), "names": names, "norms": norms, "cosines": table}
        history.append(slab | own | told)
    return history


def write_events(path: str | os.PathLike[str], events: Rows) -> None:
    """Write events as CSV.

    Args:
        path: of the file; one that exists is replaced in one step.
        events: rows with the keys `EVENT_COLUMNS`.
    """
    replace_file(Path(path), event_table(events))


def write_gradients(path: str | os.PathLike[str], history: Rows) -> None:
    """Write lengths and angles of gradients as CSV.

    Args:
        path: of the file; one that exists is replaced in one step.
        history: the `gradient_history` of `AdaptiveWeights(..., diagnostics=True)`.
    """
    replace_file(Path(path), gradient_table(history))


def _table(columns: Sequence[str], rows: Rows) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")  # floats keep all their digits
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
