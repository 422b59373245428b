"""Comparison of the runs below a folder: table, files, picture, and who won."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pinn_ext.files import RunError, replace_file
from pinn_ext.reports import report
from pinn_ext.reports.job_reports import is_running, read_job
from pinn_ext.reports.planned_jobs import planned_jobs

Row = dict[str, Any]
Jobs = dict[Any, tuple[Row, list[Row]]]
"""Report and history of each job by its number, or by its folder's name."""
COLUMNS = ["job", "strategy", "overrides", "u", "v", "worst", "raw_loss", "seconds", "status"]


class NotWritten(RunError):
    """The files of a comparison cannot be written.

    Args:
        message: one sentence.
        rows: of the comparison.
        text: to print all the same.
    """

    def __init__(self, message: str, rows: list[Row], text: str) -> None:
        super().__init__(message)
        self.rows, self.text = rows, text


def compare(folder: Path, planned: list[list[str]] | None = None) -> tuple[list[Row], str]:
    """Compare the runs in a folder and write `comparison.csv`, `.json` and `.png` there.

    A job that is lost, damaged or still running has a row that says so; it hides no other.

    Args:
        folder: of a sweep, or one that holds the folders of single runs.
        planned: overrides of each job that a sweep set out to run; None reads `multirun.yaml`.

    Returns:
        One row a run, the smallest worst-field error first, and the text to print.

    Raises:
        RunError: if there are no runs.
        NotWritten: if the files cannot be written; it holds rows and text.
    """
    if not folder.is_dir():
        raise RunError(f"There is no folder {folder}.")
    jobs, torn = _jobs(folder), False
    if planned is None:
        try:
            planned = planned_jobs(folder)
        except Exception:  # of yaml, OmegaConf or Hydra's parser: anything may stand in the file
            planned, torn = [], True
    if planned:  # other runs in the folder have nothing to do with the sweep
        jobs = {key: job for key, job in jobs.items() if isinstance(key, int)}
        for key in range(len(planned)):
            jobs.setdefault(key, (_without_report(folder / str(key)), []))
    if torn:
        message = "multirun.yaml cannot be read, so jobs without a report are not shown"
        jobs["-"] = {"status": "damaged", "message": message}, []
    if not jobs:
        raise RunError(f"There are no runs in {folder}.")
    rows = _rows(jobs, planned)
    groups = _groups(rows)
    parts = [_table(rows), verdict(groups)]
    if any(group["runs"] > 1 for group in groups):
        parts.insert(1, _group_table(groups))
    try:
        _write_files(folder, rows, {key: history for key, (_, history) in jobs.items()})
    except OSError as error:
        raise NotWritten(
            f"The comparison in {folder} cannot be written ({error.strerror}).",
            rows,
            "\n\n".join(part for part in parts if part),
        ) from error
    parts.append(f"Comparison: {folder / 'comparison.csv'}")
    return rows, "\n\n".join(part for part in parts if part)


def _jobs(folder: Path) -> Jobs:
    """Return the jobs below a folder by their number, or by name for single runs."""
    found: Jobs = {}
    for path in sorted(folder.glob(f"*/{report.FILE_NAME}")):
        content, history = read_job(path.parent)
        job = content.get("job")
        # Two folders may hold the same job, such as one that was resumed in a new place.
        key = path.parent.name if job is None or job in found else job
        found[key] = content, history
    return found


def _without_report(folder: Path) -> Row:
    return {"status": "running" if is_running(folder) else "lost"}


def _rows(jobs: Jobs, planned: list[list[str]]) -> list[Row]:
    overrides: dict[Any, list[str]] = {
        key: content.get("overrides", []) for key, (content, _) in jobs.items()
    }
    overrides |= {k: own for k, own in enumerate(planned) if not overrides[k]}
    # A job whose overrides are not known shares none, so those of the others are shown in full.
    shared = set.intersection(*(set(own) for own in overrides.values()))
    rows = []
    for key, (content, _) in jobs.items():
        done = content["status"] == "ok"
        errors = content.get("relative_l2") if done else None
        losses = content.get("raw_losses_last") if done else None
        rows.append(
            {
                "job": key,
                "strategy": content.get("strategy", "-"),
                "overrides": " ".join(o for o in overrides[key] if o not in shared),
                "u": errors["u"] if errors else None,
                "v": errors["v"] if errors else None,
                "worst": max(errors.values()) if errors else None,
                "raw_loss": sum(losses.values()) if losses else None,
                "seconds": content.get("seconds_training") if done else None,
                "status": content["status"],
                "message": content.get("message"),
            }
        )
    # A worst error that is not a number compares with nothing: it goes last, like no error.
    return sorted(rows, key=lambda r: (not _is_number(r["worst"]), r["worst"] or 0.0))


