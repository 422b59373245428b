"""The jobs of a study: the product of its axes as overrides, each checked before any is run."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from pinn_ext import schema
from pinn_ext.checks import ArgumentError
from pinn_ext.program.composition import compose
from pinn_ext.program.machine.sizes import check_sizes
from pinn_ext.program.problem import check_files, refuse_unnamed
from pinn_ext.program.study import tuned as tuning
from pinn_ext.program.study.study_file import StudyFile
from pinn_ext.program.study.tuned import Tuned
from pinn_ext.program.terminal.progress import say_aside
from pinn_ext.program.terminal.refusals import Refused, refusals
from pinn_ext.reports.planned_jobs import MOST_JOBS
from pinn_ext.reports.study.records import CHOSEN, PILOT, Job, Record
from pinn_ext.schema import Config
from pinn_ext.version import __version__

Settings = tuple[str, ...]
"""Overrides of a job, its seed left out."""
_MANY = 20  # configurations, a tenth of a second each


def plan(study: StudyFile, sound: Collection[Settings] = ()) -> list[Job]:
    """Return the jobs of a study in the order in which they are run.

    Those of one seed come after those of the one before, the contenders first, and each strategy
    in all cases before the next one: a study that is looked at early compares whole strategies.

    Args:
        study: what its file asks for.
        sound: settings that need no check, see `checked_before`.

    Returns:
        Its jobs; a training with weights chosen from a grid after the points of the grid.

    Raises:
        Refused: if there are none or too many, or one of them would be refused when it is run;
            one sentence that names it.
    """
    cases = list(itertools.product(study.systems, study.conditions, study.phases))
    most = len(cases) * len(study.all_strategies) * len(study.seeds)
    if most > MOST_JOBS:
        raise Refused(f"A study must have at most {MOST_JOBS} runs, got {most}.")
    cells = [
        _Cell(*case, strategy, tuple(seeds))
        for case in cases
        for strategy in study.all_strategies
        if (seeds := [s for s in study.seeds if not _left_out(study, (*case, strategy, s))])
    ]
    if not cells:
        raise Refused("The study has no jobs, as leave_out names all of them.")
    new = [cell for cell in cells if cell.settings(study) not in sound]
    if len(new) > _MANY:
        say_aside(f"checking {len(new)} configurations before anything is run …")
    jobs = [job for cell in cells for job in _jobs(study, cell, sound)]
    if len(jobs) > MOST_JOBS:
        raise Refused(f"A study must have at most {MOST_JOBS} jobs, got {len(jobs)}.")
    return _in_order(study, jobs)


def checked_before(record: Record) -> frozenset[Settings]:
    """Return the settings of the jobs in a study's folder, which were checked before it was begun.

    Hydra takes a tenth of a second for each configuration, and a study is gone on with many times.
    Files that the settings name may have changed since; each job looks at its own when it starts.

    Args:
        record: what the folder holds.

    Returns:
        None of another version of pinn_ext.
    """
    if record.version != __version__:
        return frozenset()
    return frozenset(_without_seed(job.overrides) for job in record.jobs)


class _Cell(NamedTuple):
    """A strategy in a case, with the seeds of its runs."""

    system: str
    conditions: str
    phase: str
    strategy: str
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        """How the names of its jobs begin."""
        return ".".join(self[:4])

    def settings(self, study: StudyFile) -> Settings:
        """Return the overrides of its jobs, seeds and weights from a grid left out."""
        own = study.strategies.get(self.strategy, ("training=default",))  # the grid has fixed ones
        return (
            *study.common,
            *study.systems[self.system],
            f"problem.conditions={self.conditions}",
            *study.phases[self.phase],
            *own,
        )

    def job(self, seed: int, settings: Settings, name: str = "", **others: Any) -> Job:
        """Return a job of one of the seeds, whose name may be longer."""
        overrides = (*settings, f"seed={seed}")
        return Job(f"{self.name}.{seed}{name}", *self[:4], seed, overrides, **others)


def _without_seed(overrides: Sequence[str]) -> Settings:
    return tuple(one for one in overrides if not one.startswith("seed="))


def _in_order(study: StudyFile, jobs: Iterable[Job]) -> list[Job]:
    """Sort jobs by seed, contenders, role and strategy; cases keep their order."""
    seeds, strategies = list(study.seeds), study.all_strategies

    def place(job: Job) -> tuple[int, bool, bool, int]:
        later = job.strategy not in study.contenders
        return seeds.index(job.seed), later, job.role == CHOSEN, strategies.index(job.strategy)

    return sorted(jobs, key=place)


def _left_out(study: StudyFile, place: Sequence[Any]) -> bool:
    axes = ("systems", "conditions", "phases", "strategies", "seeds")
    at = dict(zip(axes, map(str, place), strict=True))
    return any(all(at[axis] in names for axis, names in one.items()) for one in study.leave_out)


def _jobs(study: StudyFile, cell: _Cell, sound: Collection[Settings]) -> list[Job]:
    """Return the jobs of a strategy in a case, those that need others after them."""
    settings = cell.settings(study)
    if study.tuned and cell.strategy == study.tuned.name:
        return _tuned_jobs(study.tuned, cell, settings, sound)
    if settings not in sound:
        checked(cell.name, settings)
    return [cell.job(seed, settings) for seed in cell.seeds]


def _tuned_jobs(
    tuned: Tuned, cell: _Cell, settings: Settings, sound: Collection[Settings]
) -> list[Job]:
    """Return the points of a grid, and the training with the best one, for each seed."""
    cfg = checked(cell.name, settings)  # which says what weights there are
    try:
        weights = tuning.weight_overrides(tuned, cfg)
        share, rest = tuning.epochs_of(tuned, cfg.training.epochs, len(weights))
    except ArgumentError as error:
        raise Refused(f"The job {cell.name} cannot be run: {error}") from None
    short = (*settings, f"training.epochs={share}", *tuning.without_further_phases(cfg))
    points = [(*short, *own) for own in weights]
    final = (*settings, f"training.epochs={rest}")
    for one in (points[0], points[-1], final):
        if one not in sound:
            checked(cell.name, one)
    jobs = []
    for seed in cell.seeds:
        pilots = [
            cell.job(seed, point, f".grid{number}", role=PILOT)
            for number, point in enumerate(points)
        ]
        names = tuple(job.name for job in pilots)
        jobs += [*pilots, cell.job(seed, final, role=CHOSEN, chosen_from=names)]
    return jobs


def checked(where: str, overrides: Sequence[str]) -> Config:
    """Compose a job's configuration and refuse what a run would refuse before it trains.

    Args:
        where: what the job is called in the message.
        overrides: of the job.

    Returns:
        The configuration.

    Raises:
        Refused: in one sentence that names the job.
    """
    try:
        cfg, _ = compose(overrides)
        if cfg.training.resume is not None:
            raise Refused("`training.resume` must be left to the study.")
        with refusals():
            refuse_unnamed(cfg, overrides)
            schema.validate(cfg)
            check_sizes(cfg)
            check_files(cfg)
    except Refused as error:
        raise Refused(f"The job {where} cannot be run: {error}") from None
    return cfg


def stages(jobs: Sequence[Job], in_order: bool) -> list[list[Job]]:
    """Return the jobs in lists, one to be run after the other, so that what is chosen from is over.

    Args:
        jobs: of a study, in their order.
        in_order: whether that order is kept; if not there are two lists at most, as who waits for
            all jobs of a list, as on a cluster, waits twice.

    >>> from pinn_ext.reports.study.records import CHOSEN, PILOT, RUN
    >>> names = [("grid0", PILOT), ("tuned.0", CHOSEN), ("ema.0", RUN)]
    >>> place = dict(system="a", conditions="soft", phase="epochs", strategy="", seed=0)
    >>> jobs = [Job(name, **place, overrides=(), role=role) for name, role in names]
    >>> [[job.name for job in stage] for stage in stages(jobs, True)]
    [['grid0'], ['tuned.0', 'ema.0']]
    >>> [[job.name for job in stage] for stage in stages(jobs, False)]
    [['grid0', 'ema.0'], ['tuned.0']]
    """
    if not in_order:
        jobs = sorted(jobs, key=lambda job: job.role == CHOSEN)
    found: list[list[Job]] = [[]]
    for before, job in zip([None, *jobs], jobs, strict=False):
        if before is not None and job.role == CHOSEN != before.role:
            found.append([])
        found[-1].append(job)
    return found
