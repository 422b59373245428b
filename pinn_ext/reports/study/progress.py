"""Lines that tell how far a study is, and an estimate of the time that is left."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from pinn_ext.reports.study.records import Job, Row


def opening(jobs: Sequence[Job], left: Sequence[Job], folder: Path) -> str:
    """Return the first line of a study.

    Args:
        jobs: of the study.
        left: those without a row.
        folder: of the study.
    """
    done = len(jobs) - len(left)
    went = f", {done} of them done before" if done else ""
    return f"Study in {folder}: {len(jobs)} jobs{went}."


def line(row: Row, total: int, rows: Mapping[str, Row], left: float | None) -> str:
    """Return the line of a job that has ended.

    Args:
        row: of the job.
        total: how many jobs the study has.
        rows: so far, this one among them.
        left: seconds that are left, None where that is not known yet.
    """
    if row["status"] != "ok":
        what = f"{row['status']}: {row['message']}"
    elif row["worst"] is None:
        what = f"held-out score {row['held_out']}, {row['wall']:.1f} s"
    else:
        what = f"u {row['errors']['u']:.2e}, v {row['errors']['v']:.2e}, {row['wall']:.1f} s"
    width = len(str(total))
    time_left = f" | {clock(left)} left" if left is not None and len(rows) < total else ""
    return f"[{len(rows):{width}}/{total}] {row['name']}: {what}{time_left}"


def seconds_left(jobs: Sequence[Job], rows: Mapping[str, Row], workers: int) -> float | None:
    """Estimate how long the rest of a study takes.

    A job is taken to last as long as the mean of those of its case and role that have ended, or,
    where none has, of all of its role, or of all.

    Args:
        jobs: of the study.
        rows: so far.
        workers: how many jobs run at once.

    Returns:
        Seconds, None before anything has been trained.
    """
    by_place: dict[object, list[float]] = {}
    for job in jobs:
        row = rows.get(job.name)
        if row is not None and row["status"] == "ok":
            for place in _places(job):
                by_place.setdefault(place, []).append(row["wall"])
    if not by_place:
        return None
    means = {place: statistics.fmean(seconds) for place, seconds in by_place.items()}
    total = 0.0
    for job in jobs:
        if job.name not in rows:
            total += next(means[place] for place in _places(job) if place in means)
    return total / workers


def _places(job: Job) -> tuple[object, ...]:
    return (*job.case, job.role), job.role, None


def clock(seconds: float) -> str:
    """Return seconds as a reader says them.

    >>> clock(59), clock(3700), clock(90000)
    ('1 min', '1 h 02 min', '25 h 00 min')
    """
    minutes = max(1, -(-int(seconds) // 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