def _is_number(value: Any) -> bool:
    return value is not None and value == value


def _groups(rows: list[Row]) -> list[dict[str, Any]]:
    """Gather runs that differ in the seed only."""
    gathered: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["status"] == "ok" and _is_number(row["worst"]):
            rest = " ".join(o for o in row["overrides"].split(" ") if not o.startswith("seed="))
            gathered.setdefault((row["strategy"], rest), []).append(row["worst"])
    groups = [
        {
            "strategy": strategy,
            "overrides": rest,
            "runs": len(worst),
            "median": statistics.median(worst),
            "smallest": min(worst),
            "largest": max(worst),
        }
        for (strategy, rest), worst in gathered.items()
    ]
    return sorted(groups, key=lambda group: group["median"])


def verdict(groups: Sequence[dict[str, Any]]) -> str:
    """Say in one sentence whether adapting the weights paid.

    Args:
        groups: one entry a setting, with `strategy` and `median` worst-field error.

    Returns:
        The sentence, empty unless both fixed and adaptive weights were run.
    """
    fixed = min((g["median"] for g in groups if g["strategy"] == "fixed"), default=None)
    adaptive = [g for g in groups if g["strategy"] != "fixed"]
    if fixed is None or not adaptive:
        return ""
    best = min(adaptive, key=lambda group: group["median"])
    name, error = best["strategy"], best["median"]
    if math.isclose(fixed, error, rel_tol=1e-9):
        return f"Fixed and adaptive weights ({name}) end alike here: worst-field error {error:.2e}."
    if fixed < error:
        return (
            f"Fixed weights win here: worst-field error {fixed:.2e}, against {error:.2e} of the "
            f"best adaptive strategy ({name})."
        )
    times = f"{fixed / error:.{1 if fixed >= 2 * error else 2}f} times"
    return (
        f"{name} wins here: worst-field error {error:.2e}, {times} smaller than "
        f"{fixed:.2e} with fixed weights."
    )


def _table(rows: list[Row]) -> str:
    def text(value: Any, form: str) -> str:
        return "-" if value is None else format(value, form)

    lines = [["job", "strategy", "u", "v", "raw loss", "seconds", "status", "overrides"]]
    for row in rows:
        lines.append(
            [
                str(row["job"]),
                row["strategy"],
                text(row["u"], ".2e"),
                text(row["v"], ".2e"),
                text(row["raw_loss"], ".2e"),
                text(row["seconds"], ".1f"),
                row["status"],
                row["overrides"],
            ]
        )
    notes = [
        f"job {row['job']} {row['status']}: {row['message']}" for row in rows if row["message"]
    ]
    return "Relative L2 errors, the smallest worst field first:\n" + "\n".join(
        [align(lines), *notes]
    )


def _group_table(groups: list[dict[str, Any]]) -> str:
    lines = [["strategy", "runs", "median", "smallest", "largest", "overrides"]]
    for group in groups:
        numbers = [format(group[key], ".2e") for key in ("median", "smallest", "largest")]
        lines.append([group["strategy"], str(group["runs"]), *numbers, group["overrides"]])
    return "Worst-field error over the seeds:\n" + align(lines)


def align(lines: list[list[str]]) -> str:
    """Return lines of cells laid out in columns, two spaces apart."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _write_files(folder: Path, rows: list[Row], histories: dict[Any, list[Row]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    # As bytes, so that the ends of lines stay those of the csv module.
    replace_file(folder / "comparison.csv", text.getvalue().encode())
    replace_file(folder / "comparison.json", json.dumps(rows, indent=2) + "\n")
    drawn = [row for row in rows if row["status"] == "ok" and _is_number(row["worst"])]
    labels = {
        row["job"]: " ".join(
            [row["strategy"], *(o for o in row["overrides"].split() if "training=" not in o)]
        )
        for row in drawn
    }
    if drawn:
        from pinn_ext.reports import plots

        shown = {row["job"]: histories[row["job"]] for row in drawn}
        report.picture(folder / "comparison.png", plots.comparison, drawn, shown, labels)
