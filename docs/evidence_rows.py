"""Rows of the studies of `docs/evidence`, and strategies held against each other by them."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pinn_ext.program.study import study_file
from pinn_ext.reports.study.records import CHOSEN, RUN, Job, Record, Row, read_rows
from pinn_ext.reports.study.results import CaseResults, Entry, gather

FIXED, PHYSICAL, NULL, AUTO = "fixed", "fixed_physical", "random", "auto"


@dataclass(frozen=True)
class Study:
    """A study with what there is of it.

    Attributes:
        record: its jobs, without the points of grids.
        rows: by the names of their jobs, of jobs of the study alone.
        cases: the results.
        left_out: rows of systems that the study does not have any more.
    """

    record: Record
    rows: Mapping[str, Row]
    cases: Sequence[CaseResults]
    left_out: Sequence[Row] = ()

    @property
    def missing(self) -> list[Job]:
        """Jobs that have no row yet."""
        return [job for job in self.record.jobs if job.name not in self.rows]


def read(name: str, folder: Path) -> Study:
    """Read a study: its file says what was to be run, its rows what was.

    Args:
        name: of the file and of the folder of rows beside it.
        folder: that both lie in.

    Returns:
        The study, with no rows where none has been run.

    Raises:
        Refused: if the file cannot be used.
        RunError: if a row is damaged.
    """
    file = study_file.read(folder / f"{name}.yaml")
    recipes = {**file.strategies, **({file.tuned.name: ()} if file.tuned else {})}
    jobs = []
    axes = file.seeds, recipes, file.systems, file.conditions, file.phases
    for seed, strategy, *case in itertools.product(*axes):
        job = Job(
            ".".join((*case, strategy, str(seed))),
            *case,
            strategy=strategy,
            seed=seed,
            overrides=recipes[strategy],
            role=RUN if recipes[strategy] else CHOSEN,
        )
        jobs.append(job)
    record = Record(file.title, file.contenders, tuple(file.all_strategies), tuple(jobs))
    names, every = {job.name for job in jobs}, read_rows(folder / name)
    rows = {name: row for name, row in every.items() if name in names}
    left_out = [row for row in every.values() if row["system"] not in file.systems]
    return Study(record, rows, gather(record, rows), left_out)


@dataclass(frozen=True)
class Against:
    """Errors of a strategy over those of another, on the seeds that both were run on.

    Attributes:
        ratios: median over median by system; above 1 where the strategy is worse.
        seeds: the fewest and the most in a system.
    """

    ratios: Mapping[str, float]
    seeds: tuple[int, int]

    @property
    def mean(self) -> float:
        """Geometric mean over the systems."""
        return math.exp(statistics.fmean(map(math.log, self.ratios.values())))

    @property
    def best(self) -> tuple[str, float]:
        """System with the smallest ratio, and that ratio."""
        return min(self.ratios.items(), key=lambda item: item[1])

    @property
    def worst(self) -> tuple[str, float]:
        """System with the largest ratio, and that ratio."""
        return max(self.ratios.items(), key=lambda item: item[1])

    def count(self, low: float, high: float) -> int:
        """Return how many systems have a ratio in `(low, high]`."""
        return sum(low < ratio <= high for ratio in self.ratios.values())


def against(study: Study, strategy: str, other: str = FIXED) -> Against | None:
    """Hold a strategy against another one, None if they have no system in common."""
    ratios, seeds = {}, []
    for case in study.cases:
        paired = case.paired([strategy, other])
        if len(paired) < 2 or not paired[strategy]:
            continue
        ratios[case.title] = statistics.median(paired[strategy]) / statistics.median(paired[other])
        seeds.append(len(paired[strategy]))
    return Against(ratios, (min(seeds), max(seeds))) if ratios else None


def latest(screening: Study, final: Study) -> Study:
    """Return the second study once its contenders have run on all systems, else the first."""
    systems = {job.system for job in final.record.jobs}
    for name in final.record.contenders:
        own = against(final, name, PHYSICAL if name == FIXED else FIXED)
        if own is None or len(own.ratios) < len(systems):
            return screening
    return final


def adaptive(study: Study) -> list[tuple[str, Against]]:
    """Return strategies that move weights in scaled units, the best against fixed ones first.

    Only those that were run on every system, or on all but one, count.
    """
    names = [
        name
        for name in study.record.strategies
        if name not in study.record.fixed and not name.endswith("_physical")
    ]
    found = [(name, own) for name in names if (own := against(study, name))]
    complete = [item for item in found if len(item[1].ratios) >= max(1, len(study.cases) - 1)]
    return sorted(complete, key=lambda item: item[1].mean)


def against_best_elsewhere(study: Study, name: str) -> Against | None:
    """Hold a strategy against the best of all, where that is chosen on other seeds.

    On each seed the best one is that with the smallest median error over the other seeds; those
    take part that were run on all seeds of the system that the strategy itself was run on.

    Args:
        study: with its rows.
        name: of the strategy.

    Returns:
        Median over the seeds of its error over that of the best one; None with fewer than two
        seeds in every system.
    """
    ratios, counts = {}, []
    for case in study.cases:
        own = case.entry(name)
        seeds = list(own.rows) if own else []
        others = [e for e in case.entries if set(seeds) <= set(e.rows) and e.strategy != name]
        if own is None or len(seeds) < 2 or not others:
            continue
        found = []
        for seed in seeds:
            rest = [one for one in seeds if one != seed]
            best = min(others, key=partial(_median, case=case, seeds=rest))
            found.append(own.error(seed, case.key) / best.error(seed, case.key))
        ratios[case.title] = statistics.median(found)
        counts.append(len(seeds))
    return Against(ratios, (min(counts), max(counts))) if ratios else None


def _median(entry: Entry, case: CaseResults, seeds: Sequence[int]) -> float:
    return statistics.median(entry.error(seed, case.key) for seed in seeds)
