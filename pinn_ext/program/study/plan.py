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
from pinn_ext.reports.study.records import CHOSEN, PILOT, RUN, Job
from pinn_ext.schema import Config


def plan(study: StudyFile) -> list[Job]:
    """Return the jobs of a study, those of one seed after those of the one before.

    The first seed of everything comes first, so that a study that is looked at early shows all of
    its strategies.

    Args:
        study: what its file asks for.

    Returns:
        Its jobs; the last stage, trainings with weights chosen from a grid, at the end.

    Raises:
        Refused: if there are none or too many, or one of them would be refused when it is run;
            one sentence that names it.
    """
    cases = list(itertools.product(study.systems, study.conditions, study.phases))
    most = len(cases) * len(study.all_strategies) * len(study.seeds)
    if most > MOST_JOBS:
        raise Refused(f"A study must have at most {MOST_JOBS} runs, got {most}.")
    first, last = [], []
    for case in cases:
        for strategy in study.all_strategies:
            seeds = [seed for seed in study.seeds if not _left_out(study, (*case, strategy, seed))]
            if not seeds:
                continue
            runs, finals = _jobs(study, case, strategy, seeds)
            first += runs
            last += finals
    if not first:
        raise Refused("The study has no jobs, as leave_out names all of them.")
    order = {seed: number for number, seed in enumerate(study.seeds)}
    jobs = [*sorted(first, key=lambda job: order[job.seed]), *last]
    if len(jobs) > MOST_JOBS:
        raise Refused(f"A study must have at most {MOST_JOBS} jobs, got {len(jobs)}.")
    return jobs


def _left_out(study: StudyFile, place: Sequence[Any]) -> bool:
    axes = ("systems", "conditions", "phases", "strategies", "seeds")
    at = dict(zip(axes, map(str, place), strict=True))
    return any(all(at[axis] in names for axis, names in one.items()) for one in study.leave_out)


def _jobs(
    study: StudyFile, case: tuple[str, str, str], strategy: str, seeds: Iterable[int]
) -> tuple[list[Job], list[Job]]:
    """Return the jobs of a strategy in a case, and those that need others to be over."""
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
        runs = [
            Job(f"{where}.{seed}", **place, seed=seed, overrides=_with_seed(settings, seed))
            for seed in seeds
        ]
        return runs, []
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
    pilots, finals = [], []
    for seed in seeds:
        names = []
        for number, own_weights in enumerate(weights):
            names.append(f"{where}.{seed}.grid{number}")
            overrides = _with_seed((*short, *own_weights), seed)
            pilots.append(Job(names[-1], **place, seed=seed, overrides=overrides, role=PILOT))
        finals.append(
            Job(
                f"{where}.{seed}",
                **place,
                seed=seed,
                overrides=_with_seed(final, seed),
                role=CHOSEN,
                chosen_from=tuple(names),
            )
        )
    return pilots, finals


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


def stages(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return the jobs in two lists: those that need nothing, and those with weights to be chosen.

    Args:
        jobs: of a study.
    """
    return [
        [job for job in jobs if job.role in (RUN, PILOT)],
        [job for job in jobs if job.role == CHOSEN],
    ]
