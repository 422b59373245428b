"""Comparison of the runs below a folder: table, files, picture, and who won."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pinn_ext.files import RunError, replace_file
from pinn_ext.reports import report
from pinn_ext.reports.compare import settings, tables
from pinn_ext.reports.compare.job_reports import errors_unknown, is_running, read_job
from pinn_ext.reports.compare.sections import Row, Section, is_number, sections
from pinn_ext.reports.compare.settings import RunSettings
from pinn_ext.reports.planned_jobs import job_number, planned_jobs

COLUMNS = [
    *("job", "strategy", "overrides", "u", "v", "worst", "raw_loss", "seconds", "status"),
    *("problem", "seed", "differs", "held_out_score"),
]


@dataclass(frozen=True)
class Job:
    """What a job has left.

    Attributes:
        content: its report.
        history: its rows, none if it did not end well.
        settings: what decided it, None where that is not known.
    """

    content: Row
    history: list[Row] = field(default_factory=list)
    settings: RunSettings | None = None

    @property
    def of_a_sweep(self) -> bool:
        """Whether it has a number there, its continuation in another folder too."""
        return type(self.content.get("job")) is int


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


def compare(
    folder: Path, planned: list[list[str]] | None = None, places: Sequence[str] = ()
) -> tuple[list[Row], str]:
    """Compare the runs in a folder and write `comparison.csv`, `.json` and `.png` there.

    A job that is lost, damaged or still running has a row that says so; it hides no other.

    Args:
        folder: of a sweep, or one that holds the folders of single runs.
        planned: overrides of each job that a sweep set out to run; None reads `multirun.yaml`.
        places: names of the folders of these jobs, where they are known.

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
        jobs = {key: job for key, job in jobs.items() if job.of_a_sweep}
        jobs |= {key: Job({"status": "running"}) for key in _running(folder, places) - set(jobs)}
        for key in range(len(planned)):
            jobs.setdefault(key, Job({"status": "lost"}))
    else:
        jobs = _without_report(folder) | jobs
    if torn:
        message = "multirun.yaml cannot be read, so jobs without a report are not shown"
        jobs["-"] = Job({"status": "damaged", "message": message})
    if not jobs:
        raise RunError(f"There are no runs in {folder}.")
    rows = _rows(jobs, planned)
    found = sections(rows, {key: job.settings for key, job in jobs.items()})
    text = tables.text(found)
    try:
        _write_files(folder, rows, found, {key: job.history for key, job in jobs.items()})
    except OSError as error:
        message = f"The comparison in {folder} cannot be written ({error.strerror})."
        raise NotWritten(message, rows, text) from error
    return rows, f"{text}\n\nComparison: {folder / 'comparison.csv'}"


def _jobs(folder: Path) -> dict[Any, Job]:
    """Return the jobs below a folder by their number, or by name for single runs."""
    found: dict[Any, Job] = {}
    for path in sorted(folder.glob(f"*/{report.FILE_NAME}")):
        content, history = read_job(path.parent)
        job = content.get("job")
        # Two folders may hold the same job, such as one that was resumed in a new place.
        key = path.parent.name if job is None or job in found else job
        found[key] = Job(content, history, settings.read(path.parent))
    return found


def _without_report(folder: Path) -> dict[Any, Job]:
    """Return the single runs that have begun and not reported, by name."""
    begun = [path.parent for path in sorted(folder.glob(f"*/{report.CONFIG_NAME}"))]
    return {
        path.name: Job(
            {"status": "running" if is_running(path) else "lost"}, [], settings.read(path)
        )
        for path in begun
        if not (path / report.FILE_NAME).exists()
    }


def _running(folder: Path, places: Sequence[str]) -> set[Any]:
    """Return the jobs that a process works on by their number, or by name where it is not known."""
    numbers = {name: number for number, name in enumerate(places)}
    found = set()
    for path in folder.iterdir():
        if is_running(path):
            number = numbers.get(path.name, job_number(path))
            found.add(path.name if number is None else number)
    return found


def _rows(jobs: Mapping[Any, Job], planned: list[list[str]]) -> list[Row]:
    overrides: dict[Any, list[str]] = {
        key: job.content.get("overrides", []) for key, job in jobs.items()
    }
    overrides |= {k: own for k, own in enumerate(planned) if not overrides[k]}
    # A job whose overrides are not known shares none, so those of the others are shown in full.
    shared = set.intersection(*(set(own) for own in overrides.values()))
    rows = []
    for key, job in jobs.items():
        content = job.content
        done = content["status"] == "ok"
        errors = content.get("relative_l2") if done and not errors_unknown(content) else None
        of_the_last = done and content.get("keep", "last") == "last"
        losses = content.get("raw_losses_last") if of_the_last else None
        rows.append(
            {
                "job": key,
                "strategy": content.get("strategy", "-"),
                "overrides": " ".join(o for o in overrides[key] if o not in shared),
                "u": errors["u"] if errors else None,
                "v": errors["v"] if errors else None,
                "worst": report.worst_field(errors) if errors else None,
                "raw_loss": sum(losses.values()) if losses else None,
                "held_out_score": content.get("held_out_score") if done else None,
                "seconds": content.get("seconds_training") if done else None,
                "status": content["status"],
                "message": content.get("message"),
            }
        )
    # A worst error that is not a number compares with nothing: it goes last, like no error.
    return sorted(rows, key=lambda r: (not is_number(r["worst"]), r["worst"] or 0.0))


def _write_files(
    folder: Path,
    rows: list[Row],
    found: Sequence[Section],
    histories: Mapping[Any, list[Row]],
) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    # As bytes, so that the ends of lines stay those of the csv module.
    replace_file(folder / "comparison.csv", text.getvalue().encode())
    replace_file(folder / "comparison.json", json.dumps(rows, indent=2) + "\n")
    if any(section.groups for section in found):
        from pinn_ext.reports.compare import picture

        report.picture(folder / "comparison.png", picture.draw, found, histories)
