"""The jobs of a study: the product of its axes as overrides, each checked before any is run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from pinn_ext import schema
from pinn_ext.checks import ArgumentError
from pinn_ext.program.composition import compose
from pinn_ext.program.machine.sizes import check_sizes
from pinn_ext.program.problem import check_files, refuse_unnamed
from pinn_ext.program.study import tuned as tuning
from pinn_ext.program.study.study_file import StudyFile
from pinn_ext.program.terminal.refusals import Refused, refusals
from pinn_ext.reports.planned_jobs import MOST_JOBS
from pinn_ext.reports.study.records import CHOSEN, PILOT, Job
from pinn_ext.schema import Config


def plan(study: StudyFile) -> list[Job]:
    """Return the jobs of a study in the order in which they are run.

    Those of one seed come after those of the one before, the contenders first, and each strategy
    in all cases before the next one: a study that is looked at early compares whole strategies.

    Args:
        study: what its file asks for.

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
    jobs = []
    for case in cases:
        for strategy in study.all_strategies:
            seeds = [seed for seed in study.seeds if not _left_out(study, (*case, strategy, seed))]
            if seeds:
                jobs += _jobs(study, case, strategy, seeds)
    if not jobs:
        raise Refused("The study has no jobs, as leave_out names all of them.")
    if len(jobs) > MOST_JOBS:
        raise Refused(f"A study must have at most {MOST_JOBS} jobs, got {len(jobs)}.")
    return _in_order(study, jobs)


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


def _jobs(
    study: StudyFile, case: tuple[str, str, str], strategy: str, seeds: Iterable[int]
) -> list[Job]:
    """Return the jobs of a strategy in a case, those that need others after them."""
    system, conditions, phase = case
    tuned = study.tuned if study.tuned and strategy == study.tuned.name else None
    own = ("training=default",) if tuned else study.strategies[strategy]
    settings = (
        *study.common,
        *study.systems[system],
        f"problem.conditions={conditions}",
        *study.phases[phase],
        *own,
    )
    where = ".".join((*case, strategy))
    cfg = checked(where, settings)
    place: dict[str, Any] = {
        "system": system,
        "conditions": conditions,
        "phase": phase,
        "strategy": strategy,
    }
    if tuned is None:
        return [
            Job(f"{where}.{seed}", **place, seed=seed, overrides=_with_seed(settings, seed))
            for seed in seeds
        ]
    try:
        weights = tuning.weight_overrides(tuned, cfg)
        share, rest = tuning.epochs_of(tuned, cfg.training.epochs, len(weights))
    except ArgumentError as error:
        raise Refused(f"The job {where} cannot be run: {error}") from None
    short = (*settings, f"training.epochs={share}", *tuning.without_further_phases(cfg))
    final = (*settings, f"training.epochs={rest}")
    for own_weights in (weights[0], weights[-1]):
        checked(where, (*short, *own_weights))
    checked(where, final)
    jobs = []
    for seed in seeds:
        names = []
        for number, own_weights in enumerate(weights):
            names.append(f"{where}.{seed}.grid{number}")
            overrides = _with_seed((*short, *own_weights), seed)
            jobs.append(Job(names[-1], **place, seed=seed, overrides=overrides, role=PILOT))
        jobs.append(
            Job(
                f"{where}.{seed}",
                **place,
                seed=seed,
                overrides=_with_seed(final, seed),
                role=CHOSEN,
                chosen_from=tuple(names),
            )
        )
    return jobs


def _with_seed(settings: Sequence[str], seed: int) -> tuple[str, ...]:
    return (*settings, f"seed={seed}")


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
