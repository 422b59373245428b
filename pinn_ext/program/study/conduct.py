"""A study from its file to its page: jobs without a row are run, whatever becomes of each."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pinn_ext.checks import ArgumentError
from pinn_ext.files import RunError
from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.study import folder as study_folder
from pinn_ext.program.study.job import overrides_of, put_aside
from pinn_ext.program.study.launch import Launched
from pinn_ext.program.study.plan import stages
from pinn_ext.program.study.study_file import StudyFile
from pinn_ext.program.study.workers import Task, Workers
from pinn_ext.program.terminal.progress import say
from pinn_ext.reports.study import progress, rows
from pinn_ext.reports.study.records import (
    Job,
    Record,
    Row,
    append_row,
    pending,
    read_rows,
)


@dataclass(frozen=True)
class Settings:
    """How a study is run, beside what its file says.

    Attributes:
        folder: of the results.
        jobs: how many run at once.
        launcher: of Hydra, None for processes of this program.
        launcher_options: overrides for it.
        retry: whether jobs that have failed are run again.
    """

    folder: Path
    jobs: int = 1
    launcher: str | None = None
    launcher_options: tuple[str, ...] = ()
    retry: bool = False


@dataclass
class _Board:
    """What has become of the jobs so far, and the lines that say so."""

    folder: Path
    jobs: Sequence[Job]
    workers: int
    rows: dict[str, Row]
    begun: float = field(default_factory=time.monotonic)

    def add(self, row: Row) -> None:
        """Take note of a row and print its line."""
        self.rows[row["name"]] = row
        left = progress.seconds_left(self.jobs, self.rows, self.workers)
        say(progress.line(row, len(self.jobs), self.rows, left))


def record_of(study: StudyFile, jobs: Sequence[Job]) -> Record:
    """Return what the folder of a study says of it."""
    return Record(study.title, study.contenders, tuple(study.all_strategies), tuple(jobs))


def conduct(record: Record, settings: Settings, interrupts: Interrupts) -> bool:
    """Run the jobs of a study that have no row yet.

    Args:
        record: the study.
        settings: how it is run.
        interrupts: signals that were caught; at the first one the jobs at work save and end.

    Returns:
        Whether every job has a row.

    Raises:
        RunError: if the folder cannot be used, or a row cannot be written.
    """
    folder = settings.folder
    with study_folder.locked(folder) as lock:
        study_folder.take_up(folder, record)
        if settings.retry:
            put_aside(folder, pending(record.jobs, read_rows(folder), retry=True))
        done = read_rows(folder)
        open_jobs = pending(record.jobs, done, settings.retry)
        for job in open_jobs:
            done.pop(job.name, None)
        say(progress.opening(record.jobs, open_jobs, folder))
        board = _Board(folder, record.jobs, settings.jobs, done)
        runner = _runner(settings, lock)
        try:
            for stage in stages(open_jobs, in_order=settings.launcher is None):
                tasks = _tasks(folder, stage, board)
                if tasks and interrupts.signal is None:
                    runner.run(tasks, interrupts, board.add)
                if interrupts.signal is not None:
                    return False
        finally:
            runner.close()
    return not pending(record.jobs, board.rows)


def _runner(settings: Settings, lock: int) -> Workers | Launched:
    if settings.launcher is None:
        return Workers(settings.folder, settings.jobs, lock)
    return Launched(settings.folder, settings.launcher, settings.launcher_options)


def _tasks(folder: Path, stage: Sequence[Job], board: _Board) -> list[Task]:
    """Return the tasks of a stage; a job for which nothing can be chosen has a row at once."""
    tasks = []
    for job in stage:
        if not board.rows.keys() >= set(job.chosen_from):  # a launcher has lost one of them
            continue
        overrides, pilots = overrides_of(job, board.rows)
        if overrides is None:
            row = rows.failed(job, job.overrides, "All points of its grid of weights have failed.")
            append_row(folder, row)
            board.add(row)
        else:
            tasks.append(Task(job, overrides, pilots))
    return tasks


def make_page(record: Record, folder: Path) -> str:
    """Make tables, pictures and page of a study again from its rows.

    Args:
        record: the study.
        folder: of its rows.

    Returns:
        Lines to print.

    Raises:
        RunError: if there are no rows, or the files cannot be written.
    """
    from pinn_ext.reports.study.page import write

    done = read_rows(folder)
    if not done:
        raise RunError(f"The folder {folder} must hold rows of a study, got none.")
    return write(record, done, folder, draw_fields)


def draw_fields(run: Path, overrides: Sequence[str]) -> bytes | None:
    """Draw the fields of a run's network.

    Args:
        run: folder of the run.
        overrides: that it was run with; they name the file of a problem that is one.

    Returns:
        A PNG file, None where the folder is gone or the network has no fields.
    """
    from pinn_ext.program.trained.load import load
    from pinn_ext.reports.plots import fields

    key = "problem.file="
    files = [one.removeprefix(key) for one in overrides if one.startswith(key)]
    try:
        trained = load(run, problem_file=files[-1] if files else None)
    except (RunError, ArgumentError):
        return None
    content = io.BytesIO()
    fields(content, trained.system, trained.network)
    return content.getvalue()
