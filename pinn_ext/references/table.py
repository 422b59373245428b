"""What the stored references say of themselves, as a table."""

from __future__ import annotations

from pathlib import Path

from pinn_ext.references.recipes import names
from pinn_ext.references.store import FOLDER, file_of, load

_HEAD = (
    "| Reference | Method | Accuracy | Between | Independent | kB | Seconds |",
    "|---|---|---|---|---|---|---|",
)


def markdown(folder: Path = FOLDER) -> str:
    """Return a Markdown table of the references in a folder, those that are missing left out."""
    rows = [_row(name, folder) for name in names() if file_of(name, folder).is_file()]
    return "\n".join([*_HEAD, *rows]) + "\n"


def _row(name: str, folder: Path) -> str:
    about = load(name, folder).about
    run = about.get("independent")
    size = file_of(name, folder).stat().st_size / 1000
    short = about["method"].split(" on ")[0]
    cells = [
        f"`{name}`",
        f"{short}, {about['resolution']}",
        numbers(about["accuracy"]),
        numbers(about["accuracy_between"]),
        f"{numbers(run['difference'])} until {run['until']:.3g}" if run else "not run",
        f"{size:.0f}",
        f"{about['seconds']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def numbers(per_field: dict[str, float]) -> str:
    """Return numbers of fields for a table: `u 1.2e-07, v 3.4e-07`."""
    return ", ".join(f"{field} {number:.1e}" for field, number in per_field.items())
