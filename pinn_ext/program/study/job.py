"""One job of a study: an ordinary run in its own folder, which ends with a row."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinn_ext import schema
from pinn_ext.files import CHECKPOINT, RunError
from pinn_ext.program.composition import compose
from pinn_ext.program.hydra_errors import one_line
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.run_info import Info
from pinn_ext.program.sweep import attempt
from pinn_ext.program.terminal.refusals import Refused
from pinn_ext.reports import report
from pinn_ext.reports.compare.job_reports import is_running, read_job
from pinn_ext.reports.study import rows
from pinn_ext.reports.study.records import Job, Row, append_row
from pinn_ext.schema import Config

JOBS = "jobs"
"""Folder of the runs in that of a study."""


def run_job(
    study: Path, job: Job, overrides: Sequence[str], pilots: Sequence[Row], interrupts: Interrupts
) -> Row | None:
    """Run a job, or go on with it where it stopped, and append its row.

    Args:
        study: folder of the study.
        job: of the study.
        overrides: that it is run with: its own, and weights that were chosen for it.
        pilots: rows of the grid that these were chosen from.
        interrupts: signals that were caught.

    Returns:
        The row; None where a signal has ended the job before its end, which then goes on another
        time, or another process is running it.

    Raises:
        RunError: if the row cannot be written.
    """
    folder, start, core_start = study / JOBS / job.name, time.monotonic(), time.process_time()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        cfg, hydra_part = compose(overrides)
    except (OSError, Refused) as error:
        row = rows.failed(job, overrides, one_line(error))
    else:
        choices = {k: v for k, v in hydra_part.runtime.choices.items() if "hydra" not in k}
        content = _over(folder, cfg)
        if content is None:
            # The page has pictures of all runs; those of one take longer than a short training.
            info = Info(list(overrides), choices, None, job.name, pictures=False)
            content = attempt(cfg, folder, info, interrupts, always=True)
        if content["status"] == "interrupted":
            return None
        if content["status"] == "failed" and is_running(folder):
            return None  # by a cluster's job that a former command has left: it writes the row
        row = rows.of_run(job, overrides, content, folder, time.monotonic() - start)
    # The clock on the wall says little on a machine that others compute on as well.
    row["core_seconds"] = round(time.process_time() - core_start, 3)
    row = rows.with_pilots(row, pilots)
    append_row(study, row)
    return row


def _over(folder: Path, cfg: Config) -> dict[str, Any] | None:
    """Return the report of a job that had ended when its study was killed, None of any other."""
    if not (folder / report.FILE_NAME).is_file():
        return None
    content, _ = read_job(folder)
    own = report.config_content(schema.as_dict(cfg))
    with contextlib.suppress(OSError):
        if content["status"] == "failed" or (
            content["status"] == "ok" and (folder / report.CONFIG_NAME).read_bytes() == own
        ):
            return content
    return None


def put_aside(study: Path, jobs: Sequence[Job]) -> None:
    """Let jobs that have failed be run once more: from their checkpoints, where they have any.

    Args:
        study: folder of the study.
        jobs: those to be run.

    Raises:
        RunError: if what a job has left cannot be put aside.
    """
    for job in jobs:
        folder = study / JOBS / job.name
        if not (folder / report.FILE_NAME).is_file():
            continue
        if read_job(folder)[0]["status"] != "failed":
            continue
        former = study / "failed" / f"{job.name}.{time.time_ns()}"
        try:
            former.parent.mkdir(exist_ok=True)
            if (folder / CHECKPOINT).is_file():
                (folder / report.FILE_NAME).rename(former.with_name(f"{former.name}.json"))
            else:
                folder.rename(former)
        except OSError as error:
            raise RunError(f"{folder} cannot be put aside ({error.strerror}).") from None


def overrides_of(job: Job, done: Mapping[str, Row]) -> tuple[tuple[str, ...] | None, list[Row]]:
    """Return the overrides that a job is run with, once the jobs that it needs are over.

    Args:
        job: of the study.
        done: rows by the names of their jobs.

    Returns:
        Its overrides, with the weights of the point of its grid that has the smallest held-out
        score, None where all points have failed; and the rows of the grid.
    """
    from pinn_ext.program.study.tuned import chosen

    if not job.chosen_from:
        return job.overrides, []
    pilots = [done[name] for name in job.chosen_from]
    best = chosen([row.get("held_out") if row["status"] == "ok" else None for row in pilots])
    if best is None:
        return None, pilots
    weights = [one for one in pilots[best]["overrides"] if one.startswith("training.loss.w")]
    return (*job.overrides, *weights), pilots
